"""An adapter's spectra, its ranks under a budget, and its file at other ranks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from numpy.typing import NDArray

from ..argument_checks import check_arguments
from ..errors import ArgumentError, CancelledError, NotApplicableError, StorageError
from ..low_rank.allocation import Allocation, allocate
from ..low_rank.rank_choices import RankChoices
from ..low_rank.spectrum import ENERGY_SHARES, energy_ranks
from ..report import Report, keep_going
from ..tensor_file import read_metadata
from .files import find_config_file, find_weights_file, read_files
from .pairs import Pair, as_matrices, find_pairs
from .peft_config import PeftConfig
from .product import distance, singular_values, truncate

Array = NDArray[np.floating]

_ROUNDING = {torch.float16: 2**-9, torch.bfloat16: 2**-7, torch.float32: 1e-5, torch.float64: 1e-7}
"""By how much a written product may differ from the computed one, relative to it."""
# kohya's tools write these hashes of the tensors. A resized file has other tensors.
_HASHES = ("sshs_model_hash", "sshs_legacy_hash")


@dataclass(frozen=True, eq=False)
class ResizedAdapter:
    """The files of an adapter at other ranks.

    Attributes
    ----------
    files : dict
        Name -> content; the names are those of the files that were read.
    table : DataFrame
        One row a layer: layer, kind, shape, rank, rank_after, parameters, parameters_after,
        energy_kept (share of the update's squared norm, measured on what was written), reason.
    """

    files: dict[str, bytes]
    table: pd.DataFrame

    @property
    def energy_kept(self) -> float:
        """Share of the squared norm of all updates together."""
        whole = self.table["energy"].sum()
        return (
            float((self.table["energy_kept"] * self.table["energy"]).sum() / whole)
            if whole
            else 1.0
        )


class Adapter:
    """An adapter as it was read: :func:`read_adapter` builds it.

    Attributes
    ----------
    layers : DataFrame
        One row a layer: layer, kind, shape, rank, parameters, scale, rank_90, rank_95, rank_99
        (smallest ranks that keep so many percent of the energy), reason ("" where the layer can
        be resized).
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        tensors: dict[str, torch.Tensor],
        pairs: list[Pair],
        config: PeftConfig | None,
        report: Report,
    ):
        self._files, self._tensors, self._config = dict(files), tensors, config
        self._pairs = {pair.layer: pair for pair in pairs}
        self._spectra: dict[str, Array] = {}
        for done, pair in enumerate(pairs, start=1):
            if not pair.reason:
                up, down = as_matrices(pair, tensors)
                self._spectra[pair.layer] = abs(pair.scale) * singular_values(up, down).numpy()
            if not report(done, len(pairs), None):
                raise CancelledError(f"stopped after {done} of {len(pairs)} layers")
        if not self._spectra:
            raise NotApplicableError(f"no layer of this adapter can be resized: {pairs[0].reason}")
        self.layers = pd.DataFrame([self._build_row(pair) for pair in pairs])

    def _build_row(self, pair: Pair) -> dict[str, object]:
        spectrum = self._spectra.get(pair.layer)
        ranks = dict.fromkeys(ENERGY_SHARES, 0)
        if spectrum is not None and spectrum[0] > 0:
            ranks = energy_ranks(spectrum)
        return {
            "layer": pair.layer,
            "kind": pair.kind,
            "shape": f"{pair.shape[0]} x {pair.shape[1]}",
            "rank": pair.rank,
            "parameters": pair.parameters(pair.rank),
            "scale": pair.scale,
            **{f"rank_{share:.0%}".rstrip("%"): rank for share, rank in ranks.items()},
            "reason": pair.reason,
        }

    @property
    def parameters(self) -> int:
        """Numbers that the layers hold that can be resized: what a budget is a part of."""
        return sum(self._pairs[name].parameters(self._pairs[name].rank) for name in self._spectra)

    @property
    def fewest_parameters(self) -> int:
        """The same at rank 1 everywhere: the smallest budget."""
        return sum(self._pairs[name].parameters(1) for name in self._spectra)

    def spectrum(self, layer: str) -> Array:
        """Singular values of a layer's update, its scale included, in descending order; (r,).

        Raises ArgumentError for a layer that is not there or cannot be resized.
        """
        if layer not in self._spectra:
            raise ArgumentError(
                f"layer {layer!r} has no spectrum: choose from {', '.join(self._spectra)}"
            )
        return self._spectra[layer]

    def allocate(
        self, budget: int, rule: str = "exact", resolution: float | None = None
    ) -> Allocation:
        """The ranks that keep most of the updates' squared norm within a budget of parameters.

        Solves  min Σ_l ‖ΔW_l − ΔŴ_l‖²  subject to  Σ_l r_l (m_l + n_l) ≤ B,  1 ≤ r_l.

        Raises
        ------
        ArgumentError
            The budget is below :attr:`fewest_parameters`, or there is no such rule.
        """
        whole = sum(float(np.sum(s**2)) for s in self._spectra.values()) or 1.0
        layers = {}
        for name, spectrum in self._spectra.items():
            pair = self._pairs[name]
            tails = np.append(np.cumsum(spectrum[::-1] ** 2)[::-1][1:], 0.0) / whole
            costs = np.arange(1, len(spectrum) + 1) * sum(pair.shape)
            layers[name] = RankChoices(tails, costs, pair.parameters(pair.rank))
        return allocate(layers, budget, rule, resolution)

    def resize(
        self, ranks: Mapping[str, int | None], report: Report = keep_going
    ) -> ResizedAdapter:
        """The files at these ranks, read back and compared before they are handed out.

        Parameters
        ----------
        ranks : mapping of str to int or None
            Layer -> rank; None, and a layer that is not named: as it is, bit by bit.
        report : callable

        Raises
        ------
        ArgumentError
            There is no such layer, or it has no such rank.
        StorageError
            What was written is not what was computed: its numbers overflow their type.
        CancelledError
            The report said no.
        """
        self._check(ranks)
        tensors, wanted = (
            dict(self._tensors),
            {name: pair.rank for name, pair in self._pairs.items()},
        )
        smaller = {n: k for n, k in ranks.items() if k is not None and k != self._pairs[n].rank}
        for done, (name, rank) in enumerate(smaller.items(), start=1):
            wanted[name] = rank
            tensors |= self._truncate(self._pairs[name], rank)
            if not report(done, len(smaller), None):
                raise CancelledError(f"stopped after {done} of {len(smaller)} layers")
        files = self._write(tensors, wanted)
        return ResizedAdapter(files, self._compare(files, wanted))

    def _check(self, ranks: Mapping[str, int | None]) -> None:
        for name, rank in ranks.items():
            largest = len(self.spectrum(name))
            if rank is None or rank == self._pairs[name].rank:
                continue
            if isinstance(rank, bool) or int(rank) != rank or not 1 <= rank <= largest:
                raise ArgumentError(
                    f"layer {name}: rank {rank} is not possible: choose 1 to {largest}"
                )

    def _truncate(self, pair: Pair, rank: int) -> dict[str, torch.Tensor]:
        up, down = truncate(*as_matrices(pair, self._tensors), rank)
        changed = {}
        if pair.alpha:
            old = self._tensors[pair.alpha]
            alpha = torch.full_like(old, pair.scale * rank)
            changed[pair.alpha] = alpha
            # Alpha's type may round the scale. The factors take the rest of it.
            scale = float(alpha) / rank
            up = up * (pair.scale / scale if scale else 1.0)
        for name, matrix, axis in ((pair.up, up, 1), (pair.down, down, 0)):
            old = self._tensors[name]
            shape = list(old.shape)
            shape[axis] = rank
            changed[name] = matrix.reshape(shape).to(old.dtype).contiguous()
            if not torch.isfinite(changed[name]).all():
                raise _make_rank_error(pair, rank, old.dtype)
        return changed

    def _write(
        self, tensors: dict[str, torch.Tensor], ranks: Mapping[str, int]
    ) -> dict[str, bytes]:
        if all(ranks[name] == pair.rank for name, pair in self._pairs.items()):
            return dict(self._files)
        file = find_weights_file(self._files)
        noted = _note_again(read_metadata(self._files[file]), set(ranks.values()))
        written = self._files | {file: safetensors.torch.save(tensors, noted)}
        config, name = self._config, find_config_file(self._files)
        if config is not None and name is not None:
            wanted = {
                layer: config.find(layer)
                if pair.reason or ranks[layer] == pair.rank
                else (ranks[layer], config.alpha_at(ranks[layer], pair.scale))
                for layer, pair in self._pairs.items()
            }
            written[name] = config.resize(wanted)
        return written

    def _compare(self, files: Mapping[str, bytes], ranks: Mapping[str, int]) -> pd.DataFrame:
        """The table of what was written, from its bytes alone."""
        again, config = read_files(files)
        pairs = {pair.layer: pair for pair in find_pairs(again, config)}
        rows = []
        for name, pair in self._pairs.items():
            row = {
                "layer": name, "kind": pair.kind, "shape": f"{pair.shape[0]} x {pair.shape[1]}",
                "rank": pair.rank, "rank_after": pairs[name].rank,
                "parameters": pair.parameters(pair.rank),
                "parameters_after": pair.parameters(pairs[name].rank),
                "energy": np.nan, "energy_kept": np.nan, "reason": pair.reason,
            }  # fmt: skip
            if not pair.reason:
                spectrum = self._spectra[name]
                up, down = as_matrices(pair, self._tensors)
                up_after, down_after = as_matrices(pairs[name], again)
                lost = distance(
                    (up.double() * pair.scale, down),
                    (up_after.double() * pairs[name].scale, down_after),
                )
                whole, tail = np.linalg.norm(spectrum), np.linalg.norm(spectrum[ranks[name] :])
                kept = 1 - (lost / whole) ** 2 if whole else 1.0
                row |= {"energy": float(whole**2), "energy_kept": float(kept)}
                if not abs(lost - tail) <= _ROUNDING[self._tensors[pair.up].dtype] * whole:
                    raise _make_rank_error(pair, ranks[name], self._tensors[pair.up].dtype)
            rows.append(row)
        return pd.DataFrame(rows)


