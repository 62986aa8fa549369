"""A person's own table as a dataset.

``read_table`` looks at a pandas frame once: what each column holds and is for, and everything
that stands in the way. ``Table.prepare`` splits and encodes it for a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import kinds
from .argument_checks import check_kind
from .base import (
    TASKS,
    Dataset,
    check_seed,
    describe_oddities,
    read_classes,
    read_numbers,
    standardise_target,
)
from .encoding import Feature, count_most_features, fit_encoder
from .errors import DatasetError
from .obstacles import (
    find_wrong_columns,
    find_wrong_names,
    find_wrong_roles,
    find_wrong_split,
    find_wrong_target,
    list_names,
)
from .roles import (
    MOST_CATEGORIES,
    Column,
    describe_columns,
    describe_readings,
    read_test_part,
    suggest_target,
    suggest_task,
)
from .splitting import Split, split_rows

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 50_000_000  # rows times features that are held in memory
SAMPLE_SEED = 0  # the same rows are sampled for every seed
MADE_OF = "Given as a table"
UNKNOWN_LICENCE = "as its owner says"


def from_table(
    frame: pd.DataFrame,
    target: str,
    task: str | None = None,
    roles: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Dataset:
    """A pandas frame as a dataset: split, encoded and standardised.

    Encoders, medians and scales are fitted on the rows that are learnt from. Categories become
    0/1 columns, up to 32 of each, and stay 0/1; dates become day, weekday and hour; missing
    numbers the median, beside a 0/1 column. Rows without a target are dropped.

    Parameters
    ----------
    frame : DataFrame
        One row a sample.
    target : str
        The column to predict.
    task : str, optional
        "classification" or "regression"; None: the likelier reading of the target, with a remark
        where it has two.
    roles : mapping, optional
        Column -> "feature", "target", "group" (its rows stay in one part), "time" (the latest
        rows are tested on), "test" (marks the rows to test on) or "ignore"; of other columns the
        role that ``read_table`` suggests.
    seed : int
        Chooses the split, 0 to 2³² − 1.

    Returns
    -------
    Dataset
        Named by its content; ``remarks`` say what was left out, dropped or sampled.

    Raises
    ------
    DatasetError
        Everything that stands in the way, a line each: what was seen and what to do.
    """
    table = read_table(frame, target, task, roles)
    return table.prepare(seed, name=table.name, title="Own table")


def read_table(
    frame: pd.DataFrame,
    target: str | None = None,
    task: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> Table:
    """Look at a frame: its columns, roles, and all obstacles. Without a target one is suggested."""
    import pandas as pd  # import it here: listing the package's names needs no pandas

    check_kind("the frame", frame, pd.DataFrame, "a pandas DataFrame")
    check_kind("task", task, (str, type(None)), "a name, or None")
    check_kind("roles", roles, (Mapping, type(None)), "a mapping from columns to roles")
    for role in (roles or {}).values():
        check_kind("a role", role, str, "a name")
    named = {str(column): role for column, role in (roles or {}).items()}
    given = [column for column, role in named.items() if role == "target"]
    target = str(target) if target is not None else next(iter(given), None)
    if target is None:
        target = suggest_target(describe_columns(frame, named, None))
    return Table(frame, target, task, named, describe_columns(frame, named, target))


@dataclass(frozen=True, eq=False)
class Table:
    """A frame that was looked at.

    Attributes
    ----------
    frame : DataFrame
    target : str or None
        None: no column could be one.
    asked_task : str or None
    asked_roles : mapping
    columns : tuple of Column
    """

    frame: pd.DataFrame
    target: str | None
    asked_task: str | None
    asked_roles: Mapping[str, str]
    columns: tuple[Column, ...]

    @cached_property
    def name(self) -> str:
        """ "table-" and a hash of the values, the target, the task and the roles."""
        from pandas.util import hash_pandas_object

        digest = blake2b(digest_size=10)
        for position, column in enumerate(self.columns):
            values = self.frame.iloc[:, position]
            digest.update(f"{column.name}\0{column.role}\0{column.content.kind}\0".encode())
            if values.dtype == object:  # some objects cannot be hashed
                values = values.astype(str)
            digest.update(hash_pandas_object(values, index=False).to_numpy().data)
        digest.update(f"{self.target}\0{self.task}".encode())
        return f"table-{digest.hexdigest()}"

    @property
    def task(self) -> str:
        """The task that was asked for, or the likelier one."""
        if self.asked_task is not None or self._target_column is None:
            return self.asked_task or "classification"
        return suggest_task(self._target_column.content)

    @cached_property
    def readings(self) -> dict[str, str]:
        """Task -> what the target is in it, for each task that it can be read for."""
        column = self._target_column
        if column is None or column.content.fault or column.content.kind == kinds.EMPTY:
            return {}
        return describe_readings(self._read_column(column), column.content)

    @cached_property
    def obstacles(self) -> tuple[str, ...]:
        """Everything that stands in the way of learning, a sentence each."""
        names = [column.name for column in self.columns]
        target = self._target_column
        obstacles = [
            *find_wrong_names(self.columns, self.asked_roles),
            *find_wrong_roles(self.columns, self.asked_roles, self.asked_task),
            *find_wrong_columns(self.columns, self._read_column),
            *find_wrong_target(target, self.target, self.task, self.readings, names),
        ]
        if target is None or target.content.fault or self.task not in self.readings:
            return tuple(obstacles)
        try:
            y, class_names = self._read_labels()
        except DatasetError as error:
            return (*obstacles, str(error))
        if self.task == "regression" and np.ptp(y) == 0:
            obstacles.append(
                f"the target {target.name!r} is {y[0]:g} in every row: choose another column"
            )
        if not obstacles:
            splitting = [
                (column, self._read_values(column))
                for role in ("group", "time")
                for column in self._list_columns(role)
            ]
            obstacles += find_wrong_split(y, class_names, splitting, self._test_part())
        return tuple(obstacles)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows that are used: those with a target, and of too many a stratified sample."""
        column = self._target_column
        assert column is not None
        rows = np.flatnonzero(self._read_column(column).notna().to_numpy())
        if column.content.missing:
            values = kinds.read_values(self._read_column(column), self._target_kind)
            gone = [value is None or value != value for value in values.tolist()]
            rows = np.flatnonzero(~np.array(gone))
        most = max(MOST_CELLS // max(self.count_most_features, 1), 1)
        if len(rows) <= most:
            return rows
        texts = self._read_column(column).iloc[rows].astype(str).to_numpy()
        return sample_rows(rows, most, texts if self.task == "classification" else None)

    @property
    def count_most_features(self) -> int:
        """How many numbers a row can become."""
        return sum(count_most_features(column.content) for column in self._list_columns("feature"))

    def list_remarks(self) -> tuple[str, ...]:
        """What was decided for this table: what was left out, dropped and sampled."""
        said = []
        column = self._target_column
        assert column is not None
        if self.asked_task is None and len(self.readings) > 1:
            other = next(task for task in TASKS if task != self.task)
            said.append(
                f"{column.name!r} is read for {self.task}: {self.readings[self.task]}; for "
                f"{other} it is {self.readings[other]}."
            )
        for each in self._list_columns("ignore"):
            if each.name not in self.asked_roles:
                said.append(f"Column {each.name!r} is {each.rule}.")
        for each in self._list_columns("feature"):
            if each.content.kind == kinds.CATEGORY and count_most_features(each.content) < (
                each.content.distinct + bool(each.content.missing)
            ):
                said.append(
                    f"Column {each.name!r} has {each.content.distinct:,} values: the "
                    f"{MOST_CATEGORIES - 1} most frequent have a column each, all others one."
                )
            if each.content.remark:
                said.append(f"Column {each.name!r} is {each.content.remark}.")
        usable = len(self.frame) - column.content.missing
        if column.content.missing:
            said.append(f"{column.content.missing:,} rows without {column.name!r} are left out.")
        if len(self.rows) < usable:
            said.append(
                f"{len(self.rows):,} of {usable:,} rows are used, a sample with the same share of "
                f"each class: {MOST_CELLS:,} numbers are held in memory at most."
            )
        return tuple(said)

    def prepare(self, seed: int = 0, *, name: str, title: str, source: str = MADE_OF) -> Dataset:
        """Split, encode and standardise.

        Raises
        ------
        DatasetError
            The obstacles, a line each.
        """
        seed = check_seed(seed)
        if self.obstacles:
            raise DatasetError("\n".join(self.obstacles))
        y, class_names = self._read_labels()
        split = self._split(seed, y if self.task == "classification" else None)
        said = _check_classes(split, y, class_names) + self._describe_split(split)
        x_train, x_test, features = self._encode(split)
        constant = np.array([feature.constant for feature in features])
        if constant.all():
            raise DatasetError(
                "every column has one value throughout the rows that are learnt from: there is "
                "nothing to tell them apart; give columns that differ"
            )
        target_mean, target_scale = 0.0, 1.0
        if self.task == "regression":
            y, target_mean, target_scale = standardise_target(y, split.fit)
        names = tuple(feature.name for feature in features)
        train = split.train
        return Dataset(
            name=name,
            title=title,
            task=self.task,
            x_train=x_train,
            y_train=y[train],
            x_test=x_test,
            y_test=y[split.test],
            fit_rows=np.searchsorted(train, split.fit),
            validation_rows=np.searchsorted(train, split.validation),
            class_names=class_names,
            feature_names=names,
            input_shape=(len(features),),
            source=source,
            licence=UNKNOWN_LICENCE,
            mean=np.array([feature.mean for feature in features]),
            scale=np.array([feature.scale for feature in features]),
            target_name=str(self.target),
            target_mean=target_mean,
            target_scale=target_scale,
            remarks=self.list_remarks() + said + describe_oddities(len(split.fit), constant, names),
            feature_units=tuple(feature.unit for feature in features),
            zero_one=tuple(n for n, feature in enumerate(features) if feature.zero_one),
            **{name: values[train] for name, values in self._read_split_values().items()},
        )

    def _read_column(self, column: Column) -> pd.Series:
        return self.frame.iloc[:, [c.name for c in self.columns].index(column.name)]

    def _list_columns(self, role: str) -> list[Column]:
        return [column for column in self.columns if column.role == role]

    @property
    def _target_column(self) -> Column | None:
        return next((c for c in self.columns if c.name == self.target), None)

    @property
    def _target_kind(self) -> str:
        assert self._target_column is not None
        if self.task == "regression":
            return kinds.NUMBER
        kind = self._target_column.content.kind
        return kind if kind in (kinds.WHOLE, kinds.YES_NO) else kinds.CATEGORY

    def _read_labels(self) -> tuple[NDArray[Any], tuple[str, ...]]:
        """The target of the rows that are used: classes as positions, or numbers."""
        column = self._target_column
        assert column is not None
        values = kinds.read_values(self._read_column(column).iloc[self.rows], self._target_kind)
        if self.task == "regression":
            return read_numbers(values)[:, 0], ()
        if self._target_kind == kinds.YES_NO:
            values = np.where(values == 1, "yes", "no")
        return read_classes(values, ())

    def _read_values(self, column: Column) -> NDArray[Any]:
        kind = column.content.kind
        return kinds.read_values(self._read_column(column).iloc[self.rows], kind)

    def _test_part(self) -> NDArray[np.bool_] | None:
        for column in self._list_columns("test"):
            return read_test_part(self._read_column(column))[0][self.rows]
        return None

    def _split(self, seed: int, y: NDArray[np.int64] | None) -> Split:
        return split_rows(
            len(self.rows), seed, y, test=self._test_part(), **self._read_split_values()
        )

    def _read_split_values(self) -> dict[str, Any]:
        """Values that every split respects: "groups" as numbers, or "times"."""
        values = {}
        for column in self._list_columns("group"):
            values["groups"] = np.unique(self._read_values(column), return_inverse=True)[1]
        for column in self._list_columns("time"):
            values["times"] = self._read_values(column)
        return values

    def _describe_split(self, split: Split) -> tuple[str, ...]:
        """Remarks on a test part that was given."""
        said = []
        for column in self._list_columns("test"):
            said.append(f"Column {column.name!r} marks {len(split.test):,} rows as the test part.")
            for group in self._list_columns("group"):
                values = self._read_values(group)
                both = np.intersect1d(values[split.train], values[split.test])
                if len(both):
                    said.append(
                        f"{len(both):,} groups of {group.name!r} have rows in the given test part "
                        "and outside: the test score may flatter."
                    )
        return tuple(said)

    def _encode(
        self, split: Split
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], tuple[Feature, ...]]:
        """Both parts, a column at a time: the table is never held in float64 as a whole."""
        encoders = [
            fit_encoder(column.name, column.content.kind, self._read_values(column)[split.fit])
            for column in self._list_columns("feature")
        ]
        features = tuple(feature for encoder in encoders for feature in encoder.features)
        train = split.train
        parts = [np.empty((len(rows), len(features)), np.float32) for rows in (train, split.test)]
        start = 0
        for column, encoder in zip(self._list_columns("feature"), encoders, strict=True):
            values, stop = self._read_values(column), start + len(encoder.features)
            for part, rows in zip(parts, (train, split.test), strict=True):
                part[:, start:stop] = encoder.encode(values[rows])
            start = stop
        return parts[0], parts[1], features


def sample_rows(
    rows: NDArray[np.int64], most: int, labels: NDArray[Any] | None
) -> NDArray[np.int64]:
    """So many of the rows, with the same share of each label, ascending."""
    from sklearn.model_selection import train_test_split

    strata = None
    if labels is not None:
        codes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
        strata = None if counts.min() < 2 or most < len(counts) else codes
    kept, _ = train_test_split(rows, train_size=most, random_state=SAMPLE_SEED, stratify=strata)
    return np.sort(kept)


def _check_classes(split: Split, y: NDArray[Any], class_names: tuple[str, ...]) -> tuple[str, ...]:
    """Remarks on classes that a part has no row of; refused where it is the part to learn from."""
    said = []
    for part, rows in (("fit", split.fit), ("validation", split.validation), ("test", split.test)):
        absent = [name for label, name in enumerate(class_names) if not (y[rows] == label).any()]
        if absent and part == "fit":
            raise DatasetError(
                f"the split leaves no row of {list_names(absent)} to learn from: choose another seed, "
                "or give the column that splits the rows another role"
            )
        if absent:
            said.append(
                f"The {part} part has no row of {list_names(absent)}: its score says nothing of them."
            )
    return tuple(said)
