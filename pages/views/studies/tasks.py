"""The worker's side of the page on studies."""

import json
from collections.abc import Callable

from pages.shared.jobs.report import Report, measures_time

from .results import StudyResults

SHARES = (1 / 2, 1 / 4, 1 / 8, 1 / 16)  # of the reference's measured bytes


@measures_time  # the store has its fits already
def run_study(report: Report, specification: str, url: str, attempt: int = 0) -> StudyResults:
    """Compute what a study lacks, in this process; the partial result is what there is of it.

    Another ``attempt`` is another job: what failed was forgotten before.
    """
    from compression import studies
    from compression.studies.specification import study_from

    study = study_from(json.loads(specification))
    store = studies.StudyStore(url)

    def results(progress: studies.Progress) -> StudyResults:
        table = studies.table(store, study.name)
        return StudyResults(
            table,
            studies.failures(store, study.name),
            studies.changes_at_shares(table, SHARES),
            studies.compare_all(table, SHARES),
            studies.choose_ranks(table),
            progress.done,
            progress.total,
        )

    def step(progress: studies.Progress) -> bool:
        so_far: Callable[[], StudyResults] | None = None
        if progress.done:
            so_far = lambda: results(progress)  # noqa: E731
        return report(
            progress.done, progress.total, so_far, f"fit {progress.done} of {progress.total}"
        )

    try:
        last = studies.run(study, store, studies.InThisProcess(), workers=1, report=step)
        return results(last)
    finally:
        store.close()
