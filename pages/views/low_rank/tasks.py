"""The worker's side of the low-rank page: names and numbers in, plain results out."""

import pandas as pd

from compression.low_rank.approximations import LayerRanks, LayerView
from pages.shared.jobs.report import Report
from pages.shared.models.results import LowRankSetting, Origin
from pages.shared.models.tasks import load_reference, low_rank_arguments, report_steps


def layer_ranks(
    report: Report, origin: Origin, method: str, layers: tuple[str, ...], ridge: float
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


def layer_errors(report: Report, origin: Origin, setting: LowRankSetting) -> pd.DataFrame:
    """What each layer was predicted to lose, and what it does lose, at every rank."""
    import compression

    dataset, reference = load_reference(origin)
    steps = report_steps(report, "rank", pd.DataFrame)
    return compression.layer_errors(reference, dataset, **low_rank_arguments(setting), report=steps)


def ranks_by_rule(
    report: Report,
    origin: Origin,
    ranks: tuple[int, ...],
    parameters: tuple[int, ...],
    scores: tuple[float, ...],
    reference_score: float,
    setting: LowRankSetting,
) -> pd.DataFrame:
    """What the rules that need no further training choose, judged.

    ``parameters`` and ``scores``, on the validation part, are those of the ranks.
    """
    from compression.low_rank.rank_selection import rules_curve

    dataset, reference = load_reference(origin)
    tried = pd.DataFrame({"knob": ranks, "parameters": parameters, "validation_score": scores})
    arguments = low_rank_arguments(setting)
    return rules_curve(reference, dataset, tried, reference_score, **arguments).table


def cross_validate(report: Report, origin: Origin, setting: LowRankSetting) -> pd.DataFrame:
    """Scores of every rank on rows held out, mean and standard error over folds."""
    import compression

    dataset, reference = load_reference(origin)
    return compression.cross_validated_rank(
        dataset,
        reference.model,
        reference.seed,
        **low_rank_arguments(setting),
        report=report_steps(report, "fold", lambda _: None),
    ).table


def judge_ranks(
    report: Report, origin: Origin, setting: LowRankSetting, ranks: tuple[int, ...]
) -> pd.DataFrame:
    """One network with a rank of its own for each of the setting's layers; 0 keeps one dense."""
    import compression

    dataset, reference = load_reference(origin)
    arguments = low_rank_arguments(setting)
    chosen = {name: k or None for name, k in zip(arguments["layers"], ranks, strict=True)}
    return compression.low_rank_curve(reference, dataset, ranks=[chosen], **arguments).table


def sensitivity(
    report: Report, origin: Origin, method: str, layers: tuple[str, ...], ridge: float
) -> pd.DataFrame:
    """The validation score when one layer alone keeps a share of its numbers."""
    import compression

    dataset, reference = load_reference(origin)
    steps = report_steps(report, "layer", pd.DataFrame)
    return compression.sensitivity(
        reference, dataset, method, layers=layers, ridge=ridge, report=steps
    )
