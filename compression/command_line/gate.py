"""``gate``: may one model take another one's place?"""

from argparse import Namespace

from .html_report import write_html_report
from .judge import judge
from .output import print_json, say
from .verdict import decide


def run(arguments: Namespace) -> int:
    judged = judge(arguments)
    names = (arguments.before.name, arguments.after.name)
    if names[0] == names[1]:
        names = (str(arguments.before), str(arguments.after))
    verdict = decide(judged, names, arguments.lose_at_most, arguments.confidence)
    if arguments.report is not None:
        write_html_report(arguments, judged, verdict)
    if arguments.json:
        print_json(
            {
                "passes": verdict.passes,
                "sentence": verdict.sentence,
                "rows": len(judged.target),
                **judged.facts,
                "change_points": verdict.change,
                "change_low": verdict.low,
                "change_high": verdict.high,
                "lose_at_most": arguments.lose_at_most,
                "confidence": arguments.confidence,
                "largest_difference": judged.difference,
            }
        )
    else:
        say(verdict.sentence)
    return 0 if verdict.passes else 1
