"""The worker's side of the low-rank page: names and numbers in, plain results out."""

from typing import Any

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.results import Origin
from pages.shared.models.tasks import load_reference, report_steps

from .results import Approximations, Chosen, LayerRanks, LayerView

ENERGY_SHARES = (0.90, 0.95, 0.99)
LOSSES = (0.005, 0.01, 0.02, 0.05)  # of score


def layer_ranks(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
) -> tuple[LayerRanks, ...]:
    """What the ranks of every compressed layer hold."""
    from compression.low_rank.networks import prepare
    from compression.training import Samples

    found, trained = load_reference(origin)
    family = prepare(trained, Samples(found), method, layers, ridge=ridge)
    return tuple(_ranks(name, d) for name, d in family.decompositions.items())


def _ranks(name: str, decomposition: Any) -> LayerRanks:
    stages = [0]
    for rank in range(1, decomposition.max_rank + 1):
        part = decomposition.at(rank)
        stages.append(len(part.stages) if hasattr(part, "stages") else 2)
    return LayerRanks(
        name, decomposition.parameters, decomposition.dense_parameters, np.array(stages)
    )


def layer_view(
    report: Report,
    origin: Origin,
    method: str,
    layer: str,
    ridge: float = 0.0,
) -> LayerView:
    """One layer's spectra, and its weight at every rank of a method."""
    import torch

    import compression
    from compression import network
    from compression.low_rank.calibration import covariance
    from compression.low_rank.layers import KINDS, decompose_layer, input_rows

    found, trained = load_reference(origin)
    parts = network.layers(trained.network)
    part, entry = parts[layer], compression.LOW_RANK_METHODS[method]
    start = list(dict(trained.network.named_children())).index(layer)
    with torch.inference_mode():
        x = trained.network[:start](torch.from_numpy(found.x_train[found.fit_rows]))
        inputs = input_rows(part, x)
    weight = network.matrix(part)
    decomposition = patterns = None
    if KINDS[type(part)] in entry.layers:
        decomposition = decompose_layer(layer, part, method, inputs, ridge=ridge, seed=trained.seed)
        if layer == next(iter(parts)):
            patterns = _patterns(decomposition, part, found.input_shape)
    unfolded = weight if decomposition is None else _unfolded(decomposition, weight)
    singular_values = np.linalg.svd(unfolded.astype(np.float64), compute_uv=False)
    spectra = {
        "weight": singular_values,
        "weighted": _roots(covariance(inputs, through=weight.astype(np.float64)), weight.shape),
        "inputs": _roots(covariance(inputs), (inputs.shape[1],)),
    }
    last = layer == list(parts)[-1] and found.task == "classification"
    return LayerView(
        name=layer,
        method=method,
        weight=weight,
        unfolding=_unfolding(method, unfolded.shape) if part.weight.ndim > 2 else "",
        spectra=spectra,
        approximations=None
        if decomposition is None
        else _approximations(layer, decomposition, weight.shape, entry.needs_inputs),
        marks=_marks(
            singular_values, unfolded.shape, decomposition, found.classes if last else None
        ),
        patterns=patterns,
    )


def _unfolded(decomposition: Any, weight: np.ndarray) -> np.ndarray:
    """The matrix that a method truncates, where it is a kernel's other unfolding."""
    from compression.low_rank.spatial_svd import SpatialStages, unfolded

    if isinstance(decomposition, SpatialStages):
        return unfolded(decomposition.kernel)
    return weight


def _unfolding(method: str, shape: tuple[int, int]) -> str:
    rows, columns = shape
    sides = ("output channel", "input channel and place in the kernel")
    if method == "spatial_svd":
        sides = ("input channel and row of the kernel", "output channel and column of the kernel")
    return f"{rows} × {columns}: a row for each {sides[0]}, a column for each {sides[1]}"


def _roots(matrix: np.ndarray, sides: tuple[int, ...]) -> np.ndarray:
    """Square roots of the eigenvalues of a covariance, descending, at most as many as a side has."""
    values = np.linalg.eigvalsh(matrix)[::-1][: min(sides)]
    return np.sqrt(np.maximum(values, 0.0))


def _approximations(
    name: str, decomposition: Any, shape: tuple[int, int], looks_at_inputs: bool
) -> Approximations:
    matrix = _matrix(decomposition)
    whole = None
    if matrix is None:
        ranks = range(1, decomposition.max_rank + 1)
        whole = np.stack([decomposition.at(rank).kernel.reshape(shape) for rank in ranks])
    return Approximations(
        left=None if matrix is None else matrix.left,
        right=None if matrix is None else matrix.right,
        whole=whole,
        errors=decomposition.errors,
        ranks=_ranks(name, decomposition),
        looks_at_inputs=looks_at_inputs,
    )


def _matrix(decomposition: Any) -> Any:
    """The factors of every rank, or None where a method's ranks share none."""
    from compression.low_rank.decomposition import Decomposition
    from compression.low_rank.kernels import Unfolded

    if isinstance(decomposition, Unfolded):
        return decomposition.matrix
    return decomposition if isinstance(decomposition, Decomposition) else None


