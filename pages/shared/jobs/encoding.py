"""Results as bytes that outlive the process, and back: plain data, never pickled.

What a result may hold: None, numbers, text, bytes, lists, tuples, dictionaries, arrays, tables, and
the project's own dataclasses and named tuples of them. Reading builds just these: bytes that say
anything else are refused.
"""

import dataclasses
import enum
import re
from importlib import import_module
from typing import Any

import msgpack
import numpy as np
import pandas as pd

OWN_CLASS = re.compile(r"(compression|data)\.[\w.]+:[\w.]+|pages\.[\w.]+\.results:[\w.]+")
TUPLE, ARRAY, TABLE, SERIES, OBJECT, INDEX, MEMBER = range(1, 8)
NULLABLE = ("str", "string", "boolean", "Int8", "Int16", "Int32", "Int64", "Float32", "Float64")
MAX_DEPTH = 64


class EncodingError(ValueError):
    """A value that cannot be kept as plain data, or bytes that hold no such value."""


def encode(value: Any) -> bytes:
    """The bytes of a value; raises EncodingError naming a type that cannot be kept."""
    return msgpack.packb(value, default=_to_plain, strict_types=True, use_bin_type=True)


def decode(content: bytes) -> Any:
    """The value again; its arrays are read-only. Raises EncodingError."""
    try:
        return _unpack(content, 0)
    except EncodingError:
        raise
    except Exception as error:
        raise EncodingError(f"no kept value: {error}") from error


def _unpack(content: bytes, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise EncodingError("nested too deeply")
    return msgpack.unpackb(
        content,
        ext_hook=lambda code, data: _from_plain(code, data, depth + 1),
        strict_map_key=False,
        raw=False,
    )


def _to_plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return _extension(MEMBER, (_class_name(type(value)), value.value))
    if isinstance(value, (np.bool_, np.integer, np.floating)):
        return _extension(ARRAY, (value.dtype.str, None, value.tobytes()))
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, pd.DataFrame):
        columns = [value.iloc[:, place] for place in range(value.shape[1])]
        body = (list(value.columns), [_plain_column(each) for each in columns])
        return _extension(TABLE, (*body, value.columns.name, _plain_index(value.index)))
    if isinstance(value, pd.Series):
        return _extension(SERIES, (value.name, _plain_column(value), _plain_index(value.index)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _extension(OBJECT, (_class_name(type(value)), fields))
    if isinstance(value, tuple):
        if hasattr(value, "_asdict"):
            return _extension(OBJECT, (_class_name(type(value)), value._asdict()))
        return _extension(TUPLE, list(value))
    raise EncodingError(f"a {type(value).__name__} cannot be kept")


def _extension(code: int, value: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, encode(list(value)))


def _plain_array(value: np.ndarray) -> msgpack.ExtType:
    if value.dtype.hasobject or value.dtype.names:
        raise EncodingError(f"an array of {value.dtype} cannot be kept")
    return _extension(ARRAY, (value.dtype.str, list(value.shape), value.tobytes()))


def _plain_column(column: pd.Series) -> Any:
    """(dtype, values): text and mixed columns as lists, others as arrays."""
    if isinstance(column.dtype, np.dtype) and not column.dtype.hasobject:
        return [None, column.to_numpy()]
    if isinstance(column.dtype, np.dtype) or column.dtype.name in NULLABLE:
        missing = column.isna()
        values = [None if gone else each for gone, each in zip(missing, column, strict=True)]
        return [str(column.dtype), values]
    raise EncodingError(f"a column of {column.dtype} cannot be kept")


def _plain_index(index: pd.Index) -> Any:
    if isinstance(index, pd.RangeIndex):
        return [index.name, "range", [index.start, index.stop, index.step]]
    if isinstance(index, pd.MultiIndex):
        raise EncodingError("a table with an index of several levels cannot be kept")
    return [index.name, *_plain_column(index.to_series())]


def _class_name(kind: type) -> str:
    name = f"{kind.__module__}:{kind.__qualname__}"
    if not OWN_CLASS.fullmatch(name):
        raise EncodingError(f"a {name} cannot be kept")
    return name


def _from_plain(code: int, data: bytes, depth: int) -> Any:
    parts = _unpack(data, depth)
    if code == TUPLE:
        return tuple(parts)
    if code == ARRAY:
        return _read_array(*parts)
    if code == TABLE:
        names, columns, name, index = parts
        read = _read_index(*index)
        series = [_read_column(column, read) for column in columns]
        table = pd.concat(series, axis=1) if series else pd.DataFrame(index=read)
        table.columns = pd.Index(names, name=name)
        return table
    if code == SERIES:
        name, column, index = parts
        return _read_column(column, _read_index(*index)).rename(name)
    if code == OBJECT:
        kind, fields = parts
        return _find_class(kind, lambda each: dataclasses.is_dataclass(each) or _is_named(each))(
            **fields
        )
    if code == MEMBER:
        kind, value = parts
        return _find_class(kind, lambda each: issubclass(each, enum.Enum))(value)
    raise EncodingError(f"unknown kind {code}")


def _read_array(dtype: str, shape: list[int] | None, content: bytes) -> Any:
    kind = np.dtype(dtype)
    if kind.hasobject:
        raise EncodingError("an array of objects")
    values = np.frombuffer(content, dtype=kind)
    return values[0] if shape is None else values.reshape(shape)


def _read_column(column: Any, index: pd.Index) -> pd.Series:
    dtype, values = column
    if dtype is None:
        return pd.Series(values, index=index)
    if dtype == "object":
        return pd.Series(np.array([*values, None], dtype=object)[:-1], index=index)
    return pd.Series(values, index=index, dtype=dtype)


def _read_index(name: Any, dtype: str | None, values: Any) -> pd.Index:
    if dtype == "range":
        return pd.RangeIndex(*values, name=name)
    return pd.Index(_read_column([dtype, values], pd.RangeIndex(len(values))), name=name)


def _find_class(name: str, allowed: Any) -> type:
    """A class of ours by its name; nothing else can be built."""
    module, _, qualname = name.partition(":")
    if not OWN_CLASS.fullmatch(name):
        raise EncodingError(f"{name!r} is no class of this project")
    attribute: Any = import_module(module)
    for part in qualname.split("."):
        attribute = getattr(attribute, part)
    if not (isinstance(attribute, type) and attribute.__module__ == module and allowed(attribute)):
        raise EncodingError(f"{name!r} is no class of a result")
    return attribute


def _is_named(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")
