"""Which row of a curve is suggested."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compression
from compression.errors import ArgumentError
from compression.suggestion import LOSS_ALLOWED, rank_within, row_within, suggested_row


def curve_table(scores, parameters=None, knobs=None):
    count = len(scores)
    return pd.DataFrame(
        {
            "knob": range(1, count + 1) if knobs is None else knobs,
            "parameters": range(10, 10 + count) if parameters is None else parameters,
            "validation_score": scores,
        }
    )


def test_the_row_within_a_loss_is_that_of_the_smallest_model_that_scores_so():
    table = curve_table([0.5, 0.94, 0.93, np.nan])
    assert row_within(table, 0.95, loss=0.02) == 1
    assert row_within(table, 0.95, loss=0.5) == 0
    assert row_within(table[::-1], 0.95, loss=0.02) == 2
    # The third holds fewer numbers than the second, though its knob is larger.
    assert row_within(table.assign(parameters=[1, 9, 7, 8]), 0.95, loss=0.02) == 2
    # Of models of one size the smallest knob's.
    assert row_within(table.assign(parameters=5)[::-1], 0.95, loss=0.02) == 2
    with pytest.raises(ArgumentError, match=r"the best loses 0\.01"):
        row_within(table, 0.95, loss=0.0)
    for loss in (-1, np.nan):
        with pytest.raises(ArgumentError, match="loss"):
            row_within(table, 0.95, loss)


ROWS = st.lists(
    st.tuples(st.sampled_from([0.5, 0.89, 0.9, np.nan]), st.integers(1, 4)), min_size=1, max_size=6
)


@given(ROWS, st.sampled_from([0.0, 0.01, 0.1]))
def test_no_row_within_the_loss_is_smaller_by_exhaustive_search(rows, loss):
    scores, parameters = zip(*rows, strict=True)
    good = [row for row, score in enumerate(scores) if score >= 0.9 - loss]
    table = curve_table(scores, parameters)
    if good:
        expected = min(good, key=lambda row: (parameters[row], row))
        assert row_within(table, 0.9, loss) == expected
    else:
        with pytest.raises(ArgumentError):
            row_within(table, 0.9, loss)


def test_the_suggestion_loses_a_point_at_most_or_scores_best_where_none_does():
    table = curve_table([0.5, 0.895, 0.91])
    assert suggested_row(table, 0.9) == 1
    assert suggested_row(table, 0.9 + 2 * LOSS_ALLOWED + 0.02) == 2
    assert suggested_row(curve_table([np.nan, 0.3, 0.2]), 0.9) == 1
    assert suggested_row(curve_table([np.nan]), 0.9) == 0


def test_the_rank_within_a_loss_is_the_first_that_validates_so(digits, digits_mlp):
    curve = compression.low_rank_curve(digits_mlp, digits)
    rank = rank_within(curve, 0.02)
    scores = curve.table["validation_score"].to_numpy()
    least = curve.reference["validation_score"] - 0.02
    assert scores[rank - 1] >= least
    assert (scores[: rank - 1] < least).all()
