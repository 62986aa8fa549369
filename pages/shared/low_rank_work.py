"""The worker's side of the low-rank page: names and numbers in, plain results out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .low_rank_results import Approximations, Chosen, LayerView
from .results import Traded
from .work import Report, _restored, _traded

ENERGY_SHARES = (0.90, 0.95, 0.99)
LOSSES = (0.005, 0.01, 0.02, 0.05)  # of score
TUNED_RANKS = 16  # at most so many are trained: each costs its epochs


def layer_view(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str, layer: str
) -> LayerView:
    """One layer's spectra, and its weight at every rank of a method."""
    import torch

    import compression
    from compression import network
    from compression.low_rank.calibration import covariance
    from compression.low_rank.networks import KINDS, decompose_layer, input_rows

    found, trained = _restored(file, dataset, model, seed)
    parts = network.layers(trained.network)
    part, entry = parts[layer], compression.LOW_RANK_METHODS[method]
    start = list(dict(trained.network.named_children())).index(layer)
    with torch.inference_mode():
        x = trained.network[:start](torch.from_numpy(found.x_train[found.fit_rows]))
        inputs = input_rows(part, x)
    weight = network.matrix(part)
    singular_values = np.linalg.svd(weight.astype(np.float64), compute_uv=False)
    spectra = {
        "weight": singular_values,
        "weighted": _roots(covariance(inputs, through=weight.astype(np.float64)), weight.shape),
        "inputs": _roots(covariance(inputs), (inputs.shape[1],)),
    }
    approximations = patterns = None
    if KINDS[type(part)] in entry.layers:
        decomposition = decompose_layer(layer, part, method, inputs, seed=seed)
        approximations = _approximations(decomposition, weight.shape, entry.needs_inputs)
        if layer == next(iter(parts)) and approximations.right is not None:
            patterns = _patterns(approximations.right, part, found.input_shape)
    last = layer == list(parts)[-1] and found.task == "classification"
    return LayerView(
        name=layer,
        method=method,
        weight=weight,
        spectra=spectra,
        approximations=approximations,
        marks=_marks(singular_values, weight.shape, approximations, found.classes if last else 0),
        patterns=patterns,
    )


