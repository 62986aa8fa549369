"""A table in Parquet, read a few rows at a time."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from . import limits
from .limits import Refusal, clean_names

BATCH = 65_536
MAGIC = b"PAR1"


def decode_parquet(raw: bytes) -> tuple[pa.Table, list[str]]:
    """The table, of too many cells a sample of rows, and remarks.

    Raises
    ------
    Refusal
    """
    if not (raw.startswith(MAGIC) and raw.endswith(MAGIC)):
        raise Refusal("the file ends before a Parquet file does: it was not written or sent whole")
    try:
        file = parquet.ParquetFile(pa.BufferReader(raw))
        return _read(file)
    except Refusal:
        raise
    except (pa.ArrowException, OSError, ValueError, OverflowError, NotImplementedError):
        raise Refusal(
            "the Parquet file is damaged or of a kind that cannot be read: write it anew"
        ) from None


def _read(file: Any) -> tuple[pa.Table, list[str]]:
    facts = file.metadata
    rows, groups = facts.num_rows, facts.num_row_groups
    schema = file.schema_arrow
    if len(schema) > limits.MOST_COLUMNS:
        raise Refusal(
            f"there are {len(schema):,} columns, and at most {limits.MOST_COLUMNS:,} can be read: "
            "leave some out"
        )
    if rows <= 0 or groups > limits.MOST_ROW_GROUPS:
        raise Refusal(f"there are {rows:,} rows in {groups:,} groups: write the table anew")
    plain = [n for n, field in enumerate(schema) if not pa.types.is_nested(field.type)]
    if not plain:
        raise Refusal(
            "every column holds lists or records: give columns of numbers, texts and dates"
        )
    if rows * len(plain) > limits.MOST_DECLARED_CELLS:
        raise Refusal(
            f"there are {rows:,} rows of {len(plain):,} columns, more than "
            f"{limits.MOST_DECLARED_CELLS:,} cells: leave some out"
        )
    remarks = []
    if len(plain) < len(schema):
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        remarks.append(
            f"{len(nested)} columns that hold lists or records are left out, {nested[0]!r} the first."
        )
    table, sampled = _read_batches(file, schema, plain, rows)
    remarks += sampled
    names, said = clean_names(table.column_names)
    keep = [n for n, name in enumerate(names) if not name.startswith("__index_level_")]
    table = table.rename_columns(names).select(keep or list(range(len(names))))
    return table, remarks + said


def _read_batches(
    file: Any, schema: pa.Schema, plain: list[int], rows: int
) -> tuple[pa.Table, list[str]]:
    names = [schema[n].name for n in plain]
    columns = None if len(plain) == len(schema) else names
    batch = max(1, min(BATCH, 4_000_000 // len(plain)))
    random = np.random.default_rng(0)
    share = limits.MOST_CELLS / (rows * len(plain))
    kept: list[pa.RecordBatch] = []
    seen = 0
    for part in file.iter_batches(batch_size=batch, columns=columns, use_threads=False):
        seen += part.num_rows
        if share < 1:
            part = part.filter(pa.array(random.random(part.num_rows) < share))
        kept.append(part)
    if seen != rows:
        raise Refusal(f"the file says {rows:,} rows and holds {seen:,}: write it anew")
    table = pa.Table.from_batches(kept)
    if share >= 1:
        return table, []
    return table, [f"A random sample of {table.num_rows:,} of {rows:,} rows was read."]
