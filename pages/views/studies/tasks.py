"""The worker's side of the page on studies."""

import json
from collections.abc import Callable

from pages.shared.jobs.report import Report, measures_time

from .results import StudyResults


@measures_time  # the store has its fits already
def run_study(report: Report, specification: str, url: str, attempt: int = 0) -> StudyResults:
    """Compute what a study lacks, in this process; the partial result is what there is of it.

    Another ``attempt`` is another job: what failed was forgotten before.
    """
    from compression import studies
    from compression.studies.specification import study_from

    study = study_from(json.loads(specification))
    store = studies.StudyStore(url)

    def results(progress: studies.Progress, overview: studies.Overview) -> StudyResults:
        failures = studies.failures(store, study.name)
        return StudyResults(overview, failures, progress.done, progress.total)

    def step(progress: studies.Progress) -> bool:
        so_far: Callable[[], StudyResults] | None = None
        if progress.done:
            so_far = lambda: results(progress, studies.compute_overview(store, study.name))  # noqa: E731
        return report(
            progress.done, progress.total, so_far, f"fit {progress.done} of {progress.total}"
        )

    try:
        last = studies.run(study, store, studies.InThisProcess(), workers=1, report=step)
        return results(last, studies.read_overview(store, study.name))
    finally:
        store.close()


def write_rows(url: str, name: str, kind: str) -> bytes:
    """All rows of a study as a file's content; ``kind``: "csv" or "parquet"."""
    from compression import studies

    table = studies.table(url, name)
    return table.to_csv(index=False).encode() if kind == "csv" else table.to_parquet(index=False)


def write_report(url: str, name: str) -> bytes:
    """A study's report as one HTML file."""
    from compression import studies

    store = studies.StudyStore(url)
    try:
        table, failed = studies.table(store, name), studies.failures(store, name)
        return studies.build_report(table, store.specification(name) or "", failed).encode()
    finally:
        store.close()
