"""One knob, many values: a whole trade-off curve.

Each row is one knob value, judged on the training, validation and test parts by the same ruler.
What is compressed, and how, is ``low_rank/curve.py``'s and ``constrained/curve.py``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from . import accounting, evaluation, storage
from .training import DatasetLike, Reference, SampleTensors, check_outputs, loss_of


@dataclass(frozen=True, eq=False)
class Curve:
    """A trade-off curve.

    Attributes
    ----------
    knob : str
        What the column ``knob`` holds: "rank", "bound" (in the weights' units),
        "relative bound" (share of what just holds each layer's reference weight), "bits",
        "share kept", "width" (both shares of the reference's), or "choice" (a row's number, from
        1).
    method : str
        Name of the low-rank method, of the constraint set or of the alternative, or
        "quantization".
    table : DataFrame
        One row a knob value: knob, parameters, bytes, macs, ratio (reference's parameters over
        these), epochs (passes over the training rows that lie behind it, beyond the reference's
        own; of a network from scratch all of them), train_loss, validation_loss, test_loss, validation_score, validation_low,
        validation_high, score, score_low, score_high, change (score minus the reference's),
        change_low, change_high; of classes also balanced_score, the mean of the classes' recalls
        on the test part.
    reference : Series
        The same columns for the uncompressed network; its knob is NaN, its epochs are those that
        it was trained for, NaN where its history is not known.
    predictions : ndarray, shape (rows, test samples)
        Classes, in the smallest unsigned integers that hold them, or numbers.
    gains : ndarray, shape (rows, validation samples)
        What each validation sample adds to the change of validation score against the reference:
        the mean over the samples is the change. Of classes 1 where only the compressed network is
        right, −1 where only the reference is.
    confusion : list of ndarray, shape (classes, classes), or of None
        Of each row on the test part; rows true, columns predicted. None for regression.
    spectra : dict
        Layer name -> singular values: of the reference's weight, shape (r,), for low rank;
        of each row's weight, shape (rows, r), for constraints.
    """

    knob: str
    method: str
    table: pd.DataFrame
    reference: pd.Series
    predictions: NDArray
    gains: NDArray
    confusion: list[NDArray[np.int64] | None]
    spectra: dict[str, NDArray]
    _network: Callable[[int], nn.Sequential]
    _file: Callable[[int], bytes] | None = None

    def network(self, row: int) -> nn.Sequential:
        """The compressed network of one row, in eval mode."""
        return self._network(range(len(self.table))[row])

    def file(self, row: int) -> bytes:
        """What :func:`compression.save` writes of that network; where it was kept, not anew."""
        if self._file is None:
            return storage.to_bytes(self.network(row))
        return self._file(range(len(self.table))[row])

    def pick(self, rows: Sequence[int] | NDArray[np.intp], **described: Any) -> Curve:
        """The same curve with these rows, in this order."""
        chosen = np.asarray(rows, np.intp)
        return replace(
            self,
            table=self.table.iloc[chosen].reset_index(drop=True),
            predictions=self.predictions[chosen],
            gains=self.gains[chosen],
            confusion=[self.confusion[row] for row in chosen],
            _network=lambda row: self.network(int(chosen[row])),
            _file=lambda row: self.file(int(chosen[row])),
            **described,
        )


class CurveBuilder:
    """Turns outputs into rows; the reference is judged first, by the same code."""

    def __init__(self, reference: Reference, dataset: DatasetLike, samples: SampleTensors):
        self.dataset, self.samples = dataset, samples
        parts = torch.zeros(3, len(samples.x))
        parts[0, samples.fit] = 1 / len(samples.fit)
        parts[1, samples.validation] = 1 / len(samples.validation)
        parts[2, samples.trained :] = 1 / (len(samples.x) - samples.trained)
        self._parts = parts
        self._losses = loss_of(dataset.task, "none")
        self._rows: list[dict[str, float]] = []
        self._predicted: list[NDArray] = []
        self._validated: list[NDArray] = []
        self.add(
            float("nan"),
            samples.outputs(reference.network),
            reference.network,
            len(reference.history) or float("nan"),
        )
        rows = dataset.validation_rows
        self._validation = evaluation.Comparison(
            self._validated[0], dataset.y_train[rows], dataset.task, seed=0
        )
        self._comparison = evaluation.Comparison(
            self._predicted[0], dataset.y_test, dataset.task, seed=0
        )

    def add(
        self,
        knob: float,
        outputs: torch.Tensor,
        network: nn.Sequential | dict,
        epochs: float = 0,
    ) -> None:
        """One row from all samples' outputs; costs from the network, or a row's known costs."""
        check_outputs(outputs, self.dataset)
        losses = self._losses(outputs, self.samples.y)
        train, validation, test = (self._parts @ losses).tolist()
        rows = self.dataset.validation_rows
        seen = evaluation.predictions(outputs.numpy(), self.dataset.task)
        self._predicted.append(seen[self.samples.trained :])
        self._validated.append(seen[rows])
        costs = network if isinstance(network, dict) else self.costs(network)
        self._rows.append(
            {
                "knob": knob,
                "epochs": epochs,
                **costs,
                "train_loss": train,
                "validation_loss": validation,
                "test_loss": test,
                "validation_score": evaluation.score(
                    seen[rows], self.dataset.y_train[rows], self.dataset.task
                ),
            }
        )

    def costs(self, network: nn.Sequential) -> dict[str, int]:
        return {
            "parameters": accounting.parameters(network),
            "bytes": accounting.bytes_of(network),
            "macs": accounting.macs(network),
        }

    def repeat(self, knob: float) -> None:
        """A row equal to the last one but for its knob."""
        self._rows.append({**self._rows[-1], "knob": knob})
        self._predicted.append(self._predicted[-1])
        self._validated.append(self._validated[-1])

    def curve(self, **described: Any) -> Curve:
        """All rows so far."""
        predicted = np.stack(self._predicted)
        target, task = self.dataset.y_test, self.dataset.task
        table = pd.DataFrame(self._rows)
        table["ratio"] = table["parameters"].iloc[0] / table["parameters"]
        table["validation_low"], table["validation_high"] = self._validation.intervals(
            np.stack(self._validated)
        )
        table["score"] = [evaluation.score(row, target, task) for row in predicted]
        table["score_low"], table["score_high"] = self._comparison.intervals(predicted)
        (
            table["change"],
            table["change_low"],
            table["change_high"],
        ) = self._comparison.changes(predicted)
        # Compare the reference with itself, not with another model that answers alike.
        table.loc[0, ["change", "change_low", "change_high"]] = 0.0
        rows = self.dataset.validation_rows
        gains = evaluation.gains(np.stack(self._validated), self.dataset.y_train[rows], task)
        confusion: list[NDArray[np.int64] | None] = [None] * (len(predicted) - 1)
        if task == "classification":
            classes = self.dataset.outputs
            counted = [evaluation.confusion(row, target, classes) for row in predicted]
            table["balanced_score"] = [evaluation.balanced_accuracy(counts) for counts in counted]
            confusion = [*counted[1:]]
        return Curve(
            table=table.iloc[1:].reset_index(drop=True).astype({"epochs": int}),
            reference=table.iloc[0],
            predictions=predicted[1:],
            gains=gains[1:],
            confusion=confusion,
            **described,
        )
