"""What a store holds, in words: for people who look, tag and tidy up."""

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd
import sqlalchemy as sql

from .comparison import describe_labels
from .specification import SOURCES, read_curve_settings
from .store import STUDY_FITS, TAGS
from .store import log as store_log
from .study_store import StudyStore

COLUMNS = (
    *("what", "dataset", "model", "seed", "studies", "tags", "status", "sentence"),
    *("seconds", "bytes", "finished_at", "used_at", "host"),
)
SEPARATOR = " | "  # of studies, and of tags
_UPLOAD = re.compile(r"((?:table|file)-[0-9a-z]{6})[0-9a-z]+")


def list_kept(store: StudyStore) -> pd.DataFrame:
    """A row a fit, the newest first; the index is its key.

    Columns: what, dataset, model, seed, studies and tags (joined by ``SEPARATOR``), status, sentence,
    seconds, bytes (of the content; rows of curves count nothing), finished_at, used_at (UTC), host.
    Names of uploads are cut short: the whole name opens one.
    """
    table = store.table()
    studies = _join(store, STUDY_FITS.c.fit, STUDY_FITS.c.study)
    labels: dict[str, str] = {}
    for name in store.list_studies()["name"]:
        labels |= describe_labels(store.read_specification(name) or "")
    facts = [_describe(json.loads(text), labels) for text in table["request"]]
    described = pd.DataFrame(facts, columns=["what", "dataset", "model", "seed"])
    table = table.join(described)
    table["studies"] = table["key"].map(studies).fillna("")
    table["tags"] = table["key"].map(_join(store, TAGS.c.fit, TAGS.c.tag)).fillna("")
    for name in ("finished_at", "used_at"):
        table[name] = pd.to_datetime(table[name], unit="s", utc=True)
    return table.set_index("key")[list(COLUMNS)]


def filter_kept(table: pd.DataFrame, words: str, failed_only: bool = False) -> pd.DataFrame:
    """The rows that hold every one of these words, in any column of texts and whatever the case."""
    texts = ["what", "dataset", "model", "seed", "studies", "tags", "status", "sentence", "host"]
    said = table[texts].astype(str).agg(" ".join, axis=1).str.lower() if len(table) else None
    for word in words.lower().split():
        if said is not None:
            table = table[said.reindex(table.index).str.contains(word, regex=False)]
    return table[table["status"] == "failed"] if failed_only else table


@contextmanager
def collect_damaged() -> Iterator[list[str]]:
    """Names of what stores find damaged and drop meanwhile: the list grows as they read."""
    handler = _DamageCollector()
    store_log.addHandler(handler)
    try:
        yield handler.names
    finally:
        store_log.removeHandler(handler)


class _DamageCollector(logging.Handler):
    """Collects damage from a store's log: readers only get None."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.names: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "is damaged" in str(record.msg):
            self.names.append(record.getMessage())


def _join(store: StudyStore, fit: sql.Column, name: sql.Column) -> dict[str, str]:
    names_of: dict[str, list[str]] = {}
    for key, each in store.read(sql.select(fit, name).order_by(name)):
        names_of.setdefault(key, []).append(each)
    return {key: SEPARATOR.join(names) for key, names in names_of.items()}


def _describe(request: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[str, str, str, str]:
    """What, of which dataset, model and seed; "" where a request does not say."""
    where: Any = request
    if request.get("stage") == "reference":
        what = "reference"
    elif request.get("stage") == "overview":
        what = f"overview of {request['study']}"
    elif "family" in request:
        method = request["settings"].get("method", request["settings"].get("constraint", ""))
        unnamed = f"{request['family']} {method}".replace("_", " ")
        what, where = (
            labels.get(json.dumps(read_curve_settings(request), sort_keys=True), unnamed),
            request["reference"],
        )
    else:
        what = str(request.get("task", "")).rpartition(":")[2].replace("_", " ")
        where = request.get("arguments", {})
    facts = ("" if where.get(name) is None else str(where[name]) for name in ("dataset", "model"))
    dataset, model = (_UPLOAD.sub(r"\1…", fact) for fact in facts)
    fold = f", fold {where['fold']} of {where['folds']}" if "fold" in where else ""
    sources = "".join(f", {each} {where[each]}" for each in SOURCES if each in where)
    return what, dataset, model, f"{where.get('seed', '')}{fold}{sources}"