def _make_rank_error(pair: Pair, rank: int, dtype: torch.dtype) -> StorageError:
    return StorageError(
        f"layer {pair.layer[:200]!r} cannot be written at rank {rank}: its numbers do not fit the type "
        f"{str(dtype).removeprefix('torch.')}; give the adapter as float32"
    )


def _note_again(noted: dict[str, str] | None, ranks: set[int]) -> dict[str, str] | None:
    """A file's metadata without what no longer holds."""
    if noted is None:
        return None
    changed = {"ss_network_alpha": "Dynamic"} | {
        "ss_network_dim": str(*ranks) if len(ranks) == 1 else "Dynamic"
    }
    return {key: changed.get(key, text) for key, text in noted.items() if key not in _HASHES}


@check_arguments
def read_adapter(files: Mapping[str, bytes], report: Report = keep_going) -> Adapter:
    """Read a LoRA adapter and decompose all its layers.

    Parameters
    ----------
    files : mapping of str to bytes
        Name -> content: one safetensors file, and the adapter_config.json of PEFT's layout.
        kohya's layout says by its own tensors how it is scaled.
    report : callable
        Called after each layer with (done, total, None); False stops.

    Raises
    ------
    StorageError
        The files are none, damaged, too large, not scaled, or hold values that are not finite.
    NotApplicableError
        No layer can be resized.
    CancelledError
        The report said no.
    """
    tensors, config = read_files(files)
    return Adapter(files, tensors, find_pairs(tensors, config), config, report)


@check_arguments
def resize_adapter(
    files: Mapping[str, bytes], budget: int, rule: str = "exact", report: Report = keep_going
) -> ResizedAdapter:
    """An adapter's file at the ranks that keep most of it within a budget.

    Every layer's spectrum is exact: that of ``scale · up · down``, from two thin QRs and one
    r x r SVD. Factors have equal norms; the layout, types, metadata and all other tensors stay;
    alpha changes with the rank, so that the scale alpha / r (or alpha / √r) does not.

    Parameters
    ----------
    files : mapping of str to bytes
        As for :func:`read_adapter`.
    budget : int
        Numbers that all pairs of matrices together may hold.
    rule : str
        See :func:`compression.allocate_ranks`.
    report : callable

    Returns
    -------
    ResizedAdapter

    Raises
    ------
    ArgumentError
        The budget is below what rank 1 everywhere needs; the message says how much that is.
    StorageError, NotApplicableError, CancelledError
        As :func:`read_adapter`.
    """
    adapter = read_adapter(files, report)
    return adapter.resize(adapter.allocate(budget, rule).ranks, report)
