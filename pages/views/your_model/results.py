"""What the page on one's own model is handed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray


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
        See ``compression.graphs.model.Model.layers``; with rows, columns (of each matrix) and
        energy (the sum of squares of its entries) besides.
    spectra : mapping
        Layer -> singular values, where they are finite.
    plan : DataFrame or None
        See ``compression.graphs.plan.Plan``; None where no layer can be made smaller.
    ranks : tuple
        Of each row of the plan: pairs of a layer and its rank.
    start : int
        Row of the plan that is shown first.
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


@dataclass(frozen=True, eq=False)
class Built:
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
    """

    file_name: str
    content: bytes
    difference: float
    outputs: Mapping[str, Any]
    why_not: str


@dataclass(frozen=True, eq=False)
class Readings:
    """How the model may read its input, judged on validation rows.

    Attributes
    ----------
    table : DataFrame
        See ``compression.graphs.readings.Judged``; the best reading first.
    ways : tuple
        Of each row: scaling and layout.
    majority : float
        Share of the largest class.
    order : tuple of int or None
        Output -> class, where the classes stand in another order.
    order_names : tuple of str
        The classes in the order of the outputs; empty where it is the dataset's own.
    usable : tuple of bool
        Of each row: whether its interval lies above the largest class.
    rows : int
    """

    table: pd.DataFrame
    ways: tuple[tuple[str, str], ...]
    majority: float
    order: tuple[int, ...] | None
    order_names: tuple[str, ...]
    usable: tuple[bool, ...]
    rows: int


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
