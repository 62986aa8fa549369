"""The worker's side of the page on studies."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from compression.studies.overview import Overview
from pages.shared.jobs.report import Report, measures_time

from .results import StudyResults


@measures_time  # the fits are stored already: the task's own result is not kept
def run_study(report: Report, specification: str, url: str, attempt: int = 0) -> StudyResults:
    """Compute what a study lacks, in this process; the partial result is what there is of it.

    Another ``attempt`` is another job: what failed was forgotten before.
    """
    from compression import studies
    from compression.studies.estimate import share_of_time
    from compression.studies.kept import collect_damaged
    from compression.studies.specification import build_study

    study, began = build_study(json.loads(specification)), time.monotonic()
    store = studies.StudyStore(url)

    def build_results(progress: studies.Progress, overview: Overview) -> StudyResults:
        failures = studies.failures(store, study.name)
        return StudyResults(overview, failures, progress.done, progress.total, len(damaged))

    def build_so_far(progress: studies.Progress) -> StudyResults:
        overview = studies.compute_overview(store, study.name)
        no_rows = overview.sample[:0]  # They are drawn when all are there, and many to send.
        return build_results(progress, replace(overview, sample=no_rows))

    def step(progress: studies.Progress) -> bool:
        so_far: Callable[[], StudyResults] | None = None
        if 0 < progress.done < progress.total:
            so_far = partial(build_so_far, progress)
        spent = share_of_time(progress, time.monotonic() - began)
        return report(spent, 1.0, so_far, f"fit {progress.done} of {progress.total}")

    with collect_damaged() as damaged:
        try:
            over = studies.run(study, store, studies.SerialExecutor(), workers=1, report=step)
            return build_results(over, studies.read_overview(store, study.name))
        finally:
            store.close()


def write_rows(url: str, name: str, kind: str) -> bytes:
    """All rows of a study as a file's content; ``kind``: "csv" or "parquet"."""
    from compression import studies

    table = studies.table(url, name)
    return table.to_csv(index=False).encode() if kind == "csv" else table.to_parquet(index=False)


def write_html_report(url: str, name: str) -> bytes:
    """A study's report as one HTML file."""
    from compression import studies

    store = studies.StudyStore(url)
    try:
        table, failed = studies.table(store, name), studies.failures(store, name)
        return studies.build_report(table, store.read_specification(name) or "", failed).encode()
    finally:
        store.close()
