"""``compress --lose-at-most``: the smallest file, chosen on some rows and reported on others."""

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..catalog import LOW_RANK_METHODS
from ..errors import ArgumentError, CompressionError, NotApplicableError
from ..graphs.model import Model
from ..graphs.readings import CALIBRATION_ROWS, spread_rows
from ..graphs.smallest import FileChoice, ScoreCurve
from .judge import (
    Columns,
    Inputs,
    as_classes,
    asks_for_numbers,
    describe_order,
    fit_inputs,
    open_content,
    read_classes,
    read_data,
    read_numbers,
    run_in_blocks,
)
from .judged import JudgedClasses, JudgedNumbers
from .output import show_progress, show_text

if TYPE_CHECKING:
    from ..graphs.check import Check
    from ..graphs.onnx_model import OnnxModel

BOX = "box"
METHODS = ("truncated_svd", "activation_aware_svd", BOX)


class NothingSmallerError(CompressionError):
    """No smaller file stays within the loss."""


@dataclass(frozen=True, eq=False)
class SmallestFile:
    """The smallest file within a loss.

    Attributes
    ----------
    model : Model
        Calibrated, where that method gave the file.
    ranks : dict
        Layer -> rank; empty for a bound.
    write : callable
        Gives its files, and what was found when they were read back.
    facts : dict
        For a machine to read: what was chosen, on what, and what it changes.
    sentence : str
    """

    model: Model
    ranks: dict[str, int]
    write: Callable[[], tuple[dict[str, bytes], "Check"]]
    facts: dict[str, Any]
    sentence: str


def find_smallest(arguments: Namespace, model: Model) -> SmallestFile:
    """Judge files of ranks and of bounds in 32, 8 and 4 bits; take the smallest that loses little.

    Rows are split as datasets are: fit rows calibrate, validation rows choose, test rows report.

    Raises
    ------
    NothingSmallerError
        No smaller file stays within the loss.
    CompressionError
        The data do not fit the model, or it cannot be run.
    """
    from ..graphs.check import write_bounded, write_checked, write_rounded
    from ..graphs.onnx_model import OnnxModel
    from ..graphs.smallest import choose_smallest

    if arguments.data is None:
        raise ArgumentError("--lose-at-most asks what is lost on rows: give --data FILE")
    if not isinstance(model, OnnxModel):
        raise NotApplicableError("tensors without a graph cannot be run: give an ONNX export")
    rows = _Rows(arguments, model)
    judged: dict[str, tuple[ScoreCurve, _FileSettings]] = {}
    for method in METHODS if arguments.method is None else (arguments.method,):
        try:
            judged[method] = _judge(model, method, rows)
        except CompressionError as error:
            if arguments.method is not None:
                raise
            print(show_text(f"{method} is left out: {error}"), file=sys.stderr)  # noqa: T201
    loss, files = arguments.lose_at_most, {name: curve for name, (curve, _) in judged.items()}
    chosen = files and choose_smallest(files, loss / 100, rows.judge.task, model.file_bytes)
    if not chosen:
        raise NothingSmallerError(
            f"no smaller file of those that were judged loses at most {loss:g} {rows.unit} on "
            f"{len(rows.validation):,} validation rows: nothing was written"
        )
    line = chosen.line
    facts, sentence = _describe(chosen, loss, rows)
    made = judged[str(line["method"])][1]
    row, bits = int(line["row"]), int(line["bits"])
    if made.shares:
        share, samples = made.shares[row], rows.samples()
        facts["bound"] = share
        return SmallestFile(
            made.model,
            {},
            lambda: write_bounded(model, share, samples, bits),
            facts,
            sentence,
        )
    ranks = made.ranks[row]

    def write() -> "tuple[dict[str, bytes], Check]":
        if bits == 32:
            return write_checked(made.model, ranks)
        return write_rounded(made.model, ranks, bits)

    return SmallestFile(made.model, ranks, write, facts, sentence)


def _describe(chosen: FileChoice, loss: float, rows: "_Rows") -> tuple[dict[str, Any], str]:
    """What was chosen, for a machine and for a person to read."""
    line, promise = chosen.line, chosen.promise
    facts: dict[str, Any] = {
        "method": str(line["method"]),
        "bits": int(line["bits"]),
        "files_judged": promise.tried,
        "validation_rows": promise.rows,
        "validation_change": 100 * promise.change,
        "corrected_change": 100 * promise.corrected,
        "promised": chosen.promised is not None and chosen.promised.equals(line),
        "test_rows": len(rows.test),
        "test_score": float(line["score"]),
        "test_change": 100 * float(line["change"]),
        "test_change_low": 100 * float(line["change_low"]),
        "test_change_high": 100 * float(line["change_high"]),
    }
    sentence = (
        f"{line['method']} in {line['bits']:.0f} bits is the smallest of {promise.tried} smaller files "
        f"that loses at most {loss:g} {rows.unit} on {promise.rows:,} validation rows. On "
        f"{len(rows.test):,} test rows: {facts['test_change']:+.2f} {rows.unit}, between "
        f"{facts['test_change_low']:+.2f} and {facts['test_change_high']:+.2f} with 95 % confidence. "
        f"{'Its own validation rows promise that loss (90 %).' if facts['promised'] else 'So few validation rows do not promise that loss (90 %).'}"
    )
    return facts, sentence


