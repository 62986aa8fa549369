"""What the page on one's own model is handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

TRUNCATED, ACTIVATION_AWARE = "truncated_svd", "activation_aware_svd"
Calibration = tuple[str, int, tuple[str, str, str]]
"""A dataset, the seed of its split, and the way that the model reads it."""


@dataclass(frozen=True, eq=False)
class ModelView:
    """A model before any data.

    Attributes
    ----------
    file_name : str
        Of the graph, or of the tensors.
    kind : str
        "ONNX graph" or "tensors".
    file_bytes, parameters : int
    layers : DataFrame
        See ``compression.graphs.model.Model.layers``; with rows, columns (of each matrix),
        energy (the sum of squares of its entries) and saving_90, _95 and _99 besides: the share
        of its numbers that its rank at that energy saves, below 0 where it grows.
    spectra : mapping
        Layer -> singular values, where they are finite.
    plan : DataFrame or None
        See ``compression.graphs.plan.Plan``; None where no layer can be made smaller.
    ranks : tuple
        Of each row of the plan: pairs of a layer and its rank.
    start : int
        Row of the plan that is shown first.
    is_pair : bool
        Whether the data of the graph came in a file beside it.
    calibration : tuple or None
        The fit rows whose outputs plan and ranks keep, by activation-aware SVD; None: those of
        truncated SVD.
    not_calibrated : tuple of str
        Layers that stay with truncated SVD.
    """

    file_name: str
    kind: str
    file_bytes: int
    parameters: int
    layers: pd.DataFrame
    spectra: Mapping[str, NDArray]
    plan: pd.DataFrame | None
    ranks: tuple[tuple[tuple[str, int], ...], ...]
    start: int
    is_pair: bool
    calibration: Calibration | None = None
    not_calibrated: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return TRUNCATED if self.calibration is None else ACTIVATION_AWARE


@dataclass(frozen=True, eq=False)
class CalibratedPlan:
    """Ranks for every share of the parameters that keep what layers give on fit rows.

    Attributes
    ----------
    plan, ranks, start : as of :class:`ModelView`
    others : tuple of str
        Layers that are not calibrated.
    """

    plan: pd.DataFrame
    ranks: tuple[tuple[tuple[str, int], ...], ...]
    start: int
    others: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SmallerModel:
    """A smaller model, read back and compared before it is handed out.

    Attributes
    ----------
    file_name : str
    content : bytes
    difference : float
        Largest distance of a layer's error, ‖W − Ŵ‖ / ‖W‖, from what its spectrum promised.
    outputs : mapping
        rows, relative, largest and same: the outputs for random inputs beside the original's;
        empty where they could not be compared.
    why_not : str
        Why they could not.
    bits : int
        Of each of its weights: 32 where they are not rounded.
    """

    file_name: str
    content: bytes
    difference: float
    outputs: Mapping[str, Any]
    why_not: str
    bits: int


@dataclass(frozen=True, eq=False)
class Readings:
    """How the model may read its input, judged on validation rows.

    Attributes
    ----------
    table : DataFrame
        See ``compression.graphs.readings.JudgedReadings``; the best reading first.
    ways : tuple
        Of each row: scaling, layout and what its answers are.
    majority : float
        Score of always the same answer: the share of the largest class, or R² = 0.
    floor : float
        What always the largest class, or the mean, of the training rows scores on the test part.
    order : tuple of int or None
        Output -> class, where the classes stand in another order.
    order_names : tuple of str
        The classes in the order of the outputs; empty where it is the dataset's own.
    usable : tuple of bool
        Of each row: whether its interval lies above the largest class.
    rows : int
    task : str
    """

    table: pd.DataFrame
    ways: tuple[tuple[str, str, str], ...]
    majority: float
    floor: float
    order: tuple[int, ...] | None
    order_names: tuple[str, ...]
    usable: tuple[bool, ...]
    rows: int
    task: str


@dataclass(frozen=True, eq=False)
class JudgingData:
    """The data that a model is judged on, and the way that it reads them.

    Attributes
    ----------
    dataset : str
    title : str
        Of the dataset.
    seed : int
        Of the split.
    readings : Readings
    way : (str, str, str)
    """

    dataset: str
    title: str
    seed: int
    readings: Readings
    way: tuple[str, str, str]

    @property
    def calibration(self) -> Calibration:
        return self.dataset, self.seed, self.way


@dataclass(frozen=True, eq=False)
class AdapterView:
    """A LoRA adapter: its layers, and ranks for every share of its parameters.

    Attributes
    ----------
    file_bytes, parameters : int
        Of the files; of the pairs of matrices that can be resized.
    layers : DataFrame
        See ``compression.adapters.adapter.Adapter.layers``.
    spectra : mapping
        Layer -> singular values of its update.
    plan : DataFrame
        See ``compression.adapters.plan.AdapterPlan``.
    ranks : tuple
        Of each row of the plan: pairs of a layer and its rank.
    start : int
        Row of the plan that is shown first.
    """

    file_bytes: int
    parameters: int
    layers: pd.DataFrame
    spectra: Mapping[str, NDArray]
    plan: pd.DataFrame
    ranks: tuple[tuple[tuple[str, int], ...], ...]
    start: int


@dataclass(frozen=True, eq=False)
class ResizedView:
    """An adapter's files at other ranks, read back and compared.

    Attributes
    ----------
    files : tuple
        Pairs of a name and its content.
    energy_kept : float
        Share of the squared norm of all updates, measured on what was written.
    """

    files: tuple[tuple[str, bytes], ...]
    energy_kept: float


@dataclass(frozen=True, eq=False)
class HeadView:
    """The model's last layer under every bound.

    Attributes
    ----------
    layer : str
    table : DataFrame
        See ``compression.graphs.head_curve.HeadCurve``.
    heads : tuple
        Of each row, in the order of the model's outputs: weight (outputs, inputs), intercept.
    multipliers : tuple
        Of each row: an array of the weight's shape by class, or one number.
    original : mapping
        Of the model as it came: bound, score, score_low, score_high.
    start : int
        Row that is shown first.
    fit_rows : int
    class_names : tuple of str
        Empty for regression.
    """

    layer: str
    table: pd.DataFrame
    heads: tuple[tuple[NDArray, NDArray], ...]
    multipliers: tuple[Any, ...]
    original: Mapping[str, float]
    start: int
    fit_rows: int
    class_names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class HeadFile:
    """A model with another last layer, read back, run and compared.

    Attributes
    ----------
    file_name : str
    content : bytes
    difference : float
        Largest difference of its outputs from what was on screen.
    """

    file_name: str
    content: bytes
    difference: float
