"""Sentences of the page."""

from collections.abc import Mapping

import pandas as pd

from data.uploads import clean_text
from pages.shared.format import format_count, format_score, format_size

from .results import FileFacts, ReviewedDataset

TASKS = {"classification": "classes", "regression": "a number"}
UPLOAD_HELP = (
    "Up to 200 MB. The file is read in a process of its own and kept on this server for 7 days "
    "after it was last used, under a name that nobody can guess; nobody else's menu lists it."
)
EXAMPLE = "Below: a made-up table of 600 customers, to see what the page does. Upload a file to see yours."
ROLES_HELP = (
    "feature: learnt from. target: what is predicted. group: its rows stay in one part. time: the "
    "latest rows are tested on. test: marks the rows to test on. ignore: left out."
)
CHOOSE_ARRAYS = "Choose the inputs, the target, and what the axes of the inputs are."
NOTHING_ODD = (
    "Nothing odd was found: no constant column, no test row that is also learnt from, no column "
    "that alone predicts the target."
)
IN_USE = "This dataset is in use. Open it in"


def describe_upload(title: str) -> str:
    return f"Shown: {title}. It is kept for 7 days after it was last used."


def describe_file(title: str, facts: FileFacts) -> str:
    return f"**{title}** · {facts.rows:,} rows · {facts.columns:,} columns"


def describe_array(name: str, shape: tuple[int, ...]) -> str:
    return f"{clean_text(name)} ({' × '.join(f'{axis:,}' for axis in shape)})"


def describe_arrays(title: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    named = ", ".join(describe_array(name, shape) for name, shape in list(shapes.items())[:8])
    return f"**{title}** · {len(shapes)} arrays: {named}"


def list_obstacles(obstacles: tuple[str, ...]) -> str:
    """All that stands in the way, as a list."""
    said = "What stands in the way:" if len(obstacles) > 1 else "This stands in the way:"
    return said + "\n" + "\n".join(f"- {_make_sentence(each)}" for each in obstacles)


def list_warnings(warnings: tuple[str, ...]) -> str:
    return "Look at this before you trust a score:\n" + "\n".join(
        f"- {clean_text(each)}" for each in warnings
    )


def numbers(review: ReviewedDataset) -> list[tuple[str, str, str]]:
    """(label, value, help) of the page's five numbers."""
    rows = int(review.parts.to_numpy().sum())
    answer = "the most frequent class" if review.task == "classification" else "the mean"
    return [
        ("Rows", format_count(rows), "Rows with a target, in all three parts."),
        ("Numbers a row", format_count(len(review.features)), "What a model is given of each row."),
        (
            "To beat",
            format_score(review.majority, review.task),
            f"Test score of a model that always answers {answer} of the rows that are learnt from.",
        ),
        (
            "Training, at most",
            f"{review.seconds:.0f} s" if review.seconds >= 1 else "under 1 s",
            "Of the network of 256 and 128 units, from one epoch of up to 1,000 rows on this machine.",
        ),
        (
            "Memory",
            format_size(review.bytes),
            "About what the process takes that computes a curve: three times the values beside "
            "its own 450 MB.",
        ),
    ]


def describe_units(review: ReviewedDataset) -> str:
    if not review.zero_one:
        return "Every column is standardised: a weight is per standard deviation."
    return (
        f"{review.zero_one} of {len(review.features)} are 0 or 1 and stay so: under a bound c, going "
        "from no to yes moves the output by at most c, however rare yes is."
    )


def describe_parts(parts: pd.DataFrame) -> str:
    said = ", ".join(f"{int(parts[part].sum()):,} {part}" for part in parts)
    return f"Rows of {len(parts)} classes: {said}" if len(parts) > 1 else f"Rows: {said}"


def _make_sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
