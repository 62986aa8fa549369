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
DEPTH, LEAF = 3, 3  # the tree's depth, and the fewest cells of a leaf
FEATURES = ("size", "reference bytes", "training rows", "classes", "linear model")
Line = dict[str, Any]
WINS, TIES, LOSES, ALONE, NOTHING = "wins", "ties", "loses", "alone", "nothing fits"
FEW_SEEDS, MISSING = "too few seeds", "not computed"
MIN_SEEDS = 4  # fewest seeds for a verdict
COMMON = 0.9  # a common kind is in at least this share of the cells


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
    lines = []
    counts = rows[rows["family"] == "reference"].groupby(["dataset", "model"])["seed"].nunique()
    fitting = rows[rows["family"] != "reference"]
    for (dataset, model, share, family), family_rows in fitting.groupby(
        [*CELL, "family"], sort=False
    ):
        change = _compare(family_rows["score"] - family_rows["reference_score"], family_rows)
        means = family_rows[["validation_score", "score", "bytes"]].mean()
        lines.append(
            {
                **dict(zip(CELL, (dataset, model, share), strict=True)),
                "family": family,
                "kind": protocol.kind_of(family),
                "baseline": family in protocol.baselines,
                "seeds": len(family_rows),
                "of": counts[dataset, model],
                **means,
                **{name: change[name] for name in ("change", "low", "high")},
            }
        )
    return pd.DataFrame(lines)


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
            ranked = _rank(families[(families[CELL] == place).all(axis=1)])
            here = scores.loc[place] if len(ranked) else scores
            cell, lines = _judge_cell(ranked, here)
            where: Line = dict(zip(CELL, place, strict=True))
            where["seeds"] = int(counts.get((dataset, model), 0))
            of_size.append(where | cell | ({} if where["seeds"] else {"verdict": MISSING}))
            against += [where | line for line in lines]
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
        compared = []
        for place, cell_families in families.groupby(CELL):
            ranked = _rank(cell_families)["family"]
            names = [_find_first_of(ranked, side) for side in sides]
            if all(names):
                where = {"duel": title, **dict(zip(CELL, place, strict=True))}
                where |= {"first": names[0], "second": names[1]}
                compared.append(where | _compare_families(scores.loc[place], *names))
        lines += _adjust(compared)
    return pd.DataFrame(lines)


def _find_first_of(ranked: pd.Series, beginnings: Sequence[str]) -> str:
    matches = ranked[ranked.str.startswith(tuple(beginnings))]
    return str(matches.iloc[0]) if len(matches) else ""


def _rank(families: pd.DataFrame) -> pd.DataFrame:
    """Those of one cell that fit on every seed, the best on validation first."""
    always = families[families["seeds"] == families["of"]]
    return always.sort_values(["validation_score", "bytes"], ascending=[False, True])


def _judge_cell(ranked: pd.DataFrame, here: pd.DataFrame) -> tuple[Line, list[Line]]:
    """The best of these ranked families, and ours against every baseline."""
    ours, peers = ranked[~ranked["baseline"].astype(bool)], ranked[ranked["baseline"].astype(bool)]
    cell: Line = {
        "winner": _take_first(ranked),
        "ours": _take_first(ours),
        "peer": _take_first(peers),
        "level": "",
    }
    if ranked.empty:
        return cell | {"verdict": NOTHING}, []
    cell["level"] = "; ".join(_list_level(here, ranked["family"].tolist()))
    if ours.empty or peers.empty:
        return cell | {"verdict": ALONE}, []
    comparisons = [
        {"ours": cell["ours"], "baseline": each, **_compare_families(here, cell["ours"], each)}
        for each in peers["family"]
    ]
    return cell | _compare_families(here, cell["ours"], cell["peer"]), _adjust(comparisons)


def _take_first(families: pd.DataFrame) -> str:
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


