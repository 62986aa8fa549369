"""The worker's side of the training page."""

from data.preview import Preview
from pages.shared.jobs.report import Report
from pages.shared.models.tasks import load_dataset


def preview(report: Report, dataset: str, seed: int) -> Preview:
    """The first rows, some pictures, and how the rows are used."""
    from data.preview import preview

    return preview(load_dataset(dataset, seed))
