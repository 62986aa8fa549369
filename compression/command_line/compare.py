"""``compare``: two models side by side, on data or on random inputs."""

from argparse import Namespace
from typing import Any

from ..intervals import paired_change
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
        from .judge import graph_of

        found = runner.compare(*(graph_of(path) for path in paths))
        facts = {
            "random_inputs": found["rows"],
            "relative_difference": found["relative"],
            "largest_difference": found["largest"],
            "same_answers": found["same"],
        }
        sentence = (
            f"On {found['rows']} random inputs outputs differ by {found['relative']:.3g} of their "
            f"norm, at most by {found['largest']:.3g}. Random inputs say nothing of the score: "
            "give data for that."
        )
    else:
        facts, sentence = _on_data(arguments, rows)
    if arguments.json:
        print_json({"models": rows, **facts})
    else:
        print_table(rows)
        say(sentence)
    return 0


def _on_data(arguments: Namespace, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], str]:
    from .judge import judge

    judged = judge(arguments)
    rows[0]["accuracy"], rows[1]["accuracy"] = (
        float(judged.before.mean()),
        float(judged.after.mean()),
    )
    low, high = paired_change(judged.before, judged.after, arguments.confidence / 100)
    change = rows[1]["accuracy"] - rows[0]["accuracy"]
    same = float((judged.answers[0] == judged.answers[1]).mean())
    facts = {
        "rows": len(judged.target),
        "change_points": 100 * change,
        "change_low": 100 * low,
        "change_high": 100 * high,
        "same_answers": same,
        "largest_difference": judged.difference,
        "majority_class": judged.majority,
    }
    sentence = (
        f"On {len(judged.target):,} rows: {100 * change:+.2f} points, between {100 * low:+.2f} and "
        f"{100 * high:+.2f} with {arguments.confidence:g} % confidence; the same answer on "
        f"{same:.2%}. The most frequent class alone: {judged.majority:.2%}."
    )
    return facts, sentence
