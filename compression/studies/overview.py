"""What is shown of a study: computed once for what is done of it, kept beside it, then looked up.

A table of a million rows takes seconds to read, and what is shown of it a few kB: whoever comes
next, another process too, finds these.
"""

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sql

from .comparison import FACTS, WORDS, changes_at_shares, compare_all, find_leading_rows, read_rows
from .rank_choice import choose_ranks
from .specification import SHARES
from .store import FITS, STUDY_FITS, identify
from .study_store import FinishedFits, StudyStore
from .version import code_version

SIZES = tuple(2 ** (-step / 4) for step in range(29))  # shares from 1 to 1/128, for curves
SAMPLE = 50_000  # most rows that a picture of all rows draws
LARGE = 100_000  # rows; a smaller overview takes less than a second, and its page waits for it
STAGE = "overview"
_READ = (
    *("knob", "bits", "bytes", "validation_score", "score"),
    *("train_rows", "validation_rows", "test_rows"),
)


@dataclass(frozen=True, eq=False)
class Overview:
    """What is shown of a study.

    Attributes
    ----------
    changes, comparisons : DataFrame
        As ``changes_at_shares`` and ``compare_all`` give them, at the study's budgets.
    curves : DataFrame
        The changes at ``SIZES``, of each label those at which every seed has a row that fits.
    ranks : DataFrame
        As ``choose_ranks`` gives it.
    sample : DataFrame
        All curves' rows, or ``SAMPLE`` of them at even distances: dataset, model, seed, fold,
        family, label, knob, share, validation_score, score, change (against the reference).
    times : DataFrame
        A row a dataset, model and label: fits, seconds (median), low, high (quartiles),
        reference_bytes (mean).
    facts : DataFrame
        One row: rows, curves' rows among them.
    """

    changes: pd.DataFrame
    comparisons: pd.DataFrame
    curves: pd.DataFrame
    ranks: pd.DataFrame
    sample: pd.DataFrame
    times: pd.DataFrame
    facts: pd.DataFrame


def read_overview(store: StudyStore, name: str) -> Overview:
    """The overview of what is done of a study; raises ArgumentError where there is none."""
    request = _ask(store, name)
    kept = store.get(request)
    if kept is not None and kept.content is not None:
        return _unpack(kept.content)
    made = compute_overview(store, name)
    store.put(request, _pack(made), name=f"{STAGE} {name}")
    store.delete(set(store.table(f"{STAGE} {name}")["key"]) - {identify(request)})
    return made


def keep_large_overview(store: StudyStore, name: str, fits: FinishedFits | None = None) -> None:
    """Keep the overview of a study whose page would wait for it; ``fits``: if they are counted."""
    is_kept = bool(store.find_over([identify(_ask(store, name, fits))]))
    if not is_kept and store.count_rows(name) >= LARGE:
        read_overview(store, name)


def _ask(store: StudyStore, name: str, fits: FinishedFits | None = None) -> dict[str, Any]:
    """The request of an overview, made of what it depends on.

    That is names and budgets, and the fits that are over: these are counted and not read, which
    takes longer than to look the overview up. Fits by other code have other keys, and are others.
    """
    return {
        "stage": STAGE,
        "study": name,
        "specification": hashlib.sha256(
            (store.read_specification(name) or "").encode()
        ).hexdigest(),
        "fits": asdict(fits or store.count_over(name)),
        "version": code_version("compression/studies"),
    }


def read_budgets(specification: str) -> tuple[float, ...]:
    """The sizes at which a study's curves are judged, of its JSON."""
    return tuple(json.loads(specification).get("budgets", SHARES))


def compute_overview(store: StudyStore, name: str) -> Overview:
    """As ``read_overview``, neither looked up nor kept: for a study that goes on."""
    rows = read_rows(store, name, _READ)
    curves = rows[rows["family"] != "reference"]
    drawn = np.unique(np.linspace(0, max(len(curves) - 1, 0), SAMPLE).round().astype(int))
    sample = curves.iloc[drawn[: len(curves)]].assign(
        change=lambda each: each["score"] - each["reference_score"]
    )
    columns = [*FACTS, "knob", "share", "validation_score", "score", "change"]
    budgets, leading = read_budgets(store.read_specification(name) or "{}"), find_leading_rows(rows)
    return Overview(
        changes_at_shares(leading, budgets),
        compare_all(leading, budgets),
        trace_curves(leading),
        choose_ranks(rows),
        _to_plain(sample[columns]),
        _tabulate_times(store, name, rows),
        pd.DataFrame({"rows": [len(rows)], "curves": [len(curves)]}),
    )


def trace_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Change by size, only where every seed has a row so small: means over other seeds differ."""
    changes = changes_at_shares(rows, SIZES)
    every = changes.groupby(["dataset", "model", "label"])["seeds"].transform("max")
    return changes[changes["seeds"] == every].reset_index(drop=True)


def _tabulate_times(store: StudyStore, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    query = sql.select(FITS.c.key, FITS.c.seconds).join(STUDY_FITS, STUDY_FITS.c.fit == FITS.c.key)
    fits = pd.Series(dict(store.read_plain(query.where(STUDY_FITS.c.study == name))), dtype=float)
    fit_rows = _to_plain(rows.drop_duplicates("fit")[[*FACTS, "reference_bytes", "fit"]])
    fit_rows["seconds"] = fits.reindex(fit_rows["fit"]).to_numpy(float)
    grouped = fit_rows.groupby(["dataset", "model", "label"])
    times = grouped.agg(fits=("seconds", "count"), reference_bytes=("reference_bytes", "mean"))
    for column, share in {"seconds": 0.5, "low": 0.25, "high": 0.75}.items():
        times[column] = grouped["seconds"].quantile(share)
    return times.reset_index()


def _to_plain(table: pd.DataFrame) -> pd.DataFrame:
    words = {each: "str" for each in (*WORDS, "fit") if each in table}
    return table.astype(words).reset_index(drop=True)


def _pack(overview: Overview) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for field in fields(overview):
            table = getattr(overview, field.name)
            archive.writestr(zipfile.ZipInfo(field.name), table.to_parquet(index=False))
    return packed.getvalue()


def _unpack(content: bytes) -> Overview:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return Overview(
            *(pd.read_parquet(BytesIO(archive.read(each.name))) for each in fields(Overview))
        )