@dataclass(frozen=True, eq=False)
class _FileSettings:
    """What a method's files are made of: of each row its ranks, or its bound."""

    model: Model
    ranks: tuple[dict[str, int], ...] = ()
    shares: tuple[float, ...] = ()


def _judge(model: "OnnxModel", method: str, rows: "_Rows") -> tuple[ScoreCurve, _FileSettings]:
    from ..graphs.score_curve import score_curve

    if method == BOX:
        from ..graphs.bounded_curve import bounded_curve

        report = show_progress("clipping and refitting layers")
        curve = bounded_curve(model, rows.samples(), rows.judge, report=report)
        return curve.scores, _FileSettings(model, shares=curve.shares)
    used = model
    if LOW_RANK_METHODS[method].needs_inputs:
        used = model.calibrate(rows.samples(), show_progress("asking layers"))
    plans = _plan(used)
    report = show_progress(f"judging files of {method}")
    return score_curve(used, plans, rows.judge, report=report), _FileSettings(used, ranks=plans)


def _plan(model: Model) -> tuple[dict[str, int], ...]:
    """Ranks for every share of the parameters; where no layer can shrink, few bits may do."""
    from ..graphs.plan import plan

    try:
        return plan(model).ranks
    except NotApplicableError:
        return ({},)


class _Rows:
    """The data as a model reads them, in three parts, and a judge by two of them."""

    def __init__(self, arguments: Namespace, model: Model) -> None:
        from ..graphs.score_curve import GraphJudge

        columns, target = read_data(arguments.data, arguments.target, arguments.ignore)
        (original,) = model.to_bytes().values()
        runnable = open_content(original)
        outputs = run_in_blocks(runnable, columns, len(target))
        numbers = asks_for_numbers(arguments.task, outputs, target)
        target = target.astype(np.float64) if numbers else as_classes(target)
        classes, places = np.unique(target, return_inverse=True)
        self.fit, self.validation, self.test = _split(None if numbers else places, len(target))
        judged_rows = np.concatenate([self.test, self.validation])
        self._columns, self._inputs = columns, runnable.inputs
        self.unit = JudgedNumbers.unit if numbers else JudgedClasses.unit

        def answer(content: bytes) -> NDArray[Any]:
            some = {name: column[judged_rows] for name, column in columns.items()}
            given = run_in_blocks(open_content(content), some, len(judged_rows))
            if numbers:
                return read_numbers(given, target[judged_rows])
            return np.asarray(read_classes(given, classes))

        task = "regression" if numbers else "classification"
        self.judge = GraphJudge(answer, original, target[self.test], target[self.validation], task)
        own_line, _ = self.judge.measure({"own": original})
        floor = 0.0 if numbers else float(np.bincount(places[self.test]).max() / len(self.test))
        if not own_line["score_low"] > floor:
            order = JudgedNumbers.order if numbers else describe_order(outputs, classes)
            raise NotApplicableError(
                f"on {len(self.test):,} test rows {arguments.files[0]} scores "
                f"{own_line['score']:.3f} (95 %: {own_line['score_low']:.3f} to "
                f"{own_line['score_high']:.3f}), always the same answer {floor:.3f}: the data are "
                f"not as the model reads them, or too few ({order})"
            )

    def samples(self) -> NDArray[Any]:
        """Fit rows as the graph takes them."""
        inputs: Inputs = self._inputs
        if len(inputs) != 1:
            raise NotApplicableError(f"the graph takes {len(inputs)} inputs, and samples are one")
        rows = self.fit[list(spread_rows(len(self.fit), CALIBRATION_ROWS))]
        some: Columns = {name: column[rows] for name, column in self._columns.items()}
        (samples,) = fit_inputs(inputs, some).values()
        return samples


def _split(classes: NDArray[np.int64] | None, rows: int) -> tuple[NDArray, NDArray, NDArray]:
    """Fit, validation and test rows, as of a dataset with seed 0."""
    from data.splitting import split_rows

    if rows < 30:
        raise ArgumentError(f"{rows} rows cannot calibrate, choose and report: give at least 30")
    split = split_rows(rows, 0, classes)
    return split.fit, split.validation, split.test