def _marks(
    singular_values: np.ndarray,
    shape: tuple[int, int],
    decomposition: Any,
    classes: int | None,
) -> dict[str, float]:
    """The weight's marks; break-even and energy ranks are the method's own where it has any."""
    from compression.errors import ArgumentError
    from compression.low_rank.selection import rank_for_energy
    from compression.low_rank.spectrum import markers

    marks = markers(singular_values, shape, classes)
    if decomposition is not None:
        marks["break_even"] = float(_ranks("", decomposition).break_even)
        for share in ENERGY_SHARES:
            name = f"energy_{share * 100:.0f}"
            try:
                marks[name] = float(rank_for_energy(decomposition.errors, share))
            except ArgumentError:  # no rank keeps as much
                marks.pop(name, None)
    return marks


def _patterns(decomposition: Any, part: Any, input_shape: tuple[int, ...]) -> np.ndarray | None:
    """Rows of the right factor in the shape of what they are multiplied with: first channel."""
    matrix = _matrix(decomposition)
    if matrix is None:
        return None
    shape = part.weight.shape[1:]
    if len(shape) == 1:
        shape = input_shape
    if len(shape) < 2 or shape[-1] < 2:
        return None
    return matrix.right.reshape(-1, *shape)[:, 0]


def layer_errors(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """What each layer was predicted to lose, and what it does lose, at every rank."""
    from compression.low_rank.layer_errors import layer_errors

    found, trained = load_reference(origin)

    return layer_errors(
        trained,
        found,
        method,
        None,
        layers,
        ridge=ridge,
        calibration=calibration,
        report=report_steps(report, "rank", pd.DataFrame),
    )


def chosen_ranks(
    report: Report,
    origin: Origin,
    tried: tuple[int, ...],
    scores: tuple[float, ...],
    reference_score: float,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> Chosen:
    """What the rules that need no further training choose, judged: energy shares, losses allowed.

    ``scores`` are those of the ranks ``tried``, and of the reference, on the validation part.
    """
    import compression
    from compression.errors import ArgumentError
    from compression.low_rank.choosing import ranks_for_energy
    from compression.low_rank.networks import prepare
    from compression.low_rank.selection import rank_within_loss
    from compression.training import Samples

    found, trained = load_reference(origin)
    family = prepare(trained, Samples(found), method, layers, ridge=ridge)
    names: list[str] = []
    ranks: list[dict[str, int | None]] = []
    for share in ENERGY_SHARES:
        names.append(f"{100 * share:.0f} % of each layer's energy")
        ranks.append(ranks_for_energy(trained, found, share, method, layers, ridge=ridge))
    for loss in LOSSES:
        lost = f"{loss:g} of R²"
        if found.task == "classification":
            lost = f"{100 * loss:g} point{'' if loss == 0.01 else 's'}"
        names.append(f"at most {lost} lost on validation")
        try:
            effective = family.effective(rank_within_loss(tried, scores, loss, reference_score))
        except ArgumentError:  # no rank is that good: what is left is the reference itself
            effective = {}
        ranks.append({**dict.fromkeys(family.layers), **effective})
    judged = compression.low_rank_curve(
        trained, found, method, ranks, layers, ridge=ridge, calibration=calibration
    )
    return Chosen(judged.table.assign(rule=names), judged.reference, ranks)


def cross_validated(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """Scores of every rank on rows held out, mean and standard error over folds."""
    from compression.low_rank.choosing import cross_validated_rank

    found, trained = load_reference(origin)

    return cross_validated_rank(
        found,
        trained.model,
        trained.seed,
        method,
        layers=layers,
        ridge=ridge,
        calibration=calibration,
        report=report_steps(report, "fold", lambda _: None),
    ).table


def by_hand(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...],
    ranks: tuple[int, ...],
    ridge: float = 0.0,
    calibration: str = "reference",
) -> Chosen:
    """One network with a rank of its own for each of these layers; 0 keeps a layer dense."""
    import compression

    found, trained = load_reference(origin)
    own = {name: rank or None for name, rank in zip(layers, ranks, strict=True)}
    curve = compression.low_rank_curve(
        trained, found, method, [own], layers, ridge=ridge, calibration=calibration
    )
    return Chosen(curve.table.assign(rule="by hand"), curve.reference, [own])


def budgets(
    report: Report,
    origin: Origin,
    unit: str,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
) -> Chosen:
    """Ten budgets shared among the layers by every rule, and the scores reached."""
    from compression.low_rank.budgets import budget_curve

    found, trained = load_reference(origin)

    return _shared(
        budget_curve(
            trained,
            found,
            None,
            unit,
            method,
            layers,
            ridge=ridge,
            calibration=calibration,
            epochs=epochs,
            report=report_steps(report, "network", _shared),
        )
    )


def _shared(curve: Any) -> Chosen:
    return Chosen(curve.table.drop(columns="ranks"), curve.reference, curve.table["ranks"].tolist())


def sensitivity(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
) -> pd.DataFrame:
    """The validation score when one layer alone keeps a share of its numbers."""
    from compression.low_rank.sensitivity import sensitivity

    found, trained = load_reference(origin)

    return sensitivity(
        trained,
        found,
        method,
        layers=layers,
        ridge=ridge,
        report=report_steps(report, "layer", pd.DataFrame),
    )
