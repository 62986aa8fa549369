"""``compare``: two models side by side, on data or on random inputs."""

from argparse import Namespace
from typing import Any

from .files import read_files
from .output import print_json, print_table, say


def run(arguments: Namespace) -> int:
    paths = (arguments.before, arguments.after)
    rows: list[dict[str, Any]] = [
        {"model": path.name, "bytes": sum(map(len, read_files([path]).values()))} for path in paths
    ]
    facts: dict[str, Any]
    if arguments.data is None:
        from ..graphs import runner
        from .judge import read_graph

        differences = runner.compare(*(read_graph(path) for path in paths))
        facts = {
            "random_inputs": differences["rows"],
            "relative_difference": differences["relative"],
            "largest_difference": differences["largest"],
            "same_answers": differences["same"],
        }
        sentence = (
            f"On {differences['rows']} random inputs outputs differ by {differences['relative']:.3g} of their "
            f"norm, at most by {differences['largest']:.3g}. Random inputs say nothing of the score: "
            "give data for that."
        )
    else:
        facts, sentence = _compare_on_data(arguments, rows)
    if arguments.json:
        print_json({"models": rows, **facts})
    else:
        print_table(rows)
        say(sentence)
    return 0


def _compare_on_data(
    arguments: Namespace, rows: list[dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    from .judge import judge

    judged = judge(arguments)
    rows[0][judged.score_name], rows[1][judged.score_name] = judged.scores
    low, high = judged.change(arguments.confidence / 100)
    change = judged.scores[1] - judged.scores[0]
    facts = {
        "rows": len(judged.target),
        "change_points": 100 * change,
        "change_low": 100 * low,
        "change_high": 100 * high,
        **judged.facts,
        "largest_difference": judged.difference,
    }
    same = f"; the same answer on {facts['same_answers']:.2%}" if "same_answers" in facts else ""
    sentence = (
        f"On {len(judged.target):,} rows: {100 * change:+.2f} {judged.unit}, between "
        f"{100 * low:+.2f} and {100 * high:+.2f} with {arguments.confidence:g} % confidence{same}. "
        f"{judged.describe_floor()}"
    )
    return facts, sentence
