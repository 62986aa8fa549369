"""A table of text: CSV and its relatives, as people save them."""

import codecs
import csv
import io
import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from . import limits
from .limits import Refusal, clean_names

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
NULLS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "?"]
SAMPLE_LINES, SAMPLE_BYTES = 50, 2**18
BLOCK = 4 * limits.LONGEST_LINE
MOST_BROKEN = 0.01  # share of rows of another length that are left out
csv.field_size_limit(limits.LONGEST_LINE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")


def decode_text(raw: bytes) -> tuple[pa.Table, list[str]]:
    """The table, and remarks on how it was read.

    Raises
    ------
    Refusal
    """
    remarks: list[str] = []
    raw = _as_utf8(raw, remarks)
    ends = _find_line_ends(raw)
    delimiter, rows = _split_cells(_read_first_lines(raw))
    names, headed = _read_names(rows, remarks)
    if len(names) > limits.MOST_COLUMNS:
        raise Refusal(
            f"there are {len(names):,} columns, and at most {limits.MOST_COLUMNS:,} can be read: "
            "leave some out"
        )
    cells = len(ends) * len(names)
    if cells > limits.MOST_DECLARED_CELLS:
        raise Refusal(
            f"there are about {len(ends):,} rows of {len(names):,} columns, more than "
            f"{limits.MOST_DECLARED_CELLS:,} cells: leave some out"
        )
    comma = _has_decimal_commas(rows[headed:], delimiter)
    if comma:
        remarks.append("Commas in numbers are read as decimal points.")
    return _parse(raw, delimiter, names, headed, comma, remarks), remarks


def _as_utf8(raw: bytes, remarks: list[str]) -> bytes:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            raw = raw.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise Refusal(
                "the file begins as UTF-16 and does not go on so: save it as UTF-8"
            ) from None
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if b"\0" in raw:
        raise Refusal(
            "the file holds zero bytes, which no text does: save it as CSV (UTF-8) or Parquet"
        )
    if not raw.strip():
        raise Refusal("the file is empty: give a line of names and one line a row")
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(raw), 2**20):
            decoder.decode(raw[start : start + 2**20], start + 2**20 >= len(raw))
    except UnicodeDecodeError:
        remarks.append("The file is no UTF-8: it is read as Windows-1252 (Western European).")
        raw = raw.decode("cp1252", errors="replace").encode()
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")
    return raw


def _find_line_ends(raw: bytes) -> NDArray[np.int64]:
    """Where the lines end; refused where one is too long."""
    blocks = []
    for start in range(0, len(raw), 2**24):
        block = np.frombuffer(raw, np.uint8, min(2**24, len(raw) - start), start)
        blocks.append(np.flatnonzero(block == 10) + start)
    ends = np.append(np.concatenate(blocks), len(raw))
    lengths = np.diff(ends, prepend=-1)
    if lengths.max() > limits.LONGEST_LINE:
        raise Refusal(
            f"line {int(lengths.argmax()) + 1:,} is {lengths.max() / 1e6:.1f} MB long, and at most "
            f"{limits.LONGEST_LINE / 1e6:.1f} MB can be read: is each row on a line of its own?"
        )
    return ends


def _read_first_lines(raw: bytes) -> list[str]:
    head = raw[:SAMPLE_BYTES]
    if len(raw) > len(head):
        head = head[: head.rfind(b"\n") + 1] or raw[: raw.find(b"\n")]
    lines = head.decode("utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip()]


def _split_cells(lines: list[str]) -> tuple[str, list[list[str]]]:
    """The delimiter by which most lines have as many cells as the first, and their cells."""
    best: tuple[tuple[int, int], str, list[list[str]]] | None = None
    for delimiter in DELIMITERS:
        text = io.StringIO("\n".join(lines))
        try:
            read = csv.reader(text, delimiter=delimiter)
            rows = [row for row, _ in zip(read, range(SAMPLE_LINES), strict=False)]
        except csv.Error:
            continue
        width = len(rows[0])
        agreeing = sum(len(row) == width for row in rows) if width > 1 else 0
        value = (agreeing, width)
        if best is None or value > best[0]:
            best = value, delimiter, rows
    if best is None:
        raise Refusal("the first lines cannot be told into cells: save the table as CSV (UTF-8)")
    return best[1], best[2]


def _read_names(rows: list[list[str]], remarks: list[str]) -> tuple[list[str], bool]:
    """The columns' names, and whether the first line holds them."""
    first = rows[0]
    numbers = [cell for cell in first if cell.strip()]
    # Pandas numbers columns like this.
    counted = len(first) > 1 and first == [str(n) for n in range(len(first))]
    if (
        not counted
        and numbers
        and all(_NUMBER.fullmatch(cell.strip().replace(",", ".")) for cell in numbers)
    ):
        remarks.append("The first line holds numbers and no names: the columns are numbered.")
        return [f"column {n}" for n in range(1, len(first) + 1)], False
    widths = {len(row) for row in rows[1:]}
    if widths == {len(first) + 1}:  # R writes files like this
        first = ["row name", *first]
    names, said = clean_names(first)
    remarks += said
    return names, True


def _has_decimal_commas(rows: list[list[str]], delimiter: str) -> bool:
    cells = [cell.strip() for row in rows for cell in row]
    commas = any(map(_DECIMAL_COMMA.fullmatch, cells))
    return delimiter != "," and commas and not any(map(_DECIMAL_POINT.fullmatch, cells))


def _parse(
    raw: bytes, delimiter: str, names: list[str], headed: bool, comma: bool, remarks: list[str]
) -> pa.Table:
    broken: list[tuple[int | None, int]] = []

    def skip(row: arrow_csv.InvalidRow) -> str:
        broken.append((row.number, row.actual_columns))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(raw),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK,
                column_names=names,
                skip_rows_after_names=int(headed),
            ),
            arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=b'"' in raw, invalid_row_handler=skip
            ),
            arrow_csv.ConvertOptions(
                strings_can_be_null=True, null_values=NULLS, decimal_point="," if comma else "."
            ),
        )
    except pa.ArrowInvalid as error:
        raise Refusal(f"the text is no table: {_shorten(error)}") from None
    if headed and broken and broken[0][0] == 1:  # the header has a name too few or too many
        broken = broken[1:]
    if broken:
        number, cells = broken[0]
        seen = f"row {number:,} has" if number else "some rows have"
        if len(broken) > MOST_BROKEN * (table.num_rows + len(broken)):
            raise Refusal(
                f"{seen} {cells} cells and the first line {len(names)} ({len(broken):,} rows like "
                "it): give every row one cell a column, and quote texts that hold the separator"
            )
        remarks.append(
            f"{len(broken):,} rows are left out, since {seen} {cells} cells, not {len(names)}."
        )
    if not table.num_rows:
        raise Refusal("there is a line of names and no row: give one line a row")
    return table


def _shorten(error: Exception) -> str:
    text = " ".join(str(error).split())
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= 160 else text[:157] + "..."