def _compare(paired: pd.Series, sizes: pd.DataFrame) -> Line:
    """Mean difference, interval and p with Nadeau and Bengio's correction."""
    line: Line = {"change": float(paired.mean()), "seeds": len(paired)}
    if len(paired) < 2:
        return line | {"low": np.nan, "high": np.nan, "probability": np.nan}
    test, train = sizes["test_rows"].mean(), sizes["train_rows"].mean()
    result = corrected_difference(paired.to_numpy(), test, train)
    return line | {"low": result.low, "high": result.high, "probability": result.probability}


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
    plain : str
        The most frequent kind over all cells.
    plain_error : float
        Share of cells whose winner is of another kind than that.
    lost, plain_lost : float
        Mean test score that the best family of the kind that is said is behind the winner, where
        the cell has one: by the tree, cross-validated in the same way, and by the most frequent.
    safest : str
        The kind that loses least when it is always said, of those that nearly every cell has.
    safest_lost : float
        What that loses.
    cells : int
    holds : bool
        Whether the tree errs less than the most frequent kind does, is right more often than not,
        and loses no more than the safest kind.
    """

    lines: tuple[str, ...]
    error: float
    plain: str
    plain_error: float
    lost: float
    plain_lost: float
    safest: str
    safest_lost: float
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
    decided = cells[cells["winner"] != ""].merge(facts, on=["dataset", "model"])
    features = decided.assign(size=decided["share"])[list(FEATURES)].to_numpy(float)
    target, groups = decided["winner"].map(kinds).to_numpy(str), decided["dataset"].to_numpy(str)
    said = np.empty_like(target, object)
    for train, test in LeaveOneGroupOut().split(features, target, groups):
        said[test] = _grow(features[train], target[train]).predict(features[test])
    plain = _find_most_frequent(target)
    losses = _list_losses(decided, families)
    common = losses.columns[losses.notna().mean() >= COMMON]
    constant = losses[common].mean()
    lost = float(np.nanmean([losses.at[cell, kind] for cell, kind in enumerate(said)]))
    error, plain_error = float(np.mean(said != target)), float(np.mean(plain != target))
    return Rule(
        _write_tree(_grow(features, target)),
        error,
        plain,
        plain_error,
        lost,
        float(losses[plain].mean()),
        str(constant.idxmin()),
        float(constant.min()),
        len(target),
        error < min(plain_error, 0.5) and lost <= float(constant.min()),
    )


def _grow(features: np.ndarray, target: np.ndarray) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=LEAF, random_state=0)
    return tree.fit(features, target)


def _find_most_frequent(values: np.ndarray) -> str:
    names, counts = np.unique(values, return_counts=True)
    return str(names[np.argmax(counts)])


def _list_losses(cells: pd.DataFrame, families: pd.DataFrame) -> pd.DataFrame:
    """Test score behind the winner's, of each kind's family that validation prefers.

    A row a cell, a column a kind; NaN where the cell has no family of the kind.
    """
    by_cell = dict(list(families.groupby(CELL)))
    lines = []
    for _, cell in cells.iterrows():
        ranked = _rank(by_cell[tuple(cell[CELL])])
        best = ranked.drop_duplicates("kind").set_index("kind")["score"]
        lines.append(ranked["score"].iloc[0] - best)
    return pd.DataFrame(lines).reset_index(drop=True)


def _write_tree(tree: Any) -> tuple[str, ...]:
    """A fitted tree in words."""
    nodes, lines = tree.tree_, []

    def write(node: int, depth: int, said: str) -> None:
        name = tree.classes_[int(np.argmax(nodes.value[node]))]
        if nodes.children_left[node] < 0:
            lines.append(f"{'  ' * depth}{said}: {name}, {int(nodes.n_node_samples[node])} cells")
            return
        if said:
            lines.append(f"{'  ' * depth}{said}")
            depth += 1
        where = f"{FEATURES[nodes.feature[node]]}"
        at = f"{nodes.threshold[node]:.3g}"
        write(nodes.children_left[node], depth, f"{where} at most {at}")
        write(nodes.children_right[node], depth, f"{where} above {at}")

    write(0, 0, "")
    return tuple(lines)
