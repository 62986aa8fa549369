"""Decode one file in a process of its own: ``python -m data.decoding FILE NAME OUT``.

Writes OUT.arrow or OUT.npz, and prints one line of JSON: the kind, rows and remarks, or an error.
"""

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from . import arrays, limits, parquet, text_table
from .limits import Refusal

OTHERS = {
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file: save the sheet as CSV (UTF-8)",
    b"\x93NUMPY": "one array: write inputs and target into one file with numpy.savez",
    b"\x80\x04": "a pickle, which could run code: write CSV, Parquet or NPZ",
    b"\x80\x05": "a pickle, which could run code: write CSV, Parquet or NPZ",
    b"\x89HDF": "an HDF5 file: write CSV, Parquet or NPZ",
    b"%PDF": "a PDF: save the table as CSV (UTF-8)",
    b"ARROW1": "an Arrow file: write Parquet",
    b"\x7fELF": "a program",
}


def decode(raw: bytes, name: str) -> tuple[pa.Table | dict[str, np.ndarray], list[str]]:
    """A table or named arrays, and remarks on how they were read.

    Raises
    ------
    Refusal
    """
    if not raw:
        raise Refusal("the file is empty: give a line of names and one line a row")
    if len(raw) > limits.MOST_BYTES:
        raise Refusal(
            f"the file has {len(raw) / 1e6:,.0f} MB, and at most {limits.MOST_BYTES / 1e6:,.0f} MB "
            "can be read: give fewer rows, or write Parquet"
        )
    for magic, what in OTHERS.items():
        if raw.startswith(magic):
            raise Refusal(f"this is {what}")
    if raw.startswith(arrays.MAGIC):
        return arrays.decode_arrays(raw), []
    if raw.startswith(parquet.MAGIC):
        table, remarks = parquet.decode_parquet(raw)
    else:
        for ending in ("parquet", "npz"):
            if name.lower().endswith(f".{ending}"):
                raise Refusal(
                    f"the file is named .{ending} and is none: it is damaged, or something else"
                )
        table, remarks = text_table.decode_text(raw)
    return _to_plain(table, remarks), remarks


def _to_plain(table: pa.Table, remarks: list[str]) -> pa.Table:
    """Numbers, truth, texts and dates, in the few types that a frame takes as they are."""
    types = pa.types
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = column.type
        if types.is_decimal(kind) or types.is_float16(kind):
            column = column.cast(pa.float64())
        elif types.is_date(kind):
            column = column.cast(pa.timestamp("s" if types.is_date32(kind) else "ms"))
        elif (
            types.is_time(kind)
            or types.is_large_string(kind)
            or types.is_string_view(kind)
            or types.is_null(kind)
        ):
            column = column.cast(pa.string())
        elif (
            types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
        ):
            remarks.append(f"Column {name!r} holds bytes and is left out.")
            continue
        if types.is_string(column.type):
            longest = pa.compute.max(pa.compute.binary_length(column)).as_py() or 0
            if longest > limits.LONGEST_TEXT:
                raise Refusal(
                    f"column {name!r} holds a text of {longest:,} bytes, and at most "
                    f"{limits.LONGEST_TEXT:,} can be read: is a quote left open, or the column no "
                    "feature?"
                )
        columns[name] = column
    if not columns:
        raise Refusal("every column holds bytes: give columns of numbers, texts and dates")
    table = pa.table(columns)
    if table.num_rows * table.num_columns <= limits.MOST_CELLS:
        return table
    rows = np.random.default_rng(0).random(table.num_rows) < limits.MOST_CELLS / (
        table.num_rows * table.num_columns
    )
    remarks.append(f"A random sample of {rows.sum():,} of {table.num_rows:,} rows was read.")
    return table.filter(pa.array(rows))


def write(content: pa.Table | dict[str, np.ndarray], out: str) -> dict[str, Any]:
    """Write what was read, uncompressed; returns facts of it."""
    if isinstance(content, dict):
        with zipfile.ZipFile(f"{out}.npz", "w") as archive:
            for name, array in content.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    npy.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        return {"kind": "arrays", "arrays": {name: list(a.shape) for name, a in content.items()}}
    with pa.OSFile(f"{out}.arrow", "wb") as sink, pa.ipc.new_file(sink, content.schema) as writer:
        writer.write_table(content)
    return {"kind": "table", "rows": content.num_rows, "columns": content.num_columns}


def main(file: str, name: str, out: str) -> dict[str, Any]:
    """What the child prints."""
    import pyarrow.compute  # noqa: F401  (before memory is bounded)

    size = Path(file).stat().st_size
    pa.set_cpu_count(1)
    limits.limit_process(size)
    try:
        if size > limits.MOST_BYTES:
            raise Refusal(
                f"the file has {size / 1e6:,.0f} MB, and at most {limits.MOST_BYTES / 1e6:,.0f} MB can be read"
            )
        content, remarks = decode(Path(file).read_bytes(), name)
        return write(content, out) | {"remarks": remarks}
    except Refusal as refusal:
        return {"error": str(refusal)}
    except (MemoryError, pa.ArrowMemoryError):
        return {
            "error": "reading the file takes more memory than it may: give fewer rows or columns"
        }
    except (pa.ArrowException, ValueError, OverflowError, ArithmeticError, LookupError, TypeError):
        return {"error": "the file is damaged, or of a kind that cannot be read: write it anew"}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
