"""Who wins, ties or loses in a cell of the atlas: a dataset, a model and a size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .comparison import adjust_probabilities, corrected_difference
from .protocol import Protocol

CELL = ["dataset", "model", "share"]
LEVEL = 0.05
DEPTH, LEAF = 3, 3  # of the tree: how deep it is, and the fewest cells of an answer
FEATURES = ("size", "reference bytes", "training rows", "classes", "linear model")
Line = dict[str, Any]
WINS, TIES, LOSES, ALONE, NOTHING = "wins", "ties", "loses", "alone", "nothing fits"
FEW_SEEDS, MISSING = "too few seeds", "not computed"
MIN_SEEDS = 4  # of a verdict


def judge_families(rows: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Every family in every cell, against the uncompressed reference.

    Parameters
    ----------
    rows : DataFrame
        As ``choose_rows`` gives them.

    Returns
    -------
    DataFrame
        dataset, model, share, family, kind, baseline (whether it is one), seeds (with a row that
        fits), of (seeds of the pair), validation_score, score, bytes (means over seeds), change,
        low, high (test score minus the reference's; 95 % interval, NaN with one seed).
    """
    found = []
    counts = rows[rows["family"] == "reference"].groupby(["dataset", "model"])["seed"].nunique()
    fitting = rows[rows["family"] != "reference"]
    for (dataset, model, share, family), own in fitting.groupby([*CELL, "family"], sort=False):
        change = _compare(own["score"] - own["reference_score"], own)
        means = own[["validation_score", "score", "bytes"]].mean()
        found.append(
            {
                **dict(zip(CELL, (dataset, model, share), strict=True)),
                "family": family,
                "kind": protocol.kind_of(family),
                "baseline": family in protocol.baselines,
                "seeds": len(own),
                "of": counts[dataset, model],
                **means,
                **{name: change[name] for name in ("change", "low", "high")},
            }
        )
    return pd.DataFrame(found)


