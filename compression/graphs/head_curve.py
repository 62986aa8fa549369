"""A model's last layer under every bound, each point certified, and its score on data.

Everything before the layer stays as it is. What is left to train is convex: softmax regression on
features for classes, linear regression for a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..argument_checks import check_arguments
from ..catalog import CONSTRAINTS, find
from ..constrained.convex.certificate import Certifier
from ..constrained.convex.losses import prepare as prepare_loss
from ..constrained.convex.path import GRID_TOLERANCE, default_bounds, path_by_bound
from ..constrained.convex.solve import TOUCHING
from ..constrained.sets import ConstraintSet
from ..errors import ArgumentError, CancelledError, NotApplicableError, StorageError
from ..evaluation import Comparison, predictions, score
from ..report import Report, keep_going
from ..threads import in_one_thread
from .head import Head, ModelWithHead
from .judges import ask_with_samples
from .readings import Part
from .smallest import find_within_a_point

MAX_FIT_ROWS = 5_000
MAX_WEIGHTS = 100_000
BOUNDS = 30
TASKS = ("classification", "regression")
FITTED = 1e-4  # share of the zero model's loss; separable classes fall below it as the bound grows


@dataclass(frozen=True, eq=False)
class HeadCurve:
    """A last layer at every bound.

    Attributes
    ----------
    table : DataFrame
        A row a bound, ascending: knob, pinned (share of the weights), parameters (weights that
        are neither at the bound nor zero, and intercepts), train_loss, duality_gap, kkt_residual,
        certified (at 1e-4 of the zero model's loss), price (sum of the multipliers), validation_change; score, score_low, score_high
        on the test part; change, change_low, change_high: against the model as it came.
    heads : list of Head
        Of each row, outputs by class.
    multipliers : list
        See ``Certificate.multipliers``.
    original : dict
        Of the model as it came: bound (the smallest that holds its head), score, score_low,
        score_high.
    fit_rows : int
    order : tuple of int or None
        The model's output -> class, where that is another order.
    """

    table: pd.DataFrame
    heads: list[Head]
    multipliers: list[Any]
    original: dict[str, float]
    fit_rows: int
    order: tuple[int, ...] | None

    def head_of(self, head: Head) -> Head:
        """One of the heads in the order of the model's outputs, as its file takes it."""
        return head if self.order is None else head.reorder(self.order)

    def first_row(self) -> int:
        """Row of the smallest bound that loses at most a point."""
        return find_within_a_point(self.table["validation_change"])


@check_arguments
@in_one_thread
def head_curve(
    model: ModelWithHead,
    fit: Part,
    validation: Part,
    test: Part,
    task: str = "classification",
    constraint: str = "box",
    bounds: Sequence[float] | None = None,
    order: Sequence[int] | None = None,
    report: Report = keep_going,
) -> HeadCurve:
    """Train a model's last layer anew under every bound, and certify each.

    Parameters
    ----------
    model : ONNX model or torch module
        See :func:`compression.read_model`, :func:`compression.read_module`.
    fit, validation, test : pairs
        Samples as the model reads them, and their targets. Of many fit rows 5,000 are taken.
    task : str
        "classification" or "regression".
    constraint : str
        A convex name of ``compression.CONSTRAINTS``.
    bounds : numbers, optional
        Left out: up to 30 geometric ones, until a bound costs next to nothing.
    order : sequence of int, optional
        Output -> class, where the model has its classes in another order.

    Raises
    ------
    NotApplicableError
        The model ends with something else than a linear layer (and softmax).
    ArgumentError
        Data or bounds that cannot be used.
    """
    members: ConstraintSet = find(CONSTRAINTS, constraint, "constraint set").load()()
    if not members.convex:
        raise NotApplicableError(f"the set {constraint} is not convex: nothing could be certified")
    _check_data({"fit": fit, "validation": validation, "test": test}, task)
    rows = _pick_rows(fit[1], task)
    y = np.asarray(fit[1])[rows]
    head, x = ask_with_samples(model.split_head, fit[0][rows])
    _check_head(head, x, y, task)
    way = None if order is None else _check_order(order, len(head.weight))
    head = head if way is None else head.reorder(np.argsort(way).tolist())
    features = [ask_with_samples(model.split_head, part[0])[1] for part in (validation, test)]
    judge = _HeadJudge(head, features, (validation[1], test[1]), task)
    loss = prepare_loss(x, y, judge.loss)
    if bounds is None:
        bounds = default_bounds(loss, members, BOUNDS).tolist()
    recorder = _BoundRecorder(
        judge, Certifier(x, y, judge.loss, members), head, len(rows), loss.zero, way
    )

    def tell(done: int, total: int, _: Callable[[], Any] | None) -> bool:
        # An exact path reports breakpoints before the first bound is solved.
        return report(done, total, recorder.gather if recorder.lines else None)

    try:
        for place, (bound, path) in enumerate(
            path_by_bound(x, y, judge.loss, constraint, bounds, tell)
        ):
            recorder.add(bound, path.at(bound), path.intercept_at(bound))
            if not report(place + 1, len(bounds), recorder.gather) or recorder.is_fitted:
                break
    except CancelledError:
        if not recorder.lines:
            raise
    return recorder.gather()


def _pick_rows(y: NDArray, task: str) -> NDArray[np.intp]:
    """All rows, or so many of them with each class's share."""
    if len(y) <= MAX_FIT_ROWS:
        return np.arange(len(y))
    order = np.argsort(y, kind="stable")  # of sorted targets every n-th is a fair sample
    places = np.linspace(0, len(y) - 1, MAX_FIT_ROWS).round().astype(int)
    return np.sort(order[places])


def _check_data(parts: Mapping[str, Part], task: str) -> None:
    """Raises ArgumentError for an unknown task, and for parts that hold no pairs."""
    if not isinstance(task, str) or task not in TASKS:
        raise ArgumentError(f"there is no task {task!r}: choose {' or '.join(TASKS)}")
    for name, (x, y) in parts.items():
        if not 0 < len(x) == len(y):
            raise ArgumentError(
                f"the {name} part has {len(x)} samples and {len(y)} targets: give one or more, and "
                "a target for each"
            )


def _check_order(order: Sequence[int], outputs: int) -> tuple[int, ...]:
    way = tuple(int(place) for place in order)
    if sorted(way) != list(range(outputs)):
        raise ArgumentError(
            f"the order {way} does not name {outputs} classes once each: give the class of each "
            f"output, 0 to {outputs - 1}"
        )
    return way


def _check_head(head: Head, x: NDArray, y: NDArray, task: str) -> None:
    """Raises NotApplicableError where a head's training is no regression on these targets."""
    outputs, inputs = head.weight.shape
    if x.ndim != 2 or x.shape != (len(y), inputs):
        raise NotApplicableError(
            f"the last layer takes features of shape {x.shape} for {len(y)} samples: one row of "
            f"{inputs} a sample is needed"
        )
    wanted = 1 if task == "regression" else int(y.max()) + 1
    if outputs != wanted or (task != "regression" and outputs < 2):
        noun = "number" if outputs == 1 else "numbers"
        raise NotApplicableError(
            f"the last layer gives {outputs} {noun} a sample, and "
            f"{'one number is' if wanted == 1 else f'{wanted} classes are'} to be predicted: its "
            "training is no regression on them"
        )
    if outputs * inputs > MAX_WEIGHTS:
        raise NotApplicableError(
            f"the last layer has {outputs * inputs:,} weights: up to {MAX_WEIGHTS:,} are solved"
        )


class _HeadJudge:
    """Scores of heads on features of validation and test part, beside the model as it came."""

    def __init__(
        self, head: Head, features: list[NDArray], targets: tuple[NDArray, NDArray], task: str
    ) -> None:
        self.task, self.loss = task, "squared" if task == "regression" else "softmax"
        self.validation, self.test = features
        self.y_validation, self.y_test = map(np.asarray, targets)
        answers = self.predict(self.test, head)
        self.comparison = Comparison(answers, self.y_test, task)
        self.own_validation = self.validate(head)
        self.original = self._judge_line(answers)

    def predict(self, features: NDArray, head: Head) -> NDArray:
        return predictions(features @ head.weight.T + head.intercept, self.task)

    def validate(self, head: Head) -> float:
        return score(self.predict(self.validation, head), self.y_validation, self.task)

    def measure(self, head: Head) -> dict[str, float]:
        predicted = self.predict(self.test, head)
        change, low, high = (float(v[0]) for v in self.comparison.changes(predicted[None]))
        return {
            **self._judge_line(predicted),
            "change": change,
            "change_low": low,
            "change_high": high,
            "validation_change": self.validate(head) - self.own_validation,
        }

    def _judge_line(self, predicted: NDArray) -> dict[str, float]:
        low, high = (float(v[0]) for v in self.comparison.intervals(predicted[None]))
        value = score(predicted, self.y_test, self.task)
        return {"score": value, "score_low": low, "score_high": high}


@dataclass(eq=False)
class _BoundRecorder:
    """Gathers a row a bound."""

    judge: _HeadJudge
    certifier: Certifier
    head: Head
    fit_rows: int
    zero_loss: float
    order: tuple[int, ...] | None
    lines: list[dict[str, Any]] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    multipliers: list[Any] = field(default_factory=list)

    @property
    def is_fitted(self) -> bool:
        """Whether a larger bound could not lower the loss further."""
        return bool(self.lines[-1]["train_loss"] <= FITTED * self.zero_loss)

    def add(self, bound: float, weight: NDArray, intercept: Any) -> None:
        constraint = self.certifier.constraint
        unit = self.certifier.unit
        tolerance = GRID_TOLERANCE * self.zero_loss / unit if unit else GRID_TOLERANCE
        # The certifier stops at a gap within the tolerance and looks for no smaller one.
        certificate = self.certifier.judge(weight, bound, np.asarray(intercept), tolerance)
        pinned = constraint.find_pinned(weight, bound, TOUCHING)
        levels = np.atleast_1d(np.asarray(intercept, np.float64))
        head = replace(self.head, weight=np.atleast_2d(weight), intercept=levels)
        prices = certificate.multipliers
        self.lines.append(
            {
                "knob": bound,
                "pinned": float(pinned.mean()),
                "parameters": int((~pinned & (weight != 0)).sum()) + len(levels),
                "train_loss": certificate.objective,
                "duality_gap": certificate.duality_gap,
                "kkt_residual": certificate.kkt_residual,
                "certified": certificate.holds(tolerance),
                "price": float(np.sum(prices)) if prices is not None else float("nan"),
                **self.judge.measure(head),
            }
        )
        self.heads.append(head)
        self.multipliers.append(None if prices is None else np.asarray(prices))

    def gather(self) -> HeadCurve:
        original = {
            "bound": self.certifier.constraint.gauge(self.head.weight),
            **self.judge.original,
        }
        return HeadCurve(
            pd.DataFrame(self.lines),
            list(self.heads),
            list(self.multipliers),
            original,
            self.fit_rows,
            self.order,
        )


def write_head(model: Any, head: Head, x: NDArray) -> tuple[dict[str, bytes], float]:
    """An ONNX model's file with another head, read back and run; the largest difference found.

    Parameters
    ----------
    model : ONNX model
    head : Head
        Outputs in the order of the model.
    x : ndarray, shape (rows, ...)
        Samples to compare on.

    Raises
    ------
    StorageError
        What the file gives is not what the features and this head give.
    """
    from .reading import read_model

    files = model.with_head(head).to_bytes()
    original, features = model.split_head(x)
    expected = replace(head, after=original.after).answer(features)
    again: Any = read_model(files)
    outputs = again.outputs(x).reshape(expected.shape)
    difference = float(np.abs(outputs - expected).max())
    if not difference <= 1e-4 * max(1.0, float(np.abs(expected).max())):
        raise StorageError(
            f"the written model is off by {difference:.2g} from its features and its head: the "
            "file is not given out"
        )
    return files, difference
