"""The worker's side: read a file, describe its columns, make it a dataset and look at that."""

import json
from functools import lru_cache
from typing import Any

import pandas as pd

from pages.shared.jobs.report import Report

from .results import DescribedTable, FileFacts, ReviewedDataset


def read_file(report: Report, upload: str, file_name: str) -> FileFacts:
    """Decode an upload in a process of its own."""
    from data import uploads

    report(0, 1, message="in a process of its own")
    facts = uploads.decode(upload, file_name)
    shapes = {name: tuple(shape) for name, shape in facts.get("arrays", {}).items()}
    return FileFacts(
        facts["kind"],
        facts.get("rows", 0),
        facts.get("columns", 0),
        shapes,
        tuple(facts["remarks"]),
    )


@lru_cache(maxsize=1)
def _read_frame(upload: str) -> Any:
    from data import uploads

    return uploads.read(upload).frame


def describe(
    report: Report, upload: str, target: str | None, task: str | None, roles: tuple[str, ...]
) -> DescribedTable:
    """A table's columns; ``roles`` are column and role in turns."""
    import data
    from data.uploads import clean_text

    given = dict(zip(roles[::2], roles[1::2], strict=True))
    table = data.read_table(_read_frame(upload), target, task, given)
    rows = [
        {
            "column": column.name,
            "type": column.content.kind,
            "role": column.role,
            "missing": column.content.missing,
            "distinct": column.content.distinct,
            "example": column.content.example[:60],
            "rule": column.rule,
        }
        for column in table.columns
    ]
    return DescribedTable(
        columns=pd.DataFrame(rows),
        target=table.target,
        task=table.task,
        readings={name: clean_text(reading) for name, reading in table.readings.items()},
        obstacles=tuple(map(clean_text, table.obstacles)),
    )


def review(report: Report, upload: str, choices: str) -> ReviewedDataset:
    """Make the dataset and keep it; ``choices`` as JSON."""
    import data
    from compression.duration import training_seconds
    from data import uploads

    report(0, 3, message="making the dataset")
    name = uploads.keep_dataset(upload, json.loads(choices))
    made = data.load(name)
    report(1, 3, message="looking for what gives the target away")
    facts = data.review(made)
    report(2, 3, message="timing a little training")
    units = made.feature_units or tuple(
        f"one standard deviation ({scale:.3g})" for scale in made.scale
    )
    return ReviewedDataset(
        name=name,
        task=made.task,
        parts=facts.parts.set_axis(list(map(uploads.clean_text, facts.parts.index))),
        features=pd.DataFrame({"number": made.feature_names, "a weight is per": units}),
        zero_one=len(made.zero_one),
        remarks=made.remarks,
        warnings=facts.warnings,
        majority=facts.majority,
        bytes=facts.bytes,
        seconds=training_seconds(made),
    )
