"""The worker's side of the training page."""

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.tasks import count_rows, load_dataset

from .results import Preview

ROWS = 8  # of a table and of its pictures


def preview(report: Report, dataset: str, seed: int) -> Preview:
    """The first rows, some pictures, and how the rows are used."""
    loaded = load_dataset(dataset, seed)
    samples = loaded.x_train[:ROWS] * loaded.scale + loaded.mean
    table = pd.DataFrame(np.round(samples, 4), columns=list(loaded.feature_names))
    counts = values = pictures = None
    if loaded.task == "classification":
        names = loaded.class_names
        table.insert(0, "class", [names[label] for label in loaded.y_train[:ROWS]])
        counts = pd.DataFrame(
            {
                part: [int((labels == label).sum()) for label in range(loaded.classes)]
                for part, labels in (("training", loaded.y_train), ("test", loaded.y_test))
            },
            index=pd.Index(names, name="class"),
        )
    else:
        unit = f" ({loaded.target_unit})" if loaded.target_unit else ""
        target = loaded.y_train * loaded.target_scale + loaded.target_mean
        values = pd.Series(target, name=loaded.target_name + unit)
        table.insert(0, values.name, values[:ROWS])
    if len(loaded.input_shape) > 1:
        pictures = samples.reshape(-1, *loaded.input_shape)[:, 0]
    return Preview(table, pictures, counts, values, loaded.remarks, count_rows(loaded))
