"""The worker's side of the training page."""

import numpy as np
import pandas as pd

from pages.shared.jobs.report import Report
from pages.shared.models.tasks import count_rows, load_dataset

from .results import Preview


def preview(report: Report, dataset: str, seed: int) -> Preview:
    """The first rows, some pictures, and how the rows are used."""
    found = load_dataset(dataset, seed)
    columns = list(found.feature_names)
    own_units = found.x_train[:8] * found.scale + found.mean
    table = pd.DataFrame(np.round(own_units, 4), columns=columns)
    target = found.y_train[:8]
    counts = values = None
    if found.task == "classification":
        table.insert(0, "class", [found.class_names[label] for label in target])
        counts = pd.DataFrame(
            {
                part: np.bincount(labels, minlength=found.classes)
                for part, labels in (("training", found.y_train), ("test", found.y_test))
            },
            index=pd.Index(found.class_names, name="class"),
        )
    else:
        unit = f" ({found.target_unit})" if found.target_unit else ""
        values = pd.Series(
            found.y_train * found.target_scale + found.target_mean, name=found.target_name + unit
        )
        table.insert(0, values.name, values[:8])
    pictures = None
    if len(found.input_shape) > 1:
        pictures = own_units.reshape(-1, *found.input_shape)[:, 0]
    return Preview(table, pictures, counts, values, found.remarks, count_rows(found))
