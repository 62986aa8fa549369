"""The worker's side of the atlas."""

from pages.shared.jobs.report import Report, measures_time

from .results import Recomputed


@measures_time  # the store has its fits already
def recompute_cell(report: Report, dataset: str, model: str, url: str | None) -> Recomputed:
    """The rows of one pair with seed 0, computed here; ``url``: of the store, None: memory."""
    from compression.studies import Progress, StudyStore
    from compression.studies.atlas import recompute

    store = StudyStore(url or "sqlite://")

    def step(progress: Progress) -> bool:
        said = f"fit {progress.done} of {progress.total}"
        return report(progress.done, progress.total, None, said)

    try:
        return Recomputed(recompute(dataset, model, 1, store, step))
    finally:
        store.close()
