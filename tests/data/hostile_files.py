"""Files that are wrong, forged or merely unusual, made here: small, and with what should come of them."""

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.lib import format as npy
from pyarrow import parquet

GOOD = pd.DataFrame(
    {
        "length": [1.5, 2.25, 3.0, 4.5] * 10,
        "count": [1, 2, 3, 4] * 10,
        "name": ["Ä b", "c", "d,e", 'f"g'] * 10,
        "when": pd.date_range("2026-01-01", periods=40),
    }
)


def as_csv(frame: pd.DataFrame = GOOD, **options) -> bytes:
    return frame.to_csv(index=False, **options).encode("utf-8")


def as_parquet(table: pd.DataFrame | pa.Table = GOOD, **options) -> bytes:
    out = io.BytesIO()
    table = pa.Table.from_pandas(table) if isinstance(table, pd.DataFrame) else table
    parquet.write_table(table, out, **options)
    return out.getvalue()


def as_npz(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def archive(*members: tuple[str, bytes], **options) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, content in members:
            file.writestr(name, content)
    return out.getvalue()


def npy_of(header: dict | str, body: bytes = b"") -> bytes:
    text = (header if isinstance(header, str) else repr(header)).encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def plain_npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    npy.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def header(shape, descr="<f8", order=False) -> dict:
    return {"descr": descr, "fortran_order": order, "shape": shape}


ARRAYS = as_npz(x=np.arange(12.0).reshape(4, 3), y=np.arange(4))
PARQUET = as_parquet()
THREE = b"a,b,c\n1,2,3\n4,5,6\n"

# name of the file, its bytes, and the words of the sentence that it is refused with
REFUSED: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("a.csv", b"", "is empty"),
    "blanks": ("a.csv", b" \n\n \t\n", "is empty"),
    "a byte order mark alone": ("a.csv", b"\xef\xbb\xbf", "is empty"),
    "names alone": ("a.csv", b"a,b,c\n", "no row"),
    "zero bytes": ("a.csv", b"a,b\n1,\x002\n", "zero bytes"),
    "a program": ("a.csv", b"\x7fELF\x02\x01\x01" + bytes(100), "a program"),
    "a picture": ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(100), "zero bytes"),
    "a PDF": ("a.csv", b"%PDF-1.7\n", "a PDF"),
    "a gzip file": ("a.csv.gz", b"\x1f\x8b\x08\x00" + bytes(20), "gzip"),
    "an old Excel file": ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(100), "Excel"),
    "an Excel file": ("a.xlsx", archive(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "Excel"),
    "a pickle": ("a.pkl", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00cos\nsystem\n", "pickle"),
    "a pickle of another protocol": ("a.npz", b"\x80\x05cos\nsystem\n(S'id'\ntR.", "pickle"),
    "one array": ("a.npy", plain_npy(np.ones(3)), "numpy.savez"),
    "an HDF5 file": ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
    "an Arrow file": ("a.feather", b"ARROW1\x00\x00" + bytes(50), "Arrow file"),
    "text named Parquet": ("a.parquet", THREE, "named .parquet and is none"),
    "text named NPZ": ("a.npz", THREE, "named .npz and is none"),
    "one line of 2 MB": ("a.csv", b"a," * 2**20, "is 2.1 MB long"),
    "a long line in the middle": ("a.csv", b"a,b\n1,2\n" + b"x" * 2**21 + b",3\n", "line 3 is 2.1 MB"),
    "20,000 columns": ("a.csv", b",".join(b"c%d" % n for n in range(20_000)) + b"\n" + b"1," * 19_999 + b"1\n", "20,000 columns"),
    "an open quote": ("a.csv", b'a,b\n1,"2\n' + b"3,4\n" * 60_000, "quote left open"),
    "rows of every length": ("a.csv", b"a,b\n" + b"".join(b"1" + b",2" * n + b"\n" for n in range(30)), "row|cells"),
    "a cell of 200,000 letters": ("a.csv", b"a,b\n1," + b"x" * 200_000 + b"\n2,y\n", "a text of 200,000 bytes"),
    "broken UTF-16": ("a.csv", b"\xff\xfea\x00,\x00b\x00\n\x00\x00\xd8", "UTF-16"),
    "half a Parquet file": ("a.parquet", PARQUET[: len(PARQUET) // 2], "ends before"),
    "a Parquet file without its end": ("a.parquet", PARQUET[:-1], "ends before"),
    "a Parquet file without its middle": ("a.parquet", PARQUET[:100] + PARQUET[-400:], "damaged"),
    "eight letters of Parquet": ("a.parquet", b"PAR1PAR1", "damaged"),
    "a footer of 4 GB": ("a.parquet", PARQUET[:-8] + b"\xff\xff\xff\xffPAR1", "damaged"),
    "a footer of zeros": ("a.parquet", b"PAR1" + bytes(200) + struct.pack("<I", 200) + b"PAR1", "damaged"),
    "encrypted Parquet": ("a.parquet", b"PAR1" + bytes(40) + b"PARE", "ends before"),
    "Parquet without rows": ("a.parquet", as_parquet(GOOD.head(0)), "0 rows"),
    "Parquet without columns": ("a.parquet", as_parquet(pa.table({})), "0 rows|every column"),
    "Parquet of lists": ("a.parquet", as_parquet(pa.table({"a": [[1, 2], [3]]})), "lists or records"),
    "Parquet of bytes": ("a.parquet", as_parquet(pa.table({"a": [b"\x00", b"\xff"]})), "holds bytes"),
    "Parquet of 20,000 columns": ("a.parquet", as_parquet(pa.table({f"c{n}": [1] for n in range(10_100)})), "10,100 columns"),
    "Parquet of a long text": ("a.parquet", as_parquet(pa.table({"a": ["x" * 200_000]})), "a text of 200,000"),
    "half an NPZ file": ("a.npz", ARRAYS[: len(ARRAYS) // 2], "no whole NPZ"),
    "an NPZ file without its beginning": ("a.npz", b"PK" + ARRAYS[60:], "no whole NPZ|damaged|other things"),
    "two letters of NPZ": ("a.npz", b"PK", "no whole NPZ"),
    "a flipped byte in an NPZ file": ("a.npz", ARRAYS[:60] + bytes([ARRAYS[60] ^ 1]) + ARRAYS[61:], "no whole NPZ|damaged|longer"),
    "an empty archive": ("a.npz", archive(), "other things"),
    "an archive of something else": ("a.npz", archive(("../../etc/passwd", b"x")), "other things"),
    "an archive of 200 arrays": ("a.npz", archive(*((f"a{n}.npy", plain_npy(np.ones(1))) for n in range(101))), "101 arrays"),
    "Python objects": ("a.npz", as_npz(x=np.array([1, "a", None], object)), "Python objects"),
    "records": ("a.npz", as_npz(x=np.zeros(3, [("a", "i4"), ("b", "f4")])), "records"),
    "complex numbers": ("a.npz", as_npz(x=np.ones(3, complex)), "complex128"),
    "dates in an array": ("a.npz", as_npz(x=np.zeros(3, "datetime64[s]")), "datetime64"),
    "an array that says it is larger": ("a.npz", archive(("x.npy", npy_of(header((10**9, 10**9)), bytes(8)))), "longer or shorter"),
    "an array that says it is smaller": ("a.npz", archive(("x.npy", npy_of(header((1,)), bytes(80)))), "longer or shorter"),
    "a negative shape": ("a.npz", archive(("x.npy", npy_of(header((-1, 4)), bytes(32)))), "has the shape|damaged"),
    "a shape of 64 axes": ("a.npz", archive(("x.npy", npy_of(header((1,) * 64), bytes(8)))), "has the shape"),
    "a shape that is no number": ("a.npz", archive(("x.npy", npy_of("{'descr': '<f8', 'fortran_order': False, 'shape': ('a',)}"))), "damaged"),
    "a header that is code": ("a.npz", archive(("x.npy", npy_of("__import__('os').system('id')"))), "damaged"),
    "a header of brackets": ("a.npz", archive(("x.npy", npy_of("(" * 9000))), "damaged"),
    "a header of 60 kB": ("a.npz", archive(("x.npy", npy_of(" " * 60_000))), "damaged"),
    "an array of no magic": ("a.npz", archive(("x.npy", b"hello")), "damaged"),
    "an array of version 9": ("a.npz", archive(("x.npy", b"\x93NUMPY\x09\x00" + bytes(20))), "damaged"),
    "a zip bomb": ("a.npz", archive(*((f"x{n}.npy", npy_of(header((2**24,), "|u1"), bytes(2**24))) for n in range(50))), "unpacks to 839 MB"),
}  # fmt: skip


def frame_of(table) -> pd.DataFrame:
    return table.to_pandas()


def column(name: str, values) -> Callable:
    def check(found) -> bool:
        return found[name].to_pylist() == list(values)

    return check


# name of the file, its bytes, and what is true of what was read
READ: dict[str, tuple[str, bytes, Callable]] = {
    "CSV": ("a.csv", as_csv(), lambda t: t["length"].to_pylist() == list(GOOD["length"]) and t["name"].to_pylist() == list(GOOD["name"])),
    "CSV of another ending": ("a.txt", THREE, column("b", [2, 5])),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbf" + THREE, column("a", [1, 4])),
    "UTF-16": ("a.csv", THREE.decode().encode("utf-16"), column("c", [3, 6])),
    "Latin-1": ("a.csv", "name,n\nMüller,1\n".encode("latin-1"), column("name", ["Müller"])),
    "semicolons and decimal commas": ("a.csv", b"a;b\n1,5;2\n2,5;3\n", column("a", [1.5, 2.5])),
    "semicolons and decimal points": ("a.csv", b"a;b\n1.5;2\n2.5;3\n", column("a", [1.5, 2.5])),
    "tabs": ("a.tsv", b"a\tb\n1\t2\n", column("b", [2])),
    "bars": ("a.csv", b"a|b\n1|2\n", column("b", [2])),
    "one column": ("a.csv", b"a\n1\n2\n", column("a", [1, 2])),
    "Windows' line ends": ("a.csv", b"a,b\r\n1,2\r\n", column("b", [2])),
    "an old Macintosh's line ends": ("a.csv", b"a,b\r1,2\r3,4\r", column("b", [2, 4])),
    "no line end at the end": ("a.csv", b"a,b\n1,2", column("b", [2])),
    "a line within quotes": ("a.csv", b'a,b\n"x\ny",2\n', column("a", ["x\ny"])),
    "a line within a name": ("a.csv", b'"a\nz",b\n1,2\n', column("a z", [1])),
    "no names": ("a.csv", b"1,2\n3,4\n", column("column 2", [2, 4])),
    "columns counted from 0": ("a.csv", b"0,1,2\n5,6,7\n", column("1", [6])),
    "a name twice": ("a.csv", b"a,a,a (2)\n1,2,3\n", column("a (3)", [2])),
    "names of nothing": ("a.csv", b"a,,\n1,2,3\n", column("column 3", [3])),
    "row names as R writes them": ("a.csv", b"a,b\nfirst,1,2\nsecond,3,4\n", column("b", [2, 4])),
    "words for what is missing": ("a.csv", b"a,b\n1,NA\n?,2\n", column("a", [1, None])),
    "truth": ("a.csv", b"a,b\ntrue,1\nfalse,2\n", column("a", [True, False])),
    "a last line of something else": ("a.csv", b"a,b\n" + b"1,2\n" * 200 + b"the end\n", column("b", [2] * 200)),
    "a formula and a tag as names": ("a.csv", b"=cmd|' /C calc'!A0,<script>alert(1)</script>\n1,2\n", column("<script>alert(1)</script>", [2])),
    "a name of control letters": ("a.csv", b"a\x1b[31m,b\n1,2\n", column("a [31m", [1])),
    "numbers beyond every integer": ("a.csv", b"a,b\n" + b"9" * 400 + b",1\n1,2\n", lambda t: t.num_rows == 2),
    "Parquet": ("a.parquet", PARQUET, column("count", GOOD["count"])),
    "Parquet of another ending": ("a.bin", PARQUET, column("length", GOOD["length"])),
    "Parquet of categories": ("a.parquet", as_parquet(GOOD.astype({"name": "category"})), column("name", GOOD["name"])),
    "Parquet with a list beside": ("a.parquet", as_parquet(pa.table({"a": [1, 2], "b": [[1], [2]]})), column("a", [1, 2])),
    "Parquet of many groups": ("a.parquet", as_parquet(row_group_size=3), column("count", GOOD["count"])),
    "Parquet of a name twice": ("a.parquet", as_parquet(pa.Table.from_arrays([[1, 2], [3, 4]], ["a", "a"])), column("a (2)", [3, 4])),
    "Parquet of decimals and dates": ("a.parquet", as_parquet(pa.table({"a": pa.array([1, 2]).cast(pa.decimal128(30, 2)), "d": pa.array([0, 1], pa.date32())})), column("a", [1.0, 2.0])),
    "Parquet of an index": ("a.parquet", as_parquet(GOOD.set_index([GOOD.index * 2])), lambda t: t.column_names == list(GOOD)),
    "NPZ": ("a.npz", ARRAYS, lambda a: (a["x"] == np.arange(12.0).reshape(4, 3)).all()),
    "NPZ in columns": ("a.npz", as_npz(x=np.asfortranarray(np.arange(6.0).reshape(2, 3))), lambda a: (a["x"] == np.arange(6.0).reshape(2, 3)).all()),
    "NPZ of labels as text": ("a.npz", as_npz(y=np.array(["a", "é"])), lambda a: a["y"].tolist() == ["a", "é"]),
    "NPZ of an array named file": ("a.npz", archive(("file.npy", plain_npy(np.ones(2)))), lambda a: a["file"].tolist() == [1, 1]),
    "NPZ of nothing": ("a.npz", as_npz(x=np.ones((0, 3))), lambda a: a["x"].shape == (0, 3)),
}  # fmt: skip