def judge_cells(
    rows: pd.DataFrame, families: pd.DataFrame, protocol: Protocol
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The best family of each cell, and how ours stands against the baselines.

    The best is the family of best mean validation score of those that fit on every seed, of equal
    ones the one of fewest bytes; so is the best of ours and the best baseline. Ours is held against
    the best baseline on the same seeds' test scores; p is adjusted by Holm over the pairs of a
    size. And against each baseline; there p is adjusted over the baselines of a cell.

    Returns
    -------
    (DataFrame, DataFrame)
        A row a cell of the protocol: dataset, model, share, seeds, winner, ours, peer (the best
        baseline), change, low, high, probability (adjusted), verdict ("wins", "ties", "loses":
        ours against the peer; "alone": only one of the two fits; "nothing fits"; "too few seeds";
        "not computed"), level (the families that are not shown to be worse than the winner on the
        test part, Holm over them, joined by "; ").
        A row a cell and baseline: dataset, model, share, ours, baseline, seeds, change, low, high,
        probability, verdict.
    """
    references = rows[rows["family"] == "reference"]
    counts = references.groupby(["dataset", "model"])["seed"].nunique()
    scores = rows.set_index([*CELL, "family", "seed"]).sort_index()
    cells, against = [], []
    for share in protocol.shares:
        of_size = []
        for dataset, model in protocol.pairs():
            place = (dataset, model, share)
            own = _rank(families[(families[CELL] == place).all(axis=1)])
            here = scores.loc[place] if len(own) else scores
            cell, held = _judge_cell(own, here)
            where: Line = dict(zip(CELL, place, strict=True))
            where["seeds"] = int(counts.get((dataset, model), 0))
            of_size.append(where | cell | ({} if where["seeds"] else {"verdict": MISSING}))
            against += [where | line for line in held]
        cells += _adjust(of_size)
    return pd.DataFrame(cells), pd.DataFrame(against)


def judge_duels(rows: pd.DataFrame, families: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Two sides in every cell in which both have a family that fits on every seed.

    Each side enters with its family that validation prefers; p is adjusted by Holm over a duel's
    cells.

    Returns
    -------
    DataFrame
        duel, dataset, model, share, first, second (families), change, low, high, probability,
        seeds, verdict (of the first side).
    """
    scores = rows.set_index([*CELL, "family", "seed"]).sort_index()
    lines: list[Line] = []
    for title, sides in protocol.duels.items():
        held = []
        for place, own in families.groupby(CELL):
            ranked = _rank(own)["family"]
            names = [_first_of(ranked, side) for side in sides]
            if all(names):
                where = {"duel": title, **dict(zip(CELL, place, strict=True))}
                where |= {"first": names[0], "second": names[1]}
                held.append(where | _compare_families(scores.loc[place], *names))
        lines += _adjust(held)
    return pd.DataFrame(lines)


def _first_of(ranked: pd.Series, beginnings: Sequence[str]) -> str:
    found = ranked[ranked.str.startswith(tuple(beginnings))]
    return str(found.iloc[0]) if len(found) else ""


def _rank(families: pd.DataFrame) -> pd.DataFrame:
    """Those of one cell that fit on every seed, the best on validation first."""
    always = families[families["seeds"] == families["of"]]
    return always.sort_values(["validation_score", "bytes"], ascending=[False, True])


def _judge_cell(own: pd.DataFrame, here: pd.DataFrame) -> tuple[Line, list[Line]]:
    """Who is best of these ranked families, and ours against every baseline."""
    ours, peers = own[~own["baseline"].astype(bool)], own[own["baseline"].astype(bool)]
    cell: Line = {"winner": _first(own), "ours": _first(ours), "peer": _first(peers), "level": ""}
    if own.empty:
        return cell | {"verdict": NOTHING}, []
    cell["level"] = "; ".join(_list_level(here, own["family"].tolist()))
    if ours.empty or peers.empty:
        return cell | {"verdict": ALONE}, []
    held = [
        {"ours": cell["ours"], "baseline": each, **_compare_families(here, cell["ours"], each)}
        for each in peers["family"]
    ]
    return cell | _compare_families(here, cell["ours"], cell["peer"]), _adjust(held)


def _first(families: pd.DataFrame) -> str:
    return "" if families.empty else str(families["family"].iloc[0])


def _list_level(here: pd.DataFrame, ordered: Sequence[str]) -> list[str]:
    """The families whose difference from the first is not shown, Holm over them."""
    first, *others = ordered
    lines = [_compare_families(here, each, first) | {"family": each} for each in others]
    return [line["family"] for line in _adjust(lines) if line["verdict"] in (TIES, WINS)]


def _compare_families(here: pd.DataFrame, one: str, other: str) -> Line:
    """Test scores of one minus the other's on the seeds that both have."""
    first, second = here.loc[one], here.loc[other]
    paired = (first["score"] - second["score"]).dropna()
    return _compare(paired, first.loc[paired.index])


def _compare(paired: pd.Series, own: pd.DataFrame) -> Line:
    """Mean difference, interval and p with Nadeau and Bengio's correction."""
    found: Line = {"change": float(paired.mean()), "seeds": len(paired)}
    if len(paired) < 2:
        return found | {"low": np.nan, "high": np.nan, "probability": np.nan}
    test, train = own["test_rows"].mean(), own["train_rows"].mean()
    result = corrected_difference(paired.to_numpy(), test, train)
    return found | {"low": result.low, "high": result.high, "probability": result.probability}


def _adjust(lines: list[Line]) -> list[Line]:
    """The lines with p adjusted by Holm over those that have enough seeds, and their verdicts."""
    tested = [line for line in lines if "verdict" not in line and line["seeds"] >= MIN_SEEDS]
    adjusted = adjust_probabilities([line["probability"] for line in tested])
    for line, value in zip(tested, adjusted, strict=True):
        shown = value < LEVEL
        line["probability"] = float(value)
        line["verdict"] = (WINS if line["change"] > 0 else LOSES) if shown else TIES
    return [{"verdict": FEW_SEEDS, **line} for line in lines]


@dataclass(frozen=True)
class Rule:
    """A rule of thumb: a shallow tree from facts of a cell to a kind of method.

    Attributes
    ----------
    lines : tuple of str
        The tree in words, indented by two spaces a level.
    error : float
        Share of cells whose winner is of another kind than the tree says, each dataset judged by
        a tree of the others.
    plain_error : float
        The same of always saying the most frequent kind.
    plain : str
        That kind, over all cells.
    lost, plain_lost : float
        Mean test score that the best family of the said kind is behind the winner, where it has
        one; cross-validated in the same way.
    cells : int
    holds : bool
        Whether the tree errs less than the most frequent kind does, and is right more often than
        not.
    """

    lines: tuple[str, ...]
    error: float
    plain_error: float
    plain: str
    lost: float
    plain_lost: float
    cells: int
    holds: bool


def find_rule(cells: pd.DataFrame, families: pd.DataFrame, facts: pd.DataFrame) -> Rule:
    """The rule of thumb, with its error on datasets that it has not seen.

    Parameters
    ----------
    cells, families : DataFrame
        As ``judge_cells`` and ``judge_families`` give them.
    facts : DataFrame
        dataset, model and the columns of ``FEATURES`` beside size.
    """
    from sklearn.model_selection import LeaveOneGroupOut

    kinds = families.drop_duplicates("family").set_index("family")["kind"]
    held = cells[cells["winner"] != ""].merge(facts, on=["dataset", "model"])
    features = held.assign(size=held["share"])[list(FEATURES)].to_numpy(float)
    target, groups = held["winner"].map(kinds).to_numpy(str), held["dataset"].to_numpy(str)
    said, plain = np.empty_like(target, object), np.empty_like(target, object)
    for train, test in LeaveOneGroupOut().split(features, target, groups):
        said[test] = _grow(features[train], target[train]).predict(features[test])
        plain[test] = _most_frequent(target[train])
    errors = [float(np.mean(each != target)) for each in (said, plain)]
    lost = [_mean_loss(held, families, each) for each in (said, plain)]
    return Rule(
        _write_tree(_grow(features, target)),
        errors[0],
        errors[1],
        _most_frequent(target),
        lost[0],
        lost[1],
        len(target),
        errors[0] < min(errors[1], 0.5),
    )


def _grow(features: np.ndarray, target: np.ndarray) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=LEAF, random_state=0)
    return tree.fit(features, target)


