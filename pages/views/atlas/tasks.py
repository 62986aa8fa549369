"""The worker's side of the atlas."""

import time

from pages.shared.jobs.report import Report, measures_time

from .results import RecomputedPair


@measures_time  # the fits are stored already: the task's own result is not kept
def recompute_cell(
    report: Report, dataset: str, model: str, seeds: int, url: str | None
) -> RecomputedPair:
    """One pair with the first seeds, computed here; ``url``: of the store, None: memory."""
    from compression.studies import Progress, StudyStore
    from compression.studies.atlas import recompute
    from compression.studies.estimate import share_of_time
    from compression.studies.protocol import read_protocol
    from compression.studies.winners import judge_cells, judge_families

    store, began = StudyStore(url or "sqlite://"), time.monotonic()

    def step(progress: Progress) -> bool:
        said = f"fit {progress.done} of {progress.total}"
        return report(share_of_time(progress, time.monotonic() - began), 1.0, None, said)

    try:
        rows = recompute(dataset, model, seeds, store, step)
        protocol = read_protocol()
        families = judge_families(rows, protocol)
        if families.empty:  # no row is so small, or no seed is complete
            return RecomputedPair(rows, rows.iloc[:0])
        return RecomputedPair(rows, judge_cells(rows, families, protocol)[0])
    finally:
        store.close()