def _roots(matrix: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """Square roots of the eigenvalues of a covariance, descending, at most as many as a side has."""
    values = np.linalg.eigvalsh(matrix)[::-1][: min(sides)]
    return np.sqrt(np.maximum(values, 0.0))


def _approximations(
    decomposition: Any, shape: tuple[int, int], looks_at_inputs: bool
) -> Approximations:
    from compression.low_rank.kernels import Unfolded

    matrix = decomposition.matrix if isinstance(decomposition, Unfolded) else decomposition
    factors = hasattr(matrix, "left")
    whole = None
    if not factors:
        ranks = range(1, decomposition.max_rank + 1)
        whole = np.stack([decomposition.at(rank).kernel.reshape(shape) for rank in ranks])
    return Approximations(
        left=matrix.left if factors else None,
        right=matrix.right if factors else None,
        whole=whole,
        errors=decomposition.errors,
        parameters=decomposition.parameters,
        dense_parameters=decomposition.dense_parameters,
        looks_at_inputs=looks_at_inputs,
    )


def _marks(
    singular_values: np.ndarray,
    shape: tuple[int, int],
    approximations: Approximations | None,
    classes: int,
) -> dict[str, float]:
    """The weight's marks; break-even and energy ranks are the method's own where it has any."""
    from compression.low_rank.selection import rank_for_energy
    from compression.low_rank.spectrum import markers

    marks = markers(singular_values, shape, classes or None)
    if approximations is not None:
        marks["break_even"] = float(approximations.break_even)
        for share in ENERGY_SHARES:
            name = f"energy_{share * 100:.0f}"
            if approximations.kept[-1] >= share:
                marks[name] = float(rank_for_energy(approximations.errors, share))
            else:
                marks.pop(name, None)
    return marks


def _patterns(right: np.ndarray, part: Any, input_shape: tuple[int, ...]) -> np.ndarray | None:
    """Rows of the right factor in the shape of what they are multiplied with: first channel."""
    shape = part.weight.shape[1:]
    if len(shape) == 1:
        shape = input_shape
    if len(shape) < 2 or shape[-1] < 2:
        return None
    return right.reshape(-1, *shape)[:, 0]


def layer_errors(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str
) -> pd.DataFrame:
    """What each layer was predicted to lose, and what it does lose, at every rank."""
    from compression.low_rank.layer_errors import layer_errors

    found, trained = _restored(file, dataset, model, seed)

    def watched(done: int, total: int, table: Callable[[], pd.DataFrame]) -> bool:
        return report(done, total, table, f"rank {done} of {total}")

    return layer_errors(trained, found, method, report=watched)


def curve_of(
    report: Report,
    file: bytes,
    dataset: str,
    model: str,
    seed: int,
    method: str,
    layers: tuple[str, ...],
) -> Traded:
    """Every rank of one method on these layers."""
    import compression

    found, trained = _restored(file, dataset, model, seed)

    def watched(done: int, total: int, curve: Callable[[], Any]) -> bool:
        return report(done, total, lambda: _traded(curve()), f"rank {done} of {total}")

    return _traded(
        compression.low_rank_curve(trained, found, method=method, layers=layers, report=watched)
    )


def tuned_curve(
    report: Report,
    file: bytes,
    dataset: str,
    model: str,
    seed: int,
    method: str,
    layers: tuple[str, ...],
    epochs: int,
) -> Traded:
    """The fair baseline: each rank trained on for some epochs; ranks are spaced by ratio."""
    import compression
    from compression.low_rank.networks import prepare
    from compression.training import Samples

    found, trained = _restored(file, dataset, model, seed)
    family = prepare(trained, Samples(found), method, layers)
    largest = max(
        int(np.flatnonzero(d.parameters < d.dense_parameters)[-1])
        for d in family.decompositions.values()
    )
    ranks = np.unique(np.geomspace(1, max(largest, 1), TUNED_RANKS).round().astype(int)).tolist()

    def watched(done: int, total: int, curve: Callable[[], Any]) -> bool:
        return report(done, total, lambda: _traded(curve()), f"rank {done} of {total}")

    curve = compression.low_rank_curve(
        trained, found, method, ranks, layers, epochs=epochs, report=watched
    )
    return _traded(curve)


def chosen_ranks(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str
) -> Chosen:
    """What the rules that need no further training choose, judged: energy shares, losses allowed."""
    import compression
    from compression.errors import ArgumentError
    from compression.low_rank.choosing import rank_within, ranks_for_energy
    from compression.low_rank.networks import prepare
    from compression.training import Samples

    found, trained = _restored(file, dataset, model, seed)
    curve = compression.low_rank_curve(trained, found, method=method)
    names: list[str] = []
    ranks: list[dict[str, int | None]] = []
    for share in ENERGY_SHARES:
        names.append(f"{100 * share:.0f} % of each layer's energy")
        ranks.append(ranks_for_energy(trained, found, share, method))
    dense: dict[str, int | None] = dict.fromkeys(curve.spectra)
    family = prepare(trained, Samples(found), method)
    for loss in LOSSES:
        lost = f"{loss:g} of R²"
        if found.task == "classification":
            lost = f"{100 * loss:g} point{'' if loss == 0.01 else 's'}"
        names.append(f"at most {lost} lost on validation")
        try:
            effective = family.effective(rank_within(curve, loss))
        except ArgumentError:  # no rank is that good: what is left is the reference itself
            effective = {}
        ranks.append({**dense, **effective})
    judged = compression.low_rank_curve(trained, found, method=method, ranks=ranks)
    return Chosen(judged.table.assign(rule=names), judged.reference, ranks)


def cross_validated(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str
) -> pd.DataFrame:
    """Scores of every rank on rows held out, mean and standard error over folds."""
    from compression.low_rank.choosing import cross_validated_rank

    found, _ = _restored(file, dataset, model, seed)

    def watched(done: int, total: int, folds: Callable[[], Any]) -> bool:
        return report(done, total, None, f"fold {done} of {total}")

    return cross_validated_rank(found, model, seed, method, report=watched).table


def by_hand(
    report: Report,
    file: bytes,
    dataset: str,
    model: str,
    seed: int,
    method: str,
    layers: tuple[str, ...],
    ranks: tuple[int, ...],
) -> Chosen:
    """One network with a rank of its own for each layer; 0 keeps a layer dense."""
    import compression

    found, trained = _restored(file, dataset, model, seed)
    own = {name: rank or None for name, rank in zip(layers, ranks, strict=True)}
    curve = compression.low_rank_curve(trained, found, method=method, ranks=[own])
    return Chosen(curve.table.assign(rule="by hand"), curve.reference, [own])


def budgets(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str, unit: str
) -> Chosen:
    """Ten budgets shared among the layers by every rule, and the scores reached."""
    from compression.low_rank.budgets import budget_curve

    found, trained = _restored(file, dataset, model, seed)

    def watched(done: int, total: int, curve: Callable[[], Any]) -> bool:
        return report(done, total, lambda: _shared(curve()), f"network {done} of {total}")

    return _shared(budget_curve(trained, found, unit=unit, method=method, report=watched))


def _shared(curve: Any) -> Chosen:
    return Chosen(curve.table.drop(columns="ranks"), curve.reference, curve.table["ranks"].tolist())


def sensitivity(
    report: Report, file: bytes, dataset: str, model: str, seed: int, method: str
) -> pd.DataFrame:
    """The validation score when one layer alone keeps a share of its numbers."""
    from compression.low_rank.sensitivity import sensitivity

    found, trained = _restored(file, dataset, model, seed)

    def watched(done: int, total: int, table: Callable[[], pd.DataFrame]) -> bool:
        return report(done, total, table, f"layer {done} of {total}")

    return sensitivity(trained, found, method, report=watched)
