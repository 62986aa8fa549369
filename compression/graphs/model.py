"""A model out of a file: its weights, their spectra, and the same model with smaller ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, NotApplicableError
from ..factors import Factors
from ..report import Report, keep_going
from . import spectra
from .limits import show
from .spectra import Array
from .weights import Weight

if TYPE_CHECKING:
    from .calibration import CalibratedLayer  # the import takes a second

Ranks = Mapping[str, int | None]
FACTORS_KEPT = 32_000_000
"""Numbers of the factors that a model keeps for its next ranks: 256 MB."""


class Model(ABC):
    """A model as a file holds it.

    Attributes
    ----------
    weights : tuple of Weight
        All of two or more axes, each tensor once, in the order of the file.
    file_bytes : int
        Of the files that it was read from.
    parameters : int
        Numbers of all its tensors of floating types, each tensor once.
    calibration : mapping
        Layer -> what it gives on calibration rows; empty unless :meth:`calibrate`.
    """

    weights: tuple[Weight, ...]
    file_bytes: int
    parameters: int

    def __init__(self) -> None:
        self._spectra: dict[str, Array] = {}
        self._energies: dict[str, float] = {}
        self._factors: dict[str, tuple[Array, Array]] = {}
        self.calibration: Mapping[str, CalibratedLayer] = {}

    @abstractmethod
    def matrix(self, layer: str) -> Array:
        """A weight as a float64 matrix (outputs, inputs · spatial)."""

    @abstractmethod
    def compressed(self, ranks: Ranks) -> "Model":
        """The same kind of model, with factors in place of some weights.

        Parameters
        ----------
        ranks : mapping of str to int or None
            Layer -> rank; None, as any layer that is left out, stays dense.

        Raises
        ------
        ArgumentError
            There is no such layer, or no such rank.
        NotApplicableError
            The layer cannot be compressed; the message says why.
        """

    @abstractmethod
    def to_bytes(self) -> dict[str, bytes]:
        """The files by name, in the format that the model came in."""

    def calibrate(self, x: NDArray, report: Report = keep_going) -> "Model":
        """The same model, whose spectra, ranks and factors keep what layers give on samples.

        By activation-aware SVD; layers that are not in ``calibration`` keep their own spectra.

        Parameters
        ----------
        x : ndarray, shape (rows, ...)
            As the model takes them; rows that nothing is judged on.

        Raises
        ------
        CompressionError
            The model cannot be run on them.
        """
        raise NotApplicableError(
            "tensors without a graph cannot be run: give an ONNX export to weigh directions by "
            "what the data use"
        )

    def factors(self, layer: str, rank: int) -> Factors:
        """A layer at a rank: (m, k), (k, n), and what its bias takes over."""
        name = self.weight(layer).name
        if name in self.calibration:
            return self.calibration[name].at(rank)
        left, right = self._factorize(name, rank)
        return Factors(left, right, np.zeros(len(left)))

    def _factorize(self, name: str, rank: int) -> tuple[Array, Array]:
        """Factorize at the largest rank that saves numbers: smaller ranks' factors are parts."""
        weight = self.weight(name)
        most = weight.break_even
        if rank > most or weight.max_rank > spectra.LARGEST_GRAM:
            return spectra.factorize(self.matrix(name), rank)
        if name not in self._factors:
            whole = spectra.factorize(self.matrix(name), most)
            kept = sum(left.size + right.size for left, right in self._factors.values())
            if kept + whole[0].size + whole[1].size > FACTORS_KEPT:
                return whole[0][:, :rank], whole[1][:rank]
            self._factors[name] = whole
        left, right = self._factors[name]
        return left[:, :rank], right[:rank]

    def weight_error(self, layer: str, rank: int) -> float:
        """‖W − Ŵ‖ / ‖W‖ at a rank, without the factors where the spectrum says it."""
        name = self.weight(layer).name
        if name in self.calibration:
            weight = self.matrix(name)
            return float(np.linalg.norm(weight - self.factors(name, rank).weight)) / float(
                np.linalg.norm(weight)
            )
        kept = float(np.sum(self.spectrum(name)[:rank] ** 2)) / self.energy(name)
        return float(np.sqrt(max(1 - kept, 0.0)))

    def rounded_bytes(self, bits: int = 8) -> dict[str, bytes]:
        """The files with weights of few bits; NotApplicableError where the format has none."""
        raise NotApplicableError("tensors without a graph say nothing of how codes would be read")

    def factor_names(self, layer: str) -> tuple[str, str]:
        """What a compressed model calls the two factors of a layer: (m, k) and (k, n)."""
        name = self.weight(layer).name
        return f"{name}.left", f"{name}.right"

    def weight(self, layer: str) -> Weight:
        """A weight by its name, or by one of its aliases.

        Raises
        ------
        ArgumentError
            There is none of that name.
        """
        for weight in self.weights:
            if layer == weight.name or layer in weight.aliases:
                return weight
        some = ", ".join(show(weight.name) for weight in self.weights[:5])
        more = f" and {len(self.weights) - 5} more" if len(self.weights) > 5 else ""
        raise ArgumentError(f"there is no layer {show(layer)}: there are {some or 'none'}{more}")

    def spectrum(self, layer: str) -> Array:
        """Singular values of a weight's matrix, in descending order.

        Of a calibrated layer those of W Σ^½: what its outputs vary by in each direction.

        Raises
        ------
        ArgumentError
            There is no such layer.
        NotApplicableError
            It holds values that are not finite, or none above 0.
        """
        name = self.weight(layer).name
        if name in self.calibration:
            return self.calibration[name].decomposition.singular_values
        if name not in self._spectra:
            matrix = self.matrix(name)
            values = spectra.singular_values(matrix)
            self._energies[name] = float(np.sum(matrix**2))
            self._spectra[name] = values
        return self._spectra[name]

    def energy(self, layer: str) -> float:
        """Sum of the squares of a spectrum, of the singular values not computed too."""
        name = self.weight(layer).name
        if name in self.calibration:
            return self.calibration[name].energy
        self.spectrum(layer)
        return self._energies[name]

    def measure(self, report: Report = keep_going) -> None:
        """Compute all spectra, reporting each; the rest is computed on demand."""
        for place, weight in enumerate(self.weights):
            try:
                self.spectrum(weight.name)
            except NotApplicableError:
                continue
            finally:
                done = report(place + 1, len(self.weights), None)
            if not done:
                return

    @cached_property
    def layers(self) -> Any:
        """One row a weight, as a DataFrame.

        Columns: layer, kind, shape, parameters, share (of all parameters), rank_90, rank_95,
        rank_99 (smallest ranks that keep that much of the energy), break_even (largest rank that
        saves numbers), saving_99 (share of the layer's numbers saved at rank_99; negative: it
        grows), aliases, reason ("" where it can be compressed).
        """
        import pandas as pd

        rows = [self._build_row(weight) for weight in self.weights]
        columns = ["layer", "kind", "shape", "parameters", "share", "rank_90", "rank_95"]
        columns += ["rank_99", "break_even", "saving_99", "aliases", "reason"]
        table = pd.DataFrame(rows, columns=columns)
        return table.astype(dict.fromkeys(("rank_90", "rank_95", "rank_99"), "Int64"))

    def _build_row(self, weight: Weight) -> dict[str, Any]:
        reason, ranks = weight.reason, (None, None, None)
        try:
            values = self.spectrum(weight.name)
        except NotApplicableError:
            reason = "holds values that are not finite"
        else:
            ranks = spectra.energy_ranks(values, self.energy(weight.name))  # type: ignore[assignment]
            if values[0] == 0:
                reason = reason or "is zero everywhere"
        last = ranks[2]
        return {
            "layer": weight.name,
            "kind": weight.kind,
            "shape": weight.shape,
            "parameters": weight.parameters,
            "share": weight.parameters / max(self.parameters, 1),
            "rank_90": ranks[0],
            "rank_95": ranks[1],
            "rank_99": last,
            "break_even": weight.break_even,
            "saving_99": None
            if last is None
            else 1 - weight.count_stored(last) / weight.parameters,
            "aliases": weight.aliases,
            "reason": reason,
        }

    def check_ranks(self, ranks: Ranks) -> dict[str, int]:
        """The layers to be replaced, by their own names; errors as in :meth:`compressed`."""
        checked: dict[str, int] = {}
        for layer, rank in ranks.items():
            weight = self.weight(layer)
            if rank is None:
                continue
            if weight.reason:
                raise NotApplicableError(f"layer {show(layer)} {weight.reason}")
            if isinstance(rank, bool) or not isinstance(rank, (int, np.integer)):
                raise ArgumentError(f"rank {rank!r} is no whole number: choose one, or None")
            if not 1 <= rank <= weight.max_rank:
                raise ArgumentError(
                    f"rank {rank} is not possible for layer {show(layer)}, a "
                    f"{weight.matrix_shape[0]} x {weight.matrix_shape[1]} matrix: choose 1 to "
                    f"{weight.max_rank}, or None to keep it dense"
                )
            checked[weight.name] = int(rank)
        return checked
