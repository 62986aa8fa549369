"""A long curve begins with few ranks of all sizes, and ends as any other."""

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

import compression
from compression.low_rank import curve as curves
from compression.low_rank.networks import prepare
from compression.training import SampleTensors


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(curves, "LONG_SECONDS", 0)


@pytest.mark.parametrize("method", ["truncated_svd", "activation_aware_svd"])
def test_a_long_curve_ends_as_a_short_one(digits, digits_mlp, method, monkeypatch):
    plain = compression.low_rank_curve(digits_mlp, digits, method)
    monkeypatch.setattr(curves, "LONG_SECONDS", 0)
    found = compression.low_rank_curve(digits_mlp, digits, method)
    assert_frame_equal(found.table, plain.table, atol=1e-5)
    for row in (0, 9, len(found.table) - 1):
        for own, other in zip(
            found.network(row).parameters(), plain.network(row).parameters(), strict=True
        ):
            np.testing.assert_array_equal(own.detach(), other.detach())
        np.testing.assert_array_equal(found.confusion[row], plain.confusion[row])


def test_the_first_twenty_ranks_of_a_long_curve_span_it(digits, digits_mlp, long):
    seen = {}

    def report(done, total, gather):
        seen[done] = gather() if done in (20, 30) else None
        return done < 31

    ended = compression.low_rank_curve(digits_mlp, digits, report=report)
    first = seen[20].table["knob"].tolist()
    all_ranks = prepare(digits_mlp, SampleTensors(digits), "truncated_svd")
    paying = [k for k in range(1, all_ranks.max_rank + 1) if all_ranks.find_compressed(k)]
    assert (first[0], first[-1]) == (1, paying[-1])
    assert np.diff(np.log(first)).max() < 1
    later = seen[30].table["knob"].tolist()
    assert later == sorted(later)
    assert set(first) < set(later)
    assert len(ended.table) == 31


def test_what_is_long_is_told_from_sizes_alone(digits, digits_mlp):
    all_ranks = prepare(digits_mlp, SampleTensors(digits), "truncated_svd")
    ranks = list(range(1, all_ranks.max_rank + 1))
    assert curves.split_passes(all_ranks, ranks, 2_000) == [ranks]
    first, rest = curves.split_passes(all_ranks, ranks, 10**7)
    assert len(first) == 20
    assert sorted(first + rest) == ranks
    assert curves.split_passes(all_ranks, ranks[:30], 10**7) == [ranks[:30]]
    assert curves.split_passes(all_ranks, [{"fc1": 2}], 10**7) == [[{"fc1": 2}]]
