"""Every choice that was computed in one table: who is undominated, and who fulfils a wish."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from compression.pareto import Nearest, Wish, best_rows, nearest_to, pareto_front

POINT = 0.01  # of score: a point of accuracy, a hundredth of R²
KILO = 1000  # bytes
MILLI, MICRO = 1e3, 1e6  # in a second
COSTS = ("bytes", "parameters", "macs")
BATCHES = (1, 256)
EPOCHS = 3  # passes over the training rows for each network that is trained on
REFERENCE, DENSE = "reference", "constrained"  # architectures; the second is dense at run time
_SAME = [*COSTS, "validation_score", "score"]
_KEPT = [
    "knob",
    *COSTS,
    *(f"validation_{part}" for part in ("score", "low", "high")),
    *("score", "score_low", "score_high", "change", "change_low", "change_high"),
]


@dataclass(frozen=True, eq=False)
class Series:
    """The choices of one method.

    Attributes
    ----------
    name, title : str
    family : str
        "low_rank", "constrained", "combined", or "baseline".
    table : DataFrame
        A curve's, as far as it is there.
    choices : list of str
        What tells its rows apart: "rank 12".
    architectures : list of str
        Rows with the same one take the same time.
    page : str
        Where its rows can be looked at.
    queries : list of dict
        For each row what to add to that page's URL.
    """

    name: str
    title: str
    family: str
    table: pd.DataFrame
    choices: Sequence[str]
    architectures: Sequence[str]
    page: str
    queries: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, eq=False)
class Measured:
    """How long networks take.

    Attributes
    ----------
    table : DataFrame
        As ``compression.latency`` has it; ``model`` is an architecture.
    ranks : DataFrame
        One row a rank and batch: rank, batch, ratio, ratio_low, ratio_high (how many times
        faster than the reference), counted (how many times fewer MACs).
    break_even : dict
        (batch, "measured" or "counted") -> the largest of the ranks up to which low rank is
        faster, beyond doubt or by its MACs; None: it never is.
    """

    table: pd.DataFrame
    ranks: pd.DataFrame
    break_even: dict[tuple[int, str], float | None]


def everything(reference: pd.Series, series: Sequence[Series]) -> pd.DataFrame:
    """The reference, then one row a choice: its name (``id``), who made it, costs, scores.

    Of rows of one series that cost the same and score the same only the first stays, and none
    that is the reference: with a rank from the break-even on a network stays as it is.
    """
    tables, names = [], []
    for one in (_reference(reference), *series):
        numbers = one.table[_KEPT].to_numpy(np.float64)
        same = numbers[:, [_KEPT.index(column) for column in _SAME]]
        rows = np.sort(np.unique(same, axis=0, return_index=True)[1])
        if one.family != "baseline":
            rows = rows[(same[rows] != reference[_SAME].to_numpy(np.float64)).any(axis=1)]
        tables.append(numbers[rows])
        names += [
            {
                "id": f"{one.name}: {one.choices[row]}",
                "series": one.name,
                "method": one.title,
                "family": one.family,
                "choice": one.choices[row],
                "architecture": one.architectures[row],
                "page": one.page,
                "query": one.queries[row] if one.queries else {},
                "place": row,
            }
            for row in rows.tolist()
        ]
    table = pd.DataFrame(np.concatenate(tables), columns=_KEPT)
    return pd.concat([table, pd.DataFrame(names)], axis=1)


def architecture(rank: int) -> str:
    """Of the network whose linear layers have this rank, whatever the method."""
    return f"rank {rank}"


def _reference(line: pd.Series) -> Series:
    """A series of one row: what it dominates is no answer."""
    # Nothing of itself is lost, which sums of rounded numbers do not say of an R².
    table = line[_KEPT].to_frame().T.assign(change=0.0, change_low=0.0, change_high=0.0)
    page = "pages/train.py"
    return Series("reference", "Reference", "baseline", table, ["as trained"], [REFERENCE], page)


def with_latency(table: pd.DataFrame, measured: Measured | None) -> pd.DataFrame:
    """The rows with their architecture's time a call in ms, ``latency_1`` for a batch of 1.

    NaN where it was not measured. A time that cannot be told from the reference's, by the 95 %
    interval of their ratio and by ``grain``, is the reference's: else noise would choose.
    """
    for batch in BATCHES if measured is not None else ():
        found = measured.table[measured.table["batch"] == batch].set_index("model")
        finest = grain(measured.table, batch)
        alike = (found["ratio_low"] <= finest) & (found["ratio_high"] * finest >= 1)
        times = found["latency"].mask(alike, found["latency"].get(REFERENCE))
        table = table.assign(**{latency(batch): table["architecture"].map(MILLI * times)})
    return table


def grain(table: pd.DataFrame, batch: int) -> float:
    """The ratio of times up to which this measurement tells nothing apart; 1 or more.

    A constrained network runs the reference's own graph: what lies between their times is where
    their numbers happen to stand in memory, and not the networks.
    """
    same = table[(table["model"] == DENSE) & (table["batch"] == batch)]
    return float(max([1.0, *same["ratio_high"], *(1 / same["ratio_low"])]))


def latency(batch: int) -> str:
    """Name of a column."""
    return f"latency_{batch}"


def undominated(table: pd.DataFrame, cost: str) -> NDArray[np.bool_]:
    """Which rows are on the front of validation score against a cost."""
    return table.index.isin(pareto_front(table, cost, "validation_score").index)


def smaller(table: pd.DataFrame, reference: pd.Series, cost: str = "bytes") -> pd.DataFrame:
    """The choices that a recommendation may name: below the reference in ``cost``.

    Nor may their file be longer than the reference's: fewer parameters in a longer file are no
    smaller model.
    """
    fewer = (table[cost] < reference[cost]) & (table["bytes"] <= reference["bytes"])
    return table[fewer].reset_index(drop=True)


def ranked(
    table: pd.DataFrame, wish: Wish, reference: pd.Series, cost: str = "bytes"
) -> pd.DataFrame:
    """The undominated choices that fulfil a wish and are smaller than the reference.

    The best one first: the smallest where a loss is allowed. Empty: there is none. Chosen by
    validation score alone. Of several that cost the same and score the same the first stays.
    """
    candidates = smaller(table, reference, cost)
    best = best_rows({"all": candidates}, wish, reference, cost).drop_duplicates(_SAME)
    return best.drop(columns=["curve", "row"]).reset_index(drop=True)


def nearest(
    table: pd.DataFrame, wish: Wish, reference: pd.Series, cost: str = "bytes"
) -> list[tuple[Nearest, pd.Series]]:
    """Of what is smaller than the reference what comes nearest to each part of a wish."""
    candidates = smaller(table, reference, cost)
    if candidates.empty:
        return []
    found = nearest_to(candidates, wish, reference)
    return [(near, candidates.iloc[near.row]) for near in found]


def kept_on_test(line: pd.Series, loss: float) -> str:
    """Whether the test part bears out that at most so much is lost: "yes", "no" or "open".

    By the 95 % interval of the paired difference: all of it on one side, or not.
    """
    if line["change_low"] >= -loss:
        return "yes"
    return "no" if line["change_high"] < -loss else "open"
