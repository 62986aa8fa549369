"""What is shown of a study: computed once for what is done of it, kept beside it, then looked up.

A table of a million rows takes seconds to read, and what is shown of it a few kB: whoever comes
next, another process too, finds these.
"""

import hashlib
import zipfile
from dataclasses import dataclass, fields
from io import BytesIO

import numpy as np
import pandas as pd

from .comparison import FACTS, WORDS, changes_at_shares, compare_all, read_rows
from .rank_choice import choose_ranks
from .store import identify
from .study_store import StudyStore
from .version import code_version

SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)  # of the reference's measured bytes
SAMPLE = 3000  # rows at most that a picture of all of them draws
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
        As ``changes_at_shares`` and ``compare_all`` give them, at ``SHARES``.
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
    ranks: pd.DataFrame
    sample: pd.DataFrame
    times: pd.DataFrame
    facts: pd.DataFrame


def read_overview(store: StudyStore, name: str) -> Overview:
    """The overview of what is done of a study; raises ArgumentError where there is none."""
    done = sorted(store.done(name))
    request = {
        "stage": STAGE,
        "study": name,
        "fits": hashlib.sha256("".join(done).encode()).hexdigest(),
        "version": code_version("compression/studies"),
    }
    kept = store.get(request)
    if kept is not None and kept.content is not None:
        return _unpack(kept.content)
    made = compute_overview(store, name)
    store.put(request, _pack(made), name=f"{STAGE} {name}")
    store.delete(set(store.table(f"{STAGE} {name}")["key"]) - {identify(request)})
    return made


def compute_overview(store: StudyStore, name: str) -> Overview:
    """As ``read_overview``, neither looked up nor kept: for a study that goes on."""
    rows = read_rows(store, name, _READ)
    curves = rows[rows["family"] != "reference"]
    drawn = np.unique(np.linspace(0, max(len(curves) - 1, 0), SAMPLE).round().astype(int))
    sample = curves.iloc[drawn[: len(curves)]].assign(
        change=lambda each: each["score"] - each["reference_score"]
    )
    told = [*FACTS, "knob", "share", "validation_score", "score", "change"]
    return Overview(
        changes_at_shares(rows, SHARES),
        compare_all(rows, SHARES),
        choose_ranks(rows),
        _plain(sample[told]),
        _times(store, name, rows),
        pd.DataFrame({"rows": [len(rows)], "curves": [len(curves)]}),
    )


def _times(store: StudyStore, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    fits = store.study_fits(name).set_index("key")["seconds"]
    own = _plain(rows.drop_duplicates("fit")[[*FACTS, "reference_bytes", "fit"]])
    own["seconds"] = fits.reindex(own["fit"]).to_numpy(float)
    grouped = own.groupby(["dataset", "model", "label"])
    found = grouped.agg(fits=("seconds", "count"), reference_bytes=("reference_bytes", "mean"))
    for column, share in {"seconds": 0.5, "low": 0.25, "high": 0.75}.items():
        found[column] = grouped["seconds"].quantile(share)
    return found.reset_index()


def _plain(table: pd.DataFrame) -> pd.DataFrame:
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
