"""Samples have one hash, and other samples another."""

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pytest

import data
from data.base import Samples
from data.content import hash_values
from tests.processes import print_by_hash_seed

X = np.array([[1.5, -2.0, 0.25], [1e-300, 0.0, 7.0]])
SAMPLES = Samples(x=X, y=np.array([3, 4]), feature_names=("a", "b", "c"), class_names=("n", "y"))


def test_the_hash_is_that_of_the_numbers_bytes():
    written = b"<f8(2, 3)" + struct.pack("<6d", 1.5, -2.0, 0.25, 1e-300, 0.0, 7.0)
    written += b"<i8(2,)" + struct.pack("<2q", 3, 4)
    written += json.dumps([["a", "b", "c"], ["n", "y"], ["", ""]]).encode()
    assert hash_values(SAMPLES) == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize(
    "x", [np.asfortranarray(X), X.astype(">f8"), np.repeat(X, 2, axis=0)[::2], X.tolist()]
)
def test_how_numbers_lie_in_memory_does_not_matter(x):
    assert hash_values(replace(SAMPLES, x=x)) == hash_values(SAMPLES)


def change(row, column, value):
    x = X.copy()
    x[row, column] = value
    return x


@pytest.mark.parametrize(
    "other",
    [
        {"x": change(0, 0, np.nextafter(1.5, 2))},
        {"x": change(1, 1, -0.0)},
        {"x": X.reshape(2, 3, 1)},
        {"x": X.astype(np.float32)},
        {"x": X[::-1]},
        {"y": np.array([3, 5])},
        {"y": np.array(["3", "4"])},
        {"feature_names": ("a", "b", "d")},
        {"class_names": ("n", "yes")},
        {"target_name": "n"},
        {"target_unit": "n"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_samples_have_another_hash(other):
    assert hash_values(replace(SAMPLES, **other)) != hash_values(SAMPLES)


def test_labels_of_any_kind_are_hashed():
    texts = {hash_values(replace(SAMPLES, y=np.array(y))) for y in (["p", "q"], ["p", "r"])}
    objects = hash_values(replace(SAMPLES, y=np.array(["p", "q"], dtype=object)))
    assert objects in texts
    assert len(texts) == 2


def test_a_dataset_s_hash_is_that_of_its_raw_samples_and_no_two_share_one():
    hashes = {name: data.hash_samples(name) for name in data.DATASETS}
    assert len(set(hashes.values())) == len(data.DATASETS)
    for name in ("iris", "planted"):
        assert hashes[name] == hash_values(data.DATASETS[name].samples())


def test_an_upload_s_name_is_its_hash_and_nobody_else_has_one():
    name = "table-" + 20 * "0"
    assert data.hash_samples(name) == name
    with pytest.raises(data.DatasetError, match="no dataset named 'irises'"):
        data.hash_samples("irises")


def test_processes_agree_whatever_the_seed_of_their_hashes():
    program = "import data; print([data.hash_samples(n) for n in ('iris', 'synthetic', 'mnist1d')])"
    said = print_by_hash_seed(program)
    assert said == {f"{[data.hash_samples(n) for n in ('iris', 'synthetic', 'mnist1d')]}\n"}
