"""A study's results as one table, and what can be said of them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from compression.errors import ArgumentError

from .specification import build_curves, read_curve_settings, seed_of
from .store import NUMBERS
from .study_store import StudyStore

PAIR = ["dataset", "model", "seed"]
SPLIT = [*PAIR, "fold"]
FACTS = [*SPLIT, "split", "family", "label"]
WORDS = ["dataset", "model", "family", "label"]
EQUAL = 1e-12  # a difference of scores below it is rounding


def table(store: str | StudyStore, name: str) -> pd.DataFrame:
    """Every row of a study's fits that are over.

    Returns
    -------
    DataFrame
        Columns dataset, model, seed, fold (which one is held out, from 1; 0: there are no folds),
        split (its seed), family ("reference" for the references), label (the curve in words), then the numbers of a
        curve's table (NaN where a family has none), reference_bytes and reference_score, share
        (bytes over the reference's).

    Raises
    ------
    ArgumentError
        There is no such study; the message names those that there are.
    """
    kept = StudyStore(store) if isinstance(store, str) else store
    try:
        rows = read_rows(kept, name)
    finally:
        if isinstance(store, str):
            kept.close()
    return rows.astype(dict.fromkeys(WORDS, "str")).drop(columns="fit")


def read_rows(store: StudyStore, name: str, columns: Sequence[str] = NUMBERS) -> pd.DataFrame:
    """As :func:`table`, with some of the numbers alone, and fit: the row's key in the store.

    Words are categories, so that a million rows are grouped and sorted as fast as numbers.
    ``columns``: bytes and score among them.
    """
    specification = store.read_specification(name)
    if specification is None:
        known = ", ".join(store.list_studies()["name"]) or "none yet"
        raise ArgumentError(f"there is no study named {name!r}: there are {known}")
    rows, fits = store.study_rows(name, columns), store.study_fits(name)
    labels = describe_labels(specification)
    described = pd.DataFrame(_describe_all(fits["request"].tolist(), labels), columns=FACTS)
    described = described.assign(key=fits["key"]).sort_values(FACTS, ignore_index=True)
    # Sort the few descriptions, not the rows' words: the rows follow their fits.
    place = pd.Index(described["key"]).get_indexer(rows["fit"].cat.categories)
    places = place[rows["fit"].cat.codes]
    order = np.argsort(places, kind="stable")
    rows, places = rows.iloc[order].reset_index(drop=True), places[order]
    for each in FACTS:
        values = described[each].astype("category") if each in WORDS else described[each]
        rows[each] = values.iloc[places].array
    reference_rows = rows.loc[rows["family"] == "reference", [*SPLIT, "bytes", "score"]]
    referred = described[SPLIT].merge(
        reference_rows.astype(dict.fromkeys(SPLIT[:2], "str")), "left", SPLIT
    )
    for what in ("bytes", "score"):
        rows[f"reference_{what}"] = referred[what].to_numpy()[places]
    rows["share"] = rows["bytes"] / rows["reference_bytes"]
    names = [*FACTS, *columns, "reference_bytes", "reference_score", "share", "fit"]
    return rows[names]


def failures(store: StudyStore, name: str) -> pd.DataFrame:
    """The fits that failed: dataset, model, seed, fold, split, family, label, sentence."""
    fits = store.study_fits(name, "failed")
    labels = describe_labels(store.read_specification(name) or "")
    described = _describe_all(fits["request"].tolist(), labels)
    return pd.DataFrame(described, columns=FACTS).assign(sentence=fits["sentence"].to_numpy())


def describe_labels(specification: str) -> dict[str, str]:
    """What each curve's rows are called, by its request."""
    curves = build_curves(json.loads(specification)) if specification else ()
    return {json.dumps(each.request(), sort_keys=True): each.label for each in curves}


def _describe_all(requests: Sequence[str], labels: dict[str, str]) -> list[tuple]:
    """``FACTS`` of each request, in JSON as the store has it."""
    known: dict[str, str] = {}  # label by repr of its settings: canonical JSON is slower

    def find_label(settings: dict[str, Any]) -> str:
        said = repr(settings)
        if said not in known:
            known[said] = labels[json.dumps(settings, sort_keys=True)]
        return known[said]

    def describe(request: dict[str, Any]) -> tuple:
        if request["stage"] == "reference":
            where, family, label = request, "reference", "reference"
        else:
            where, family = request["reference"], request["family"]
            label = find_label(read_curve_settings(request))
        places = (where["seed"], where.get("fold", 0), seed_of(where, "split"))
        return where["dataset"], where["model"], *places, family, label

    return [describe(json.loads(text)) for text in requests]


def find_leading_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The references, and the rows that ``best_within`` may choose at some share.

    Of each split and label those that validation prefers to every smaller row: of a million rows a
    few, on which the rest is quick.
    """
    ordered = rows.sort_values("bytes", kind="stable", ignore_index=True)
    curve = ordered.groupby([*SPLIT, "label"], observed=True, sort=False).ngroup()
    scores = ordered["validation_score"].fillna(-math.inf)
    smaller = scores.groupby(curve).cummax().groupby(curve).shift()
    leads = smaller.isna() | (scores > smaller) | (ordered["family"] == "reference")
    return ordered[leads].reset_index(drop=True)


def best_within(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """Of each split and label the row that fits a share of the reference's bytes.

    A split is a dataset, model, seed and fold. The best on validation; of equal ones the smallest.
    The test score only reports.
    """
    fitting = rows[(rows["share"] <= share) & (rows["family"] != "reference")]
    ordered = fitting.sort_values(["validation_score", "bytes"], ascending=[False, True])
    best = ordered.drop_duplicates([*SPLIT, "label"])
    # Turn the few words that are left into plain strings: grouping by categories would add absent
    # pairs.
    plain = best.astype({name: "str" for name in WORDS if name in best})
    return plain.sort_values([*SPLIT, "label"], ignore_index=True)


@dataclass(frozen=True)
class SeedDifference:
    """A mean difference of scores over seeds.

    Attributes
    ----------
    mean, low, high : float
        In units of the score; a 95 % interval unless asked otherwise, NaN where all seeds differ by
        the same.
    probability : float
        Two-sided p-value of no difference.
    seeds : int
    """

    mean: float
    low: float
    high: float
    probability: float
    seeds: int


def corrected_difference(
    differences: Sequence[float] | NDArray,
    test_rows: float,
    train_rows: float,
    confidence: float = 0.95,
) -> SeedDifference:
    """Interval and test of a mean difference over splits that share rows.

    The plain t-interval takes the splits for independent and is too narrow; the variance of the
    mean is taken as (1 / J + test rows / training rows) times the differences' own (Nadeau &
    Bengio 2003, Inference for the generalization error). Differences that are all equal have no
    variance to go by: there is no interval, and the p-value is the sign test's.

    Parameters
    ----------
    differences : sequence of float, length J >= 2
        A difference of scores on each split.
    test_rows, train_rows : float
        Of a split; 0 test rows where all of them have one split, and are independent given its rows.
    confidence : float
        Between 0 and 1.
    """
    values = np.asarray(differences, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise ArgumentError("differences of at least two splits are needed, all of them numbers")
    if not (train_rows > 0 and test_rows >= 0):
        raise ArgumentError("a split's training rows are above 0, and its test rows not below")
    count, mean = len(values), float(values.mean())
    if np.ptp(values) < EQUAL:
        same = 1.0 if abs(mean) < EQUAL else 2.0 ** (1 - count)
        return SeedDifference(mean, math.nan, math.nan, same, count)
    error = float(corrected_error(values.var(ddof=1), count, test_rows / train_rows))
    reach = float(special.stdtrit(count - 1, (1 + confidence) / 2)) * error
    probability = float(2 * special.stdtr(count - 1, -abs(mean) / error))
    return SeedDifference(mean, mean - reach, mean + reach, probability, count)


def corrected_error(variance: Any, count: Any, ratio: Any) -> Any:
    """Standard error of a mean over so many splits that share rows; numbers, arrays or Series.

    ``ratio``: rows that a split is judged by, over those that it learns from.
    """
    return np.sqrt((1 / count + ratio) * variance)


def adjust_probabilities(probabilities: Sequence[float] | NDArray) -> NDArray:
    """p-values of many tests, adjusted so that any false one is as rare as their level says.

    Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    values = np.asarray(probabilities, dtype=float)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def changes_at_shares(rows: pd.DataFrame, shares: Sequence[float]) -> pd.DataFrame:
    """What each label loses against its own reference, at shares of the reference's bytes.

    Returns
    -------
    DataFrame
        dataset, model, share, label, mean, low, high (test score minus the reference's, over
        seeds, with the corrected interval; NaN with one seed), seeds (with a row that fits). The
        folds of a seed have one test part: they count as one, by their mean.
    """
    sizes, lines = part_sizes(rows), []
    for share in shares:
        best = best_within(rows, share)
        best["change"] = best["score"] - best["reference_score"]
        changes = best.groupby([*PAIR, "label"])["change"].mean()
        for (dataset, model, label), chosen in changes.groupby(["dataset", "model", "label"]):
            values = chosen.to_numpy()
            mean, low, high = float(values.mean()), math.nan, math.nan
            if len(values) > 1:
                train, test = sizes.loc[(dataset, model), ["train_rows", "test_rows"]]
                result = corrected_difference(values, test, train)
                low, high = result.low, result.high
            lines.append((dataset, model, share, label, mean, low, high, len(values)))
    names = ["dataset", "model", "share", "label", "mean", "low", "high", "seeds"]
    return pd.DataFrame(lines, columns=names)


