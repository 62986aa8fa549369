"""What computations have in common is computed once, and known by its content."""

import numpy as np
import pandas as pd
import pytest
import torch

from compression.errors import ArgumentError
from compression.shared_work import SharedWork, compute_once, count_bytes, share_work


@pytest.fixture
def computed():
    return []


@pytest.fixture
def ask(computed):
    """Ask for a result of a size in bytes, which is noted when it is computed."""

    def ask(name, size=0):
        def compute():
            computed.append(name)
            return np.zeros(size, np.uint8)

        return compute_once(("test", name), compute)

    return ask


def test_nothing_is_kept_unless_somebody_shares(ask, computed):
    ask("a")
    ask("a")
    with share_work():
        ask("a")
        ask("a")
    with share_work():
        ask("a")
    assert len(computed) == 4


def test_work_that_is_given_outlives_its_block_and_inner_blocks_share_it(ask, computed):
    work = SharedWork()
    for _ in range(2):
        with share_work(work):
            ask("a")
            with share_work(), share_work(SharedWork()):
                ask("b")
    assert computed == ["a", "b"]


def test_a_decorated_function_shares_within_each_call(ask, computed):
    @share_work()
    def twice():
        ask("a")
        ask("a")

    twice()
    twice()
    assert computed == ["a", "a"]


def test_what_was_used_longest_ago_goes_first(ask, computed):
    work = SharedWork(100)
    with share_work(work):
        for name in "abaca":  # c takes the place of b
            ask(name, 40)
        assert computed == ["a", "b", "c"]
        assert work.bytes == 80
        ask("b", 40)
        assert computed == ["a", "b", "c", "b"]


def test_what_is_too_large_is_handed_out_and_not_kept(ask, computed):
    work = SharedWork(100)
    with share_work(work):
        assert len(ask("large", 101)) == 101
        assert work.bytes == 0
        ask("large", 101)
    assert computed == ["large", "large"]


def test_what_fails_is_not_kept(computed):
    def fail():
        computed.append("failed")
        raise ArgumentError("no")

    with share_work():
        for _ in range(2):
            with pytest.raises(ArgumentError):
                compute_once(("test",), fail)
    assert len(computed) == 2


ZEROS = np.zeros((2, 3))


@pytest.mark.parametrize(
    "other",
    [
        ("test", -ZEROS, None, b"ab"),
        ("test", np.nextafter(ZEROS, 1), None, b"ab"),
        ("test", ZEROS.astype(np.float32), None, b"ab"),
        ("test", ZEROS.reshape(3, 2), None, b"ab"),
        ("test", ZEROS, 0.0, b"ab"),
        ("test", ZEROS, None, b"a"),
        ("test", ZEROS, None, b"", b"ab"),
        ("other", ZEROS, None, b"ab"),
    ],
)
def test_results_are_known_by_every_bit_that_they_depend_on(other):
    with share_work():
        assert compute_once(("test", ZEROS, None, b"ab"), lambda: "one") == "one"
        assert compute_once(other, lambda: "other") == "other"
        again = ("test", np.asfortranarray(ZEROS), None, b"ab")
        assert compute_once(again, lambda: "again") == "one"


def test_bytes_are_counted_wherever_an_object_holds_them():
    class Holder:
        def __init__(self):
            self.numbers = np.zeros(10)
            self.same = self.numbers
            self.itself = self
            files = [b"12345"]
            self.read = files.__getitem__
            tensor = torch.zeros(4)
            self.make = lambda: tensor

    assert count_bytes(Holder()) == 80 + 5 + 16
    assert count_bytes(torch.nn.Linear(2, 3)) == 4 * 9
    assert count_bytes({"part": np.zeros(10)[:1]}) == 80  # all of it stays in memory
    assert count_bytes(pd.DataFrame({"a": [1.0, 2.0], "b": [1, 2]})) == 32
