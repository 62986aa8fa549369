"""What to look at before a model learns from a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .argument_checks import check_kind
from .base import Dataset
from .errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

ALONE = 0.99  # validation AUC or R² from which one column counts as predicting the target alone
MOST_ROWS = 2000  # rows of either part for the test of single columns
MOST_COLUMNS = 1000  # columns tested alone
LEAVES = 64  # leaves of the tree that a single column is tested with
COPIES = 3  # copies of the values that a curve holds at a time
# Memory of a process with its libraries after reading, training and judging.
WORKER_BYTES = 450 * 2**20
DRAWN = 1000  # resamples of the test rows, one byte per row


@dataclass(frozen=True, eq=False)
class Review:
    """What a dataset's parts hold, and what is odd about them.

    Attributes
    ----------
    parts : DataFrame
        One row a class, or one in all for regression; columns "learnt from", "validation", "test".
    warnings : tuple of str
        A sentence each: what was seen, and what to do.
    majority : float
        Test score of what always answers the most frequent class of the rows that are learnt
        from, or their mean: accuracy, or R².
    bytes : int
        About what a process needs that computes a curve.
    """

    parts: pd.DataFrame
    warnings: tuple[str, ...]
    majority: float
    bytes: int


def review(dataset: Dataset) -> Review:
    """Count the parts, and look for constant columns, duplicates and columns that give the target away.

    Raises
    ------
    DatasetError
        It is no dataset, or a part of it has no rows.
    """
    check_kind("the dataset", dataset, Dataset, "a Dataset")
    _check_parts(dataset)
    warnings = [*_describe_constant(dataset), *_describe_duplicates(dataset)]
    warnings += _describe_giveaways(dataset)
    if dataset.task == "classification":
        fit = np.bincount(dataset.y_train[dataset.fit_rows], minlength=dataset.classes)
        share = fit.max() / fit.sum()
        if share > 0.9:
            name = dataset.class_names[int(fit.argmax())]
            warnings.append(
                f"{share:.0%} of the rows are of the class {name!r}: always answering it scores as "
                "much; look at balanced accuracy beside accuracy."
            )
    dataset_bytes = dataset.x_train.nbytes + dataset.x_test.nbytes
    return Review(
        parts=count_parts(dataset),
        warnings=tuple(warnings),
        majority=score_majority(dataset),
        bytes=WORKER_BYTES + COPIES * dataset_bytes + DRAWN * len(dataset.x_test),
    )


def _check_parts(dataset: Dataset) -> None:
    parts: tuple[NDArray[Any], ...] = (dataset.fit_rows, dataset.validation_rows, dataset.x_test)
    for purpose, rows in zip(("to learn from", "to choose by", "to test with"), parts, strict=True):
        if not len(rows):
            raise DatasetError(
                f"{dataset.name!r} has no rows {purpose}: give a dataset with rows in each part"
            )


def count_parts(dataset: Dataset) -> pd.DataFrame:
    """Rows of each class in each part; of a regression, rows of each part."""
    import pandas as pd

    parts = {
        "learnt from": dataset.y_train[dataset.fit_rows],
        "validation": dataset.y_train[dataset.validation_rows],
        "test": dataset.y_test,
    }
    if dataset.task == "regression":
        rows = pd.Index(["rows"], name="class")
        return pd.DataFrame({part: [len(y)] for part, y in parts.items()}, index=rows)
    names = pd.Index(dataset.class_names, name="class")
    counted = {part: np.bincount(y, minlength=dataset.classes) for part, y in parts.items()}
    return pd.DataFrame(counted, index=names)


def score_majority(dataset: Dataset) -> float:
    """Test score of the most frequent class, or of the mean, of the rows that are learnt from."""
    learnt = dataset.y_train[dataset.fit_rows]
    if dataset.task == "classification":
        usual = np.bincount(learnt, minlength=dataset.classes).argmax()
        return float((dataset.y_test == usual).mean())
    true = dataset.y_test.astype(np.float64)
    spread = ((true - true.mean()) ** 2).sum()
    return float(1 - ((true - learnt.mean()) ** 2).sum() / spread) if spread else float("nan")


def _describe_constant(dataset: Dataset) -> list[str]:
    learnt = dataset.x_train[dataset.fit_rows]
    constant = np.flatnonzero(learnt.min(axis=0) == learnt.max(axis=0))
    if not len(constant):
        return []
    named = ", ".join(repr(dataset.feature_names[column]) for column in constant[:3])
    more = ", ..." if len(constant) > 3 else ""
    return [
        f"{len(constant)} of {len(dataset.feature_names)} columns have one value in all rows that "
        f"are learnt from ({named}{more}): a model learns nothing from them; leave them out."
    ]


def _describe_duplicates(dataset: Dataset) -> list[str]:
    train, test = _hash_rows(dataset.x_train), _hash_rows(dataset.x_test)
    count = int(np.isin(test, train).sum())
    if not count:
        return []
    return [
        f"{count:,} of {len(test):,} test rows have the same inputs as a row of the training part: "
        "what was learnt by heart counts as right; remove duplicates, or give the column that "
        "tells them apart the role group."
    ]


def _hash_rows(x: NDArray[np.float32]) -> NDArray[np.uint64]:
    """A number for each row, the same for equal rows and, but for one chance in 2⁶⁴, only for those."""
    random = np.random.default_rng(0)
    odd = random.integers(0, 2**63, x.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    fingerprints = np.empty(len(x), np.uint64)
    step = max(1, 1_000_000 // max(x.shape[1], 1))
    for start in range(0, len(x), step):
        bits = (x[start : start + step] + np.float32(0)).view(np.uint32)  # -0 as 0
        mixed = (bits.astype(np.uint64) + np.uint64(0x9E3779B9)) * odd
        mixed ^= mixed >> np.uint64(29)
        fingerprints[start : start + step] = (mixed * odd).sum(axis=1, dtype=np.uint64)
    return fingerprints


def _describe_giveaways(dataset: Dataset) -> list[str]:
    """Columns from each of which alone the target can be told."""
    if len(dataset.feature_names) > MOST_COLUMNS or len(dataset.input_shape) > 1:
        return []
    learnt, seen = dataset.fit_rows[:MOST_ROWS], dataset.validation_rows[:MOST_ROWS]
    remarks = []
    for source, columns in _group_columns(dataset.feature_names).items():
        value = _score_alone(dataset, learnt, seen, columns)
        if value >= ALONE:
            measure = "AUC" if dataset.task == "classification" else "R²"
            remarks.append(
                f"Column {source!r} alone predicts the target (validation {measure} {value:.3f}): "
                "if it is only known once the target is, give it the role ignore."
            )
    return remarks


def _group_columns(names: tuple[str, ...]) -> dict[str, list[int]]:
    """The 0/1 columns of a category together, every other column by itself."""
    columns: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        columns.setdefault(name.split(" = ")[0], []).append(position)
    return columns


def _score_alone(
    dataset: Dataset, learnt: NDArray[Any], seen: NDArray[Any], columns: list[int]
) -> float:
    """Validation AUC (the mean over the classes), or R², of a small tree on some columns."""
    from sklearn.metrics import r2_score, roc_auc_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x, y = dataset.x_train[:, columns], dataset.y_train
    if len(seen) < 2 or np.ptp(y[seen]) == 0 or np.ptp(x[learnt]) == 0:
        return 0.0
    if dataset.task == "regression":
        tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(
            x[learnt], y[learnt]
        )
        line = np.polyfit(x[learnt, 0], y[learnt], 1) if len(columns) == 1 else np.zeros(2)
        answers = (tree.predict(x[seen]), np.polyval(line, x[seen, 0]))
        return max(float(r2_score(y[seen], answer)) for answer in answers)
    tree = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=0).fit(x[learnt], y[learnt])
    shares = np.zeros((len(seen), dataset.classes))
    shares[:, tree.classes_] = tree.predict_proba(x[seen])
    areas = [
        roc_auc_score(y[seen] == label, shares[:, label])
        for label in range(dataset.classes)
        if 0 < (y[seen] == label).sum() < len(seen)
    ]
    return float(np.mean(areas))
