"""Named arrays in an NPZ file: headers first, never a pickle."""

import io
import math
import zipfile
import zlib
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from . import limits
from .limits import Refusal

MAGIC = b"PK"
KINDS = "biufUS"
LONGEST_HEADER = 10_000
READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def decode_arrays(raw: bytes) -> dict[str, np.ndarray]:
    """Every array of the file by its name.

    Raises
    ------
    Refusal
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return _read_members(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError):
        raise Refusal("the file is no whole NPZ archive: write it anew with numpy.savez") from None


def _read_members(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if any(name.startswith(("xl/", "word/", "[Content_Types]")) for name in names):
        raise Refusal("this is an Excel or Office file: save the sheet as CSV (UTF-8)")
    if not members or not all(name.endswith(".npy") for name in names):
        raise Refusal("the archive holds other things than arrays: write it with numpy.savez")
    if len(members) > limits.MOST_MEMBERS:
        raise Refusal(
            f"there are {len(members):,} arrays, and at most {limits.MOST_MEMBERS} can be read"
        )
    if len(set(names)) < len(names):
        raise Refusal("two arrays have the same name: write the file anew with numpy.savez")
    declared = sum(member.file_size for member in members)
    if declared > limits.MOST_UNPACKED:
        raise Refusal(
            f"the file unpacks to {declared / 1e6:,.0f} MB, and at most "
            f"{limits.MOST_UNPACKED / 1e6:,.0f} MB can be read: give fewer rows, or smaller numbers"
        )
    return {_clean(member.filename): _read_array(archive, member) for member in members}


def _clean(name: str) -> str:
    kept = "".join(letter for letter in name.removesuffix(".npy") if letter.isprintable())
    return kept[: limits.LONGEST_NAME] or "unnamed"


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    name = _clean(member.filename)
    with archive.open(member) as file:
        try:
            read_header = READ_HEADER[npy.read_magic(file)]
            shape, fortran, dtype = read_header(file, max_header_size=LONGEST_HEADER)
        except (
            ValueError,
            LookupError,
            SyntaxError,
            TokenError,
            TypeError,
            RecursionError,
            MemoryError,
        ):
            raise Refusal(
                f"the header of the array {name!r} is damaged: write the file anew"
            ) from None
        if dtype.hasobject or dtype.names is not None or dtype.kind not in KINDS:
            raise Refusal(
                f"the array {name!r} holds {_name_kind(dtype)}, which are not read: give numbers, or "
                "labels as text"
            )
        count = _count(name, shape)
        if file.tell() + count * dtype.itemsize != member.file_size:
            raise Refusal(
                f"the array {name!r} is longer or shorter than it says: write the file anew"
            )
        content = file.read()
    values = np.frombuffer(content, dtype, count)
    return values.reshape(shape, order="F" if fortran else "C")


def _count(name: str, shape: Any) -> int:
    good = all(isinstance(axis, int) and axis >= 0 for axis in shape) and len(shape) <= 8
    if not good:
        raise Refusal(f"the array {name!r} has the shape {str(shape)[:60]}: write the file anew")
    return math.prod(shape)


def _name_kind(dtype: np.dtype) -> str:
    if dtype.hasobject:
        return "Python objects"
    return "records" if dtype.names is not None else f"values of the type {str(dtype)[:40]}"
