"""The cached calls: the one place where choices become results.

Each returns the job that has, or will have, the result. The same names and numbers are the same
job, for every session.
"""

from numpy.typing import NDArray

from compression import COMBINED_METHODS, CompressionError

from . import combine_results
from .jobs import Job, submit
from .results import Trained

_WORK = "pages.shared.work"


def preview(dataset: str, seed: int) -> Job:
    return submit(f"{_WORK}:preview", dataset=dataset, seed=seed)


def reference(dataset: str, model: str, seed: int) -> Job:
    return submit(f"{_WORK}:reference", dataset=dataset, model=model, seed=seed)


def low_rank_curve(trained: Trained, method: str) -> Job:
    return submit(f"{_WORK}:low_rank_curve", origin=trained.origin, method=method)


def constrained_curve(trained: Trained, constraint: str) -> Job:
    return submit(f"{_WORK}:constrained_curve", origin=trained.origin, constraint=constraint)


def ask(room: str, task: str, trained: Trained, **arguments: object) -> Job:
    """A job of a page's worker side: a task of "pages.shared.<room>_work", given the reference."""
    return submit(f"pages.shared.{room}_work:{task}", origin=trained.origin, **arguments)


def solvers(constraint: str, task: str) -> Job:
    """Which solvers fit a set and a task's loss, and why the others do not."""
    return submit("pages.shared.constrained_work:fitting", constraint=constraint, task=task)


def pairs(trained: Trained, method: str, constraint: str, epochs: int) -> Job:
    """Low rank and bounds together, on a coarse grid of both."""
    return ask(
        "combine",
        "grid",
        trained,
        method=method,
        constraint=constraint,
        ranks=combine_results.ranks(trained.layers),
        bounds=COMBINED_METHODS[method].bounds,
        epochs=epochs,
    )


def difference(trained: Trained, first: NDArray, second: NDArray) -> Job:
    """Two models held against each other by their predictions on the test part."""
    return submit(
        "pages.shared.compare_work:difference",
        dataset=trained.dataset,
        seed=trained.seed,
        first=first.astype("float64").tobytes(),
        second=second.astype("float64").tobytes(),
    )


def low_rank_file(trained: Trained, method: str, rank: int) -> bytes:
    """Waits for it: a download is built when it is asked for."""
    job = submit(f"{_WORK}:low_rank_file", origin=trained.origin, method=method, rank=rank)
    job.wait()
    if job.result is None:
        raise CompressionError(job.error or "The file was not made: its job was stopped.")
    return job.result
