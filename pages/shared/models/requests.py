"""The reference and each curve that more than one page asks for, as jobs.

The same names and numbers are the same job, for every session and every page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compression import COMBINED_METHODS, CONSTRAINED_METHODS, LOW_RANK_METHODS, CompressionError
from pages.shared import jobs
from pages.shared.jobs import Job

from . import constrained_tasks, tasks
from .results import (
    OWN_RECIPE,
    ConstrainedView,
    CurveView,
    FormatView,
    Layer,
    LowRankSetting,
    TrainedReference,
    Training,
)

PATH = constrained_tasks.PATH
USUAL_WAY = "projected_training"  # of a network, unless another is chosen
DEFAULT_EPOCHS = 3  # passes over the training rows for each bound
EQUAL_EPOCHS = tasks.EQUAL_EPOCHS
COMBINED_RANKS = 6  # most ranks: each is computed at every bound


@dataclass(frozen=True)
class Way:
    """How the bounds are met.

    Attributes
    ----------
    name : str
        Of ``compression.CONSTRAINED_METHODS``; for a convex model ``PATH``, or of
        ``compression.SOLVERS``.
    epochs : int
        Passes over the training rows for each bound, of methods that train.
    penalties : (float, float) or None
        First and last μ of learning–compression; None: its own.
    warm_start : bool
        Each bound goes on from the one before; False: each starts from the reference, with as
        many epochs as any. Of methods that train.
    """

    name: str
    epochs: int = DEFAULT_EPOCHS
    penalties: tuple[float, float] | None = None
    warm_start: bool = True


def reference(
    dataset: str, model: str, seed: int, training: Training = OWN_RECIPE
) -> Job[TrainedReference]:
    """The reference network of a dataset, a model, a seed, and how it is trained."""
    return jobs.submit(tasks.reference, dataset=dataset, model=model, seed=seed, training=training)


def list_possible_layers(trained: TrainedReference, method: str) -> list[Layer]:
    """The layers that a method can compress."""
    kinds = LOW_RANK_METHODS[method].layers
    return [layer for layer in trained.layers if layer.kind in kinds]


def compressed_layers(trained: TrainedReference, method: str) -> tuple[str, ...]:
    """The layers that a method compresses unless told otherwise: the linear ones, if it can."""
    possible = list_possible_layers(trained, method)
    linear = [layer for layer in possible if layer.kind == "linear"]
    return tuple(layer.name for layer in linear or possible)


def complete_setting(trained: TrainedReference, setting: LowRankSetting | str) -> LowRankSetting:
    """The setting of a method by its defaults: its own layers, the reference's inputs."""
    if isinstance(setting, str):
        return LowRankSetting(setting, compressed_layers(trained, setting))
    return setting


def low_rank_curve(
    trained: TrainedReference,
    setting: LowRankSetting | str,
    epochs: int = 0,
    ranks: tuple[int, ...] | None = None,
) -> Job[CurveView]:
    """Every rank of a method, or these; with epochs, ranks spaced by ratio, each trained on."""
    setting = complete_setting(trained, setting)
    return jobs.submit(tasks.low_rank_curve, trained.origin, setting, epochs, ranks)


def budget_curve(
    trained: TrainedReference, setting: LowRankSetting | str, unit: str, epochs: int = 0
) -> Job[CurveView]:
    """Ten budgets in a unit of cost, shared among the layers by every rule."""
    setting = complete_setting(trained, setting)
    return jobs.submit(tasks.budget_curve, trained.origin, unit, setting, epochs)


def low_rank_file(
    trained: TrainedReference, setting: LowRankSetting | str, rank: int, epochs: int = 0
) -> bytes:
    """The model file of one row of that curve; waits for it, see :func:`fetch`."""
    setting = complete_setting(trained, setting)
    return fetch(jobs.submit(tasks.low_rank_file, trained.origin, setting, rank, epochs))


def default_way(trained: TrainedReference) -> Way:
    """A convex model is solved on its path, a network trained with projections."""
    return Way(PATH if trained.convex else USUAL_WAY)


def way_beside_optimum(name: str) -> Way:
    """How another method meets a convex model's bounds: each from the reference."""
    return Way(name, EQUAL_EPOCHS, warm_start=False)


def fresh_way(trained: TrainedReference, epochs: int) -> Way:
    """The default way, but with networks that start from the reference at every bound."""
    return replace(default_way(trained), epochs=epochs, warm_start=False)


def constrained_curve(
    trained: TrainedReference, constraint: str, way: Way | None = None
) -> Job[ConstrainedView]:
    """Every bound of a set, met in one way."""
    way = default_way(trained) if way is None else way
    first_mu, last_mu = way.penalties or (None, None)
    entry = CONSTRAINED_METHODS.get(way.name)
    trains = entry is not None and entry.trains
    return jobs.submit(
        constrained_tasks.constrained_curve,
        trained.origin,
        constraint,
        way.name,
        way.epochs if trains else DEFAULT_EPOCHS,
        first_mu,
        last_mu,
        way.warm_start or not trains,
    )


def baseline_curve(trained: TrainedReference, method: str) -> Job[CurveView]:
    """What people would do instead, at every value of its knob."""
    return jobs.submit(tasks.baseline_curve, trained.origin, method, len(trained.history))


def fine_tuned_curve(trained: TrainedReference, epochs: int = EQUAL_EPOCHS) -> Job[CurveView]:
    """The reference trained on without a bound, for as many epochs as a row of equal epochs."""
    return jobs.submit(tasks.fine_tuned_curve, trained.origin, epochs)


def few_bits_curve(
    trained: TrainedReference, family: str, name: str, bits: int | None = None
) -> Job[CurveView]:
    """A family in few bits, the best at each size: "low_rank", "constraint" or "combined"."""
    ranks = combined_ranks(trained.layers) if family == "combined" else ()
    return jobs.submit(tasks.few_bits, trained.origin, family, name, bits, ranks)


def combined_ranks(layers: Sequence[Layer], count: int = COMBINED_RANKS) -> tuple[int, ...]:
    """Ranks spaced by ratio, from 1 to the last that makes some linear layer smaller."""
    largest = max(layer.break_even for layer in layers if layer.kind == "linear")
    spaced = np.geomspace(1, max(largest, 1), count).round().astype(int)
    return tuple(np.unique(spaced).tolist())


def combined_grid(
    trained: TrainedReference, method: str, constraint: str, epochs: int, warm_start: bool = True
) -> Job[CurveView]:
    """Low rank and bounds together, on a coarse grid of both."""
    return jobs.submit(
        tasks.combined_grid,
        trained.origin,
        method,
        constraint,
        combined_ranks(trained.layers),
        COMBINED_METHODS[method].bounds,
        epochs,
        warm_start,
    )


def other_formats(content: bytes, stem: str) -> Job[list[FormatView]]:
    """A model file's network in other readers' formats; ``stem`` is its name without an ending."""
    return jobs.submit(tasks.other_formats, content, stem)


def fetch(job: Job[bytes]) -> bytes:
    """Wait for a file: a download is built when it is asked for.

    Raises
    ------
    CompressionError
        The job failed or was stopped: the sentence that says why.
    """
    job.wait()
    if job.result is None:
        raise CompressionError(job.error or "The file was not made: its job was stopped.")
    return job.result
