"""Kept results come back as they were, and no bytes build anything else."""

import math

import msgpack
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compression.weight_states import WeightState
from pages.shared.jobs.encoding import EncodingError, decode, encode
from pages.shared.models.results import CurveView, Layer

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers(0, 9), inner)
    ),
    max_leaves=8,
)
NUMBERS = st.sampled_from(["?", "i1", "u2", "<i8", "<f4", "<f8"])


def same(left, right):
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        return all(same(left[name], right[name]) for name in left)
    if isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        return all(same(*pair) for pair in zip(left, right, strict=True))
    return left == right or (math.isnan(left) and math.isnan(right))


@settings(max_examples=30, deadline=None)
@given(PLAIN)
def test_plain_values_come_back_with_their_types(value):
    assert same(decode(encode(value)), value)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(NUMBERS.map(np.dtype), arrays.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back_bit_for_bit_and_read_only(value):
    back = decode(encode({"values": value}))["values"]
    assert back.dtype == value.dtype
    assert back.shape == value.shape
    assert back.tobytes() == value.tobytes()
    assert not back.flags.writeable


def test_tables_come_back_with_their_columns_and_index():
    table = pd.DataFrame(
        {
            "knob": [1, 2],
            "score": [0.5, math.nan],
            "certified": [True, False],
            "text": ["a", None],
            3: [1.5, 2.5],
        },
        index=pd.Index(["x", "y"], name="row"),
    )
    table["mixed"] = pd.Series([(1, 2), None], dtype=object, index=table.index)
    table["count"] = pd.array([3, None], dtype="Int64")
    pd.testing.assert_frame_equal(decode(encode(table)), table)
    pd.testing.assert_series_equal(decode(encode(table["score"])), table["score"])
    pd.testing.assert_frame_equal(decode(encode(table.reset_index())), table.reset_index())
    pd.testing.assert_frame_equal(decode(encode(table[[]])), table[[]])


def test_a_curve_comes_back_as_a_curve():
    view = CurveView(
        "rank k",
        "truncated_svd",
        pd.DataFrame({"knob": [1, 2]}),
        pd.Series({"score": 0.5}),
        np.zeros((2, 3), np.uint8),
        np.zeros((2, 4), np.int8),
        [None, np.eye(2, dtype=np.int64)],
        {"fc1": np.ones(3)},
        {"fc1": {"k*": 3}},
        1,
        (b"one", b"two"),
    )
    back = decode(encode(view))
    assert isinstance(back, CurveView)
    assert back.files == view.files
    assert back.suggestion == 2
    assert back.confusion[0] is None
    np.testing.assert_array_equal(back.confusion[1], np.eye(2))


def test_members_of_an_enum_and_numpy_scalars_come_back():
    member = next(iter(WeightState))
    assert decode(encode(member)) is member
    assert decode(encode(np.float32(0.1))).dtype == np.float32


@pytest.mark.parametrize(
    "value", [object(), np.array([None]), {1, 2}, slice(3), len, Layer, np.zeros(2, "i4,f4")]
)
def test_what_is_no_plain_data_is_refused(value):
    with pytest.raises(EncodingError, match="cannot be kept"):
        encode(value)


def forge(name, fields):
    """Bytes that ask for an object of a class."""
    return msgpack.packb(msgpack.ExtType(5, msgpack.packb([name, fields])))


@pytest.mark.parametrize(
    "name",
    [
        "subprocess:Popen",
        "os:system",
        "builtins:eval",
        "pages.compare:anything",
        "pages.shared.jobs.pool:Pool",
        "compression.studies.store:Store",
        "compression.nowhere:Thing",
        "pages.shared.models.results:np.ndarray",
        "data:load",
        "",
    ],
)
def test_no_bytes_build_anything_but_results(name):
    with pytest.raises(EncodingError):
        decode(forge(name, {"args": ["true"]}))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_bytes_are_read_as_something_or_refused(data):
    good = bytearray(encode({"a": (1, np.arange(3.0)), "b": pd.Series([1, 2])}))
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(good))
    except EncodingError:
        return


def test_deep_nesting_is_refused():
    content = msgpack.packb(1)
    for _ in range(200):
        content = msgpack.packb(msgpack.ExtType(1, content))
    with pytest.raises(EncodingError):
        decode(content)
