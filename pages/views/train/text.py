"""Sentences of the training page."""

from compression import MODELS
from data.catalog import Entry
from data.preview import Preview
from pages.shared.models.results import TrainedReference


def describe_dataset(entry: Entry, preview: Preview) -> str:
    """What a dataset is and how its rows are used."""
    rows = ", ".join(f"{number:,} {part}" for part, number in preview.rows.items())
    return f"**{entry.title}.** {entry.summary} Rows: {rows}."


def describe_origin(entry: Entry) -> str:
    return f"Source: {entry.source}. Licence: {entry.licence}."


def describe_training(trained: TrainedReference) -> str:
    """How the reference was trained, and which part decided when to stop."""
    best = trained.history["validation_loss"].idxmin()
    return (
        f"{MODELS[trained.model].title}: {MODELS[trained.model].summary} "
        f"Trained for {len(trained.history)} epochs in {trained.seconds:.1f} s; the weights are those "
        f"of epoch {trained.history['epoch'].loc[best]:g}, where the validation loss was least."
    )