def compare_labels(rows: pd.DataFrame, share: float, against: str) -> pd.DataFrame:
    """Every label against one, at a share of the reference's bytes, paired by split.

    Returns
    -------
    DataFrame
        dataset, model, label, seeds, mean, low, high (score of the label minus that of
        ``against``; a seed's folds count as one, by their mean), probability (adjusted by Holm over all rows), verdict ("better", "worse",
        "tie").
    """
    return _compare(best_within(rows, share), part_sizes(rows), share, against)


def part_sizes(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean train_rows, validation_rows and test_rows of each dataset and model's references.

    The latter two count what different splits share: test_rows is 0 where all seeds have one split,
    and so is validation_rows without folds. Given the rows such seeds are independent.
    """
    parts = rows[rows["family"] == "reference"].groupby(["dataset", "model"], observed=True)
    sizes = parts[["train_rows", "validation_rows", "test_rows"]].mean()
    one = parts["split"].nunique() == 1
    sizes.loc[one, "test_rows"] = 0.0
    sizes.loc[one & (parts["fold"].nunique() == 1), "validation_rows"] = 0.0
    return sizes


def _compare(best: pd.DataFrame, sizes: pd.DataFrame, share: float, against: str) -> pd.DataFrame:
    scores_of = best.set_index([*SPLIT, "label"])["score"].unstack()
    if against not in scores_of.columns:
        raise ArgumentError(
            f"no row of {against!r} fits {100 * share:g} % of the bytes: choose one of "
            f"{', '.join(scores_of.columns)}"
        )
    lines = []
    for (dataset, model), scores in scores_of.groupby(level=["dataset", "model"]):
        for label in scores.columns.drop(against):
            paired = (scores[label] - scores[against]).dropna().groupby(level="seed").mean()
            if len(paired) < 2:
                continue
            train, test = sizes.loc[(dataset, model), ["train_rows", "test_rows"]]
            result = corrected_difference(paired.to_numpy(), test, train)
            lines.append((dataset, model, label, *vars(result).values()))
    names = ["dataset", "model", "label", "mean", "low", "high", "probability", "seeds"]
    compared = pd.DataFrame(lines, columns=names)
    compared["probability"] = adjust_probabilities(compared["probability"])
    shown = compared["probability"] < 0.05
    compared["verdict"] = np.where(shown, np.where(compared["mean"] > 0, "better", "worse"), "tie")
    return compared


def compare_all(rows: pd.DataFrame, shares: Sequence[float]) -> pd.DataFrame:
    """Every label against every other at each share: share, against, then as ``compare_labels``."""
    sizes, tables = part_sizes(rows), []
    for share in shares:
        best = best_within(rows, share)
        for against in sorted(best["label"].unique()):
            compared = _compare(best, sizes, share, against)
            compared.insert(0, "against", against)
            compared.insert(0, "share", share)
            tables.append(compared)
    names = ["share", "against", "dataset", "model", "label", "mean", "low", "high"]
    empty = pd.DataFrame(columns=[*names, "probability", "seeds", "verdict"])
    return pd.concat(tables, ignore_index=True) if tables else empty


def average_datasets(compared: pd.DataFrame) -> pd.DataFrame:
    """Mean difference over datasets of each label, with an interval in which datasets vary.

    A dataset's models count as one, by their mean. Datasets share no rows: the interval is
    Student's over the datasets' means, and takes them for a sample of what people have.

    Parameters
    ----------
    compared : DataFrame
        As ``compare_labels`` gives it, of datasets whose scores have one unit.

    Returns
    -------
    DataFrame
        label, datasets, mean, low, high (95 %; NaN where all datasets have one mean), for labels on
        at least two datasets.
    """
    lines = []
    for label, label_rows in compared.groupby("label"):
        values = label_rows.groupby("dataset")["mean"].mean()
        if (count := len(values)) < 2:
            continue
        spread = values.std(ddof=1) if np.ptp(values) >= EQUAL else math.nan
        reach = float(special.stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
        lines.append((label, count, values.mean(), values.mean() - reach, values.mean() + reach))
    return pd.DataFrame(lines, columns=["label", "datasets", "mean", "low", "high"])
