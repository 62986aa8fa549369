"""What charts show, in words: alternative texts that several pages need."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pages.shared.format import describe_cost, format_score


def describe_confusion(counts: NDArray, class_names: Sequence[str], network: str) -> str:
    """How many answers of a confusion matrix are right, and its most frequent mistake."""
    right, samples = int(np.trace(counts)), int(counts.sum())
    said = f"Confusion matrix on the test set of {network}: {right:,} of {samples:,} right"
    if right == samples:
        return said
    wrong = counts - np.diag(np.diag(counts))
    true, answered = np.unravel_index(wrong.argmax(), wrong.shape)
    most = f"{class_names[true]} taken for {class_names[answered]}"
    return f"{said}; most often {most} ({wrong[true, answered]:,} times)"


def describe_errors(true: NDArray, predicted: NDArray, reference: NDArray, network: str) -> str:
    """How far predictions of numbers are off on average, beside the reference's."""
    error, reference_error = (
        float(np.abs(values - true).mean()) for values in (predicted, reference)
    )
    return (
        f"Predicted against true values of the test set, of {network}: off by {error:.3g} on "
        f"average, the reference by {reference_error:.3g}"
    )


def describe_place(line: Mapping | pd.Series, setting: str, task: str, cost: str) -> str:
    """Where a row lies in a plane of score against cost: "rank 4: 95.3 %, 21 kB"."""
    return f"{setting}: {format_score(line['score'], task)}, {describe_cost(cost, line[cost])}"


def describe_spectrum(values: NDArray, reference: NDArray, layer: str, setting: str) -> str:
    """The largest singular value of a constrained weight, beside the reference's."""
    return (
        f"Singular values of {layer} at {setting}: the largest {values.max():.3g}, the "
        f"reference's {reference.max():.3g}"
    )


def describe_learning(history: pd.DataFrame) -> str:
    """How far both losses came, from the first epoch to the last."""
    first, last = history.iloc[0], history.iloc[-1]
    parts = (
        f"{name} {first[column]:.3g} to {last[column]:.3g}"
        for name, column in (("training", "train_loss"), ("validation", "validation_loss"))
    )
    return f"Loss by epoch, over {len(history)} epochs: {', '.join(parts)}"
