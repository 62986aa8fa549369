"""A study as one HTML file to send: what it asked, what it found, and how sure that is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

import data
from compression.catalog import MODELS
from compression.html_page import Markup, build_page, build_table, escape_text

from .comparison import changes_at_shares, compare_all
from .overview import read_budgets
from .rank_choice import choose_ranks
from .specification import HELD, SOURCES, name_share
from .version import LIBRARIES

WIDTH, HEIGHT, EDGE = 220, 18, 8  # pixels of an interval's picture
HOW = (
    "Of each curve and seed the row counts that is best on validation among those that fit the size; "
    "the test set only reports. Intervals are 95 %, Student's over seeds with Nadeau and Bengio's "
    "correction for rows that different splits share; p is adjusted by Holm over the pairs of a size "
    "and comparison, and a difference with p of 0.05 or more is called a tie."
)


def build_report(table: pd.DataFrame, specification: str, failed: pd.DataFrame) -> str:
    """The report's HTML: it opens without a network and holds no script.

    Parameters
    ----------
    table, failed : DataFrame
        As ``table`` and ``failures`` give them.
    specification : str
        The study's JSON, as the store keeps it.
    """
    study = json.loads(specification)
    budgets = read_budgets(specification)
    changes, compared = changes_at_shares(table, budgets), compare_all(table, budgets)
    parts = [f'<p class="verdict">{escape_text(_describe(study, table, failed))}</p>']
    for dataset, model in table[["dataset", "model"]].drop_duplicates().to_numpy():
        here = [
            each[(each["dataset"] == dataset) & (each["model"] == model)]
            for each in (changes, compared)
        ]
        parts += _write_pair(dataset, model, *here)
    parts += _rank_parts(choose_ranks(table))
    if len(failed):
        names = ("dataset", "model", "seed", "label", "sentence")
        parts += ["<h2>Fits that failed</h2>", build_table(names, failed[list(names)].to_numpy())]
    parts += [f"<p>{escape_text(HOW)}</p>", f"<p>{escape_text(_describe_origin())}</p>"]
    return build_page(f"Study: {study['name']}", parts)


def _describe(study: Mapping[str, Any], table: pd.DataFrame, failed: pd.DataFrame) -> str:
    vary = study.get("vary", SOURCES)
    constant = [each for each in SOURCES if each not in vary]
    folds = f", {study['folds']} folds each" if study.get("folds") else ""
    rest = f" ({' and '.join(constant)} as seed {HELD} has them)" if constant else ""
    return (
        f"Datasets: {', '.join(study['datasets'])}. Models: {', '.join(study['models'])}. "
        f"{len(study['seeds'])} seeds{folds}; a seed chooses {', '.join(vary)}{rest}. "
        f"{len(study['curves'])} curves, of which {len(table):,} rows are there; {len(failed):,} "
        "fits failed."
    )


def _write_pair(
    dataset: str, model: str, changes: pd.DataFrame, compared: pd.DataFrame
) -> Iterator[str]:
    """A pair's changes against its reference, with pictures on one axis, and its comparisons."""
    try:
        entry = data.find(dataset)
        title, task = entry.title, entry.task
    except data.DatasetError:  # the upload is no longer kept
        title, task = dataset, ""
    kinds = {"classification": (100.0, "points", 2), "regression": (1.0, "R²", 4)}
    scale, unit, digits = kinds.get(task, (1.0, "of the score", 4))
    yield f"<h2>{escape_text(f'{title}, {MODELS[model].title}')}</h2>"
    if not len(changes):
        yield "<p>No row of any curve is as small as the largest size asked for.</p>"
        return
    ends = scale * changes[["mean", "low", "high"]].to_numpy(float)
    axis = (min(np.nanmin(ends), 0.0), max(np.nanmax(ends), 0.0))
    yield build_table(
        ("curve", "share of the bytes", f"change ({unit})", "from", "to", "seeds", ""),
        [
            (line["label"], name_share(line["share"]), *_format_signed(values, digits), line["seeds"],
             _draw(values, axis))
            for line, values in zip(changes.to_dict("records"), ends, strict=True)
        ],
    )  # fmt: skip
    once = compared[compared["label"] < compared["against"]]  # each pair of curves once
    if len(once):
        difference = f"difference ({unit})"
        yield build_table(
            ("curve", "against", "share of the bytes", difference, "from", "to", "p", ""),
            [
                (line["label"], line["against"], name_share(line["share"]),
                 *_format_signed([scale * line[each] for each in ("mean", "low", "high")], digits),
                 f"{line['probability']:.2g}", line["verdict"])
                for line in once.to_dict("records")
            ],
        )  # fmt: skip


def _rank_parts(ranks: pd.DataFrame) -> Iterator[str]:
    chosen = ranks[ranks["chosen"]]
    if not len(chosen):
        return
    yield "<h2>Which rank?</h2>"
    yield "<p>The smallest whose mean validation score is within one standard error of the best.</p>"
    yield build_table(
        ("dataset", "model", "curve", "bits", "rank", "validation score", "standard error", "splits"),
        [
            (*(line[each] for each in ("dataset", "model", "label")), f"{line['bits']:g}",
             line["rank"], f"{line['mean']:.4f}", f"{line['error']:.4f}", line["splits"])
            for line in chosen.to_dict("records")
        ],
    )  # fmt: skip


def _format_signed(values: Sequence[float], digits: int) -> list[str]:
    return ["–" if np.isnan(value) else f"{value:+.{digits}f}" for value in values]


def _draw(values: Sequence[float], axis: tuple[float, float]) -> Markup:
    """A point and its interval, beside the line of no change; the table's cells say the numbers."""
    first, last = axis

    def x(value: float) -> str:
        share = (value - first) / (last - first) if last > first else 0.5
        return f"{EDGE + share * (WIDTH - 2 * EDGE):.1f}"

    mean, low, high = values
    bar = "" if np.isnan(low) else (
        f'<line x1="{x(low)}" x2="{x(high)}" y1="9" y2="9" stroke="#0072b2" stroke-width="3"/>'
    )  # fmt: skip
    return Markup(
        f'<svg width="{WIDTH}" height="{HEIGHT}" aria-hidden="true"><line x1="{x(0)}" x2="{x(0)}" '
        f'y1="0" y2="{HEIGHT}" stroke="currentColor" stroke-dasharray="3 3"/>{bar}'
        f'<circle cx="{x(mean)}" cy="9" r="5" fill="#0072b2"/></svg>'
    )


def _describe_origin() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"Written on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; with {libraries}."
