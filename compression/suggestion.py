"""Which row of a curve to suggest: the smallest model that loses no more than is allowed.

Validation scores decide; the test part only reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .argument_checks import check_arguments
from .errors import ArgumentError

if TYPE_CHECKING:
    from .curve import Curve

LOSS_ALLOWED = 0.01
"""Of the validation score: a point of accuracy, 0.01 of R²."""


def row_within(table: pd.DataFrame, reference_score: float, loss: float) -> int:
    """The row of the smallest model whose validation score is within a loss of the reference's.

    Parameters
    ----------
    table : DataFrame
        A curve's: knob, parameters, validation_score, which is not finite where there is none.
    reference_score : float
        Of the uncompressed network, on the same rows.
    loss : float
        >= 0, in the score's unit: 0.01 is one point of accuracy.

    Returns
    -------
    int
        Position of the row with the fewest parameters, of equals the one of the smallest knob.
        Only this row's own score decides, so a larger model may miss it by chance.

    Raises
    ------
    ArgumentError
        No row is that good; the message names the smallest loss that is possible.
    """
    if not loss >= 0:
        raise ArgumentError(f"loss {loss} is not possible: choose a number >= 0")
    scores = _finite_scores(table)
    good = np.flatnonzero(scores >= reference_score - loss)
    if not len(good):
        raise ArgumentError(
            f"nothing scores within {loss:g} of {reference_score:g}: "
            f"the best loses {reference_score - scores.max():g}"
        )
    candidates = table.iloc[good]
    order = np.lexsort((candidates["knob"], candidates["parameters"]))
    return int(good[order[0]])


def suggested_row(table: pd.DataFrame, reference_score: float) -> int:
    """The row of ``row_within`` for ``LOSS_ALLOWED``; where none is, the best validation score's."""
    try:
        return row_within(table, reference_score, LOSS_ALLOWED)
    except ArgumentError:
        return int(_finite_scores(table).argmax())


@check_arguments
def rank_within(curve: Curve, loss: float) -> int:
    """Rank of a curve's smallest model whose validation score is within a loss of the reference's.

    Parameters
    ----------
    curve : Curve
        Of :func:`compression.low_rank_curve`.
    loss : float
        >= 0, in the score's unit: 0.01 is one point of accuracy.

    Raises
    ------
    ArgumentError
        No rank is that good; the message names the smallest loss that is possible.
    """
    row = row_within(curve.table, float(curve.reference["validation_score"]), loss)
    return int(curve.table["knob"].iloc[row])


def _finite_scores(table: pd.DataFrame) -> np.ndarray:
    scores = table["validation_score"].to_numpy(np.float64)
    return np.where(np.isfinite(scores), scores, -np.inf)
