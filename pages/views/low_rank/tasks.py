"""The worker's side of the low-rank page: names and numbers in, plain results out."""

import pandas as pd

from compression.low_rank.approximations import LayerRanks, LayerView
from pages.shared.jobs.report import Report
from pages.shared.models.results import Origin
from pages.shared.models.tasks import load_reference, report_steps


def layer_ranks(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
) -> list[LayerRanks]:
    """What the ranks of every compressed layer hold."""
    from compression.low_rank.layer_view import layer_ranks

    dataset, reference = load_reference(origin)
    return layer_ranks(reference, dataset, method, layers, ridge=ridge)


def layer_view(
    report: Report, origin: Origin, method: str, layer: str, ridge: float = 0.0
) -> LayerView:
    """One layer's spectra, and its weight at every rank of a method."""
    from compression.low_rank.layer_view import view_layer

    dataset, reference = load_reference(origin)
    return view_layer(reference, dataset, layer, method, ridge=ridge)


def layer_errors(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """What each layer was predicted to lose, and what it does lose, at every rank."""
    import compression

    dataset, reference = load_reference(origin)
    return compression.layer_errors(
        reference,
        dataset,
        method,
        None,
        layers,
        ridge=ridge,
        calibration=calibration,
        report=report_steps(report, "rank", pd.DataFrame),
    )


def ranks_by_rule(
    report: Report,
    origin: Origin,
    ranks: tuple[int, ...],
    parameters: tuple[int, ...],
    scores: tuple[float, ...],
    reference_score: float,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """What the rules that need no further training choose, judged.

    ``parameters`` and ``scores``, on the validation part, are those of the ranks.
    """
    from compression.low_rank.rank_selection import rules_curve

    dataset, reference = load_reference(origin)
    tried = pd.DataFrame({"knob": ranks, "parameters": parameters, "validation_score": scores})
    return rules_curve(
        reference,
        dataset,
        tried,
        reference_score,
        method,
        layers,
        ridge=ridge,
        calibration=calibration,
    ).table


def cross_validate(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """Scores of every rank on rows held out, mean and standard error over folds."""
    import compression

    dataset, reference = load_reference(origin)
    return compression.cross_validated_rank(
        dataset,
        reference.model,
        reference.seed,
        method,
        layers=layers,
        ridge=ridge,
        calibration=calibration,
        report=report_steps(report, "fold", lambda _: None),
    ).table


def judge_ranks(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...],
    ranks: tuple[int, ...],
    ridge: float = 0.0,
    calibration: str = "reference",
) -> pd.DataFrame:
    """One network with a rank of its own for each of these layers; 0 keeps a layer dense."""
    import compression

    dataset, reference = load_reference(origin)
    chosen = {name: rank or None for name, rank in zip(layers, ranks, strict=True)}
    return compression.low_rank_curve(
        reference, dataset, method, [chosen], layers, ridge=ridge, calibration=calibration
    ).table


def budgets(
    report: Report,
    origin: Origin,
    unit: str,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
    calibration: str = "reference",
    epochs: int = 0,
) -> pd.DataFrame:
    """Ten budgets shared among the layers by every rule, and the scores reached."""
    import compression

    dataset, reference = load_reference(origin)
    return compression.budget_curve(
        reference,
        dataset,
        None,
        unit,
        method,
        layers,
        ridge=ridge,
        calibration=calibration,
        epochs=epochs,
        report=report_steps(report, "network", lambda curve: curve.table),
    ).table


def sensitivity(
    report: Report,
    origin: Origin,
    method: str,
    layers: tuple[str, ...] | None = None,
    ridge: float = 0.0,
) -> pd.DataFrame:
    """The validation score when one layer alone keeps a share of its numbers."""
    import compression

    dataset, reference = load_reference(origin)
    return compression.sensitivity(
        reference,
        dataset,
        method,
        layers=layers,
        ridge=ridge,
        report=report_steps(report, "layer", pd.DataFrame),
    )