def _most_frequent(values: np.ndarray) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[np.argmax(counts)])


def _mean_loss(held: pd.DataFrame, families: pd.DataFrame, said: np.ndarray) -> float:
    """Mean test score behind the winner's, of the said kind's family that validation prefers."""
    losses = []
    for (_, cell), kind in zip(held.iterrows(), said, strict=True):
        own = _rank(families[(families[CELL] == tuple(cell[CELL])).all(axis=1)])
        of_kind = own[own["kind"] == kind]
        if len(of_kind):
            losses.append(own["score"].iloc[0] - of_kind["score"].iloc[0])
    return float(np.mean(losses)) if losses else float("nan")


def _write_tree(tree: Any) -> tuple[str, ...]:
    """A fitted tree in words."""
    own, lines = tree.tree_, []

    def write(node: int, depth: int, said: str) -> None:
        name = tree.classes_[int(np.argmax(own.value[node]))]
        if own.children_left[node] < 0:
            lines.append(f"{'  ' * depth}{said}: {name}, {int(own.n_node_samples[node])} cells")
            return
        if said:
            lines.append(f"{'  ' * depth}{said}")
            depth += 1
        where = f"{FEATURES[own.feature[node]]}"
        at = f"{own.threshold[node]:.3g}"
        write(own.children_left[node], depth, f"{where} at most {at}")
        write(own.children_right[node], depth, f"{where} above {at}")

    write(0, 0, "")
    return tuple(lines)
