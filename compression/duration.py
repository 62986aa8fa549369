"""How long a training will take, measured on a little of it."""

import time
from dataclasses import replace
from typing import Any

import numpy as np

from . import models, training

MEASURED_ROWS = 1000


def training_seconds(dataset: Any, model: str = "mlp") -> float:
    """About how long the reference's training takes at most, in seconds, on this machine.

    One epoch of at most 1000 rows is trained; the recipe's epochs over all rows take so many
    times as long. Training may stop earlier, when the validation loss no longer falls.

    Parameters
    ----------
    dataset : Dataset
    model : str
        A name of ``compression.MODELS``.
    """
    learnt = dataset.fit_rows[:MEASURED_ROWS]
    seen = dataset.validation_rows[:MEASURED_ROWS]
    rows = np.concatenate([learnt, seen])
    few = replace(
        dataset,
        x_train=dataset.x_train[rows],
        y_train=dataset.y_train[rows],
        x_test=dataset.x_test[:MEASURED_ROWS],
        y_test=dataset.y_test[:MEASURED_ROWS],
        fit_rows=np.arange(len(learnt)),
        validation_rows=np.arange(len(learnt), len(rows)),
    )
    training.train(few, model, epochs=1)  # torch's first steps are slow and do not count
    began = time.perf_counter()
    training.train(few, model, epochs=1)
    one = time.perf_counter() - began
    epochs = models.recipe_of(model, dataset).epochs
    return one * len(dataset.fit_rows) / len(learnt) * epochs
