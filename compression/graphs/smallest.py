"""A person's files, judged; the smallest that loses at most so much: chosen on validation rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..promise import Promise, judge_choice

POINT = 0.01  # of accuracy, or of R²


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """Files of rising size, judged.

    Attributes
    ----------
    table : DataFrame
        row (of the plan), bits (32; 8 and 4: weights rounded with a scale a channel, where the
        graph's opset has that), bytes, parameters, score, score_low, score_high, change, change_low,
        change_high: on test rows, against the model as it came; validation_change: what a size may
        be chosen by. The last row of each number of bits is the model as it came.
    gains : ndarray, shape (files, validation rows)
        What each validation row adds to ``validation_change``: see
        :func:`compression.promise.judge_choice`.
    """

    table: pd.DataFrame
    gains: NDArray


@dataclass(frozen=True, eq=False)
class BoundedCurve:
    """A model at every bound, judged.

    Attributes
    ----------
    scores : ScoreCurve
        Of the refitted models; its ``row`` is a place in ``shares``, the last of them the model as
        it came.
    clipped : DataFrame
        Of the same bounds without a refit, at full precision: row, and the scores of ``scores``.
    layers : DataFrame
        A row a bound and layer: row, layer, bound (c), error (share of its outputs' variance that
        the refitted layer loses), clipped (the same before the refit), duality_gap (in the same
        unit: no weight within the bound loses less by more), certified (that gap is at most 1e-3),
        pinned (share of its numbers at the bound).
    shares : tuple of float
        Of each layer's largest number, ascending.
    """

    scores: ScoreCurve
    clipped: pd.DataFrame
    layers: pd.DataFrame
    shares: tuple[float, ...]

    def line_at(self, row: int, bits: int) -> pd.Series:
        """A bound's scores with so many bits, or as they are where the graph cannot be rounded."""
        table = self.scores.table.query("row == @row")
        in_bits = table[table["bits"] == bits]
        return (in_bits if len(in_bits) else table).iloc[0]

    def first_row(self, bits: int) -> int:
        """Row of the smallest bound that loses at most a point with so many bits."""
        rows = sorted(set(self.layers["row"]))
        changes = [self.line_at(row, bits)["validation_change"] for row in rows]
        return rows[find_within_a_point(changes)]


@dataclass(frozen=True, eq=False)
class FileChoice:
    """One file among many.

    Attributes
    ----------
    line : Series
        Its row of a :class:`ScoreCurve`, with its method and parameters_before, of the model as it
        came; the smallest within the loss.
    promised : Series or None
        The smallest that the validation rows promise.
    promise : Promise
    best : DataFrame
        The smallest within the loss of each method and number of bits, the smallest first.
    """

    line: pd.Series
    promised: pd.Series | None
    promise: Promise
    best: pd.DataFrame


def find_within_a_point(changes: ArrayLike) -> int:
    """Place of the first that loses at most a point on the validation part, else of the last."""
    values = np.asarray(changes)
    enough = np.flatnonzero(values >= -POINT)
    return int(enough[0]) if len(enough) else len(values) - 1


def choose_smallest(
    curves: Mapping[str, ScoreCurve], loss: float, task: str, file_bytes: int
) -> FileChoice | None:
    """The smallest file that loses at most so much on the validation rows.

    Parameters
    ----------
    curves : mapping of str to ScoreCurve
        Method -> its files, all judged on the same rows.
    loss : float
        0.01 is a point of accuracy, or 0.01 of R².
    task : str
        "classification" or "regression".
    file_bytes : int
        Of the model as it came: only smaller files are chosen among.

    Returns
    -------
    FileChoice, or None
        None: no smaller file stays within the loss.
    """
    tables, gains = [], []
    for place, (method, curve) in enumerate(curves.items()):
        table = curve.table
        # All methods give the same file where no layer is replaced: keep the first method's.
        last = table["row"].max() if place else np.inf
        keep = ((table["bytes"] < file_bytes) & (table["row"] < last)).to_numpy()
        before = table["parameters"].iloc[-1]
        tables.append(table[keep].assign(method=method, parameters_before=before))
        gains.append(curve.gains[keep])
    files, gained = pd.concat(tables, ignore_index=True), np.concatenate(gains)
    if not len(files):
        return None
    choice = judge_choice(files["bytes"].to_numpy(float), gained, loss, task)
    if choice is None:
        return None
    within = files[(files["validation_change"] >= -loss - 1e-6)].sort_values("bytes", kind="stable")
    return FileChoice(
        line=files.iloc[choice.chosen],
        promised=None if choice.promised is None else files.iloc[choice.promised],
        promise=choice,
        best=within.drop_duplicates(["method", "bits"]).reset_index(drop=True),
    )
