"""What crosses from a worker to a page: names, numbers, tables and arrays, and nothing of torch."""

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from compression.constrained.weight_history import LayerHistory


@dataclass(frozen=True)
class Layer:
    """A compressible layer: its name, its kind (linear, conv1d, conv2d), its weight's (rows, columns).

    ``kernel``: the sizes of a convolution's window.
    """

    name: str
    kind: str
    shape: tuple[int, int]
    break_even: int
    kernel: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """The layer's name in menus and headings: "fc1 · linear 64 → 256"."""
        rows, columns = self.shape
        if self.kind == "linear":
            what = f"linear {columns} → {rows}"
        else:
            window = " × ".join(map(str, self.kernel))
            what = f"convolution {columns // prod(self.kernel)} → {rows}, window {window}"
        return what if self.name == self.kind else f"{self.name} · {what}"


class LowRankSetting(NamedTuple):
    """How a low-rank network is made, as tasks take it.

    Attributes
    ----------
    method : str
    layers : tuple of str
        The layers that are compressed.
    ridge : float
        σ², in squared units of a layer's inputs.
    calibration : "reference" | "sequential"
    """

    method: str
    layers: tuple[str, ...]
    ridge: float = 0.0
    calibration: str = "reference"


class Training(NamedTuple):
    """How a reference is trained; None: as the model's own recipe says.

    Attributes
    ----------
    epochs : int or None
        The most passes over the training rows.
    width : float
        Units of each hidden layer, in shares of the model's own.
    learning_rate : float or None
        Adam's step size.
    """

    epochs: int | None = None
    width: float = 1.0
    learning_rate: float | None = None


OWN_RECIPE = Training()
Origin = tuple[bytes, str, str, int, Training]
"""What any worker has a reference again from: its file, dataset, model, seed and training."""


@dataclass(frozen=True, eq=False)
class TrainedReference:
    """A reference model, with all that a page shows of it.

    ``file`` is what ``compression.save`` would write: later jobs start from it, in any process.
    ``energy_ranks``: layer -> smallest rank that keeps 95 % of the energy of its weight.
    ``majority``: test score of always the most frequent class, or the mean. ``zero_one``: inputs
    that are 0 or 1 and not standardised.
    """

    dataset: str
    model: str
    seed: int
    task: str
    file: bytes
    history: pd.DataFrame
    seconds: float
    score: float
    score_low: float
    score_high: float
    parameters: int
    bytes: int
    macs: int
    layers: tuple[Layer, ...]
    structure: pd.DataFrame
    class_names: tuple[str, ...]
    spectra: dict[str, NDArray]
    target: NDArray
    predictions: NDArray
    confusion: NDArray | None
    report: pd.DataFrame | None
    target_name: str
    target_unit: str
    target_mean: float
    target_scale: float
    rows: dict[str, int]
    bounds: dict[str, tuple[float, ...]]
    energy_ranks: dict[str, int]
    training: Training = OWN_RECIPE
    majority: float = float("nan")
    zero_one: int = 0

    @property
    def costs(self) -> dict[str, float]:
        """Its point in the plane of score against cost, and the majority's score."""
        names = ("score", "majority", "parameters", "bytes", "macs")
        return {name: getattr(self, name) for name in names}

    @property
    def origin(self) -> Origin:
        return self.file, self.dataset, self.model, self.seed, self.training

    @property
    def target_title(self) -> str:
        unit = f" ({self.target_unit})" if self.target_unit else ""
        return f"{self.target_name or 'target'}{unit}"

    @property
    def convex(self) -> bool:
        """Whether it is one linear layer: linear or softmax regression."""
        return len(self.structure) == 1

    @property
    def largest_rank(self) -> int:
        """The largest rank that any linear layer can have."""
        linear = [min(layer.shape) for layer in self.layers if layer.kind == "linear"]
        return max(linear)


@dataclass(frozen=True, eq=False)
class CurveView:
    """A curve without its networks.

    ``files`` are the rows' model files, where they are kept. ``suggested`` is the row with the
    fewest parameters that loses at most a point of score on the validation part. ``marks``:
    layer -> label -> rank, for low rank.
    """

    knob: str
    method: str
    table: pd.DataFrame
    reference: pd.Series
    predictions: NDArray
    gains: NDArray
    confusion: list[NDArray[np.int64] | None]
    spectra: dict[str, NDArray]
    marks: dict[str, dict[str, float]]
    suggested: int
    files: tuple[bytes, ...] = ()

    @property
    def suggestion(self) -> float:
        """Knob of the suggested row."""
        return self.table["knob"].iloc[self.suggested].item()

    def row(self, knob: float) -> int:
        """Row of the nearest knob value, by ratio."""
        return int(np.abs(np.log(self.table["knob"] / knob)).argmin())


@dataclass(frozen=True, eq=False, kw_only=True)
class ConstrainedView(CurveView):
    """A constrained curve: one way to the bounds, every bound judged.

    Attributes
    ----------
    layers : dict
        Name -> its history.
    facts : DataFrame or None
        What is certified of each row, for a convex loss: knob, objective, duality_gap,
        kkt_residual, certified, inactive, status, price (loss per unit of the bound; NaN without
        multipliers), seconds (NaN on a path).
    multipliers : ndarray, shape (rows, outputs, inputs), or None
        Price of each weight's own bound, where each has one.
    feature_names : tuple of str
    input_shape : tuple of int
    largest : (int, int)
        The two largest weights of the reference's first layer, numbered row by row.
    """

    layers: dict[str, LayerHistory]
    facts: pd.DataFrame | None
    multipliers: NDArray | None
    feature_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    largest: tuple[int, int]


@dataclass(frozen=True)
class FormatView:
    """A network in another reader's format; the fields are those of ``compression``'s Export."""

    kind: str
    content: bytes
    difference: float
    refused: str
    code: str
