"""Figures of the training page by their traces."""

import numpy as np
import pandas as pd

from pages.views.train import figures


def test_samples_of_each_class_are_stacked_by_part():
    counts = pd.DataFrame({"training": [80, 40], "test": [20, 10]}, index=["no", "yes"])
    figure = figures.class_counts(counts)
    assert [(bars.name, list(bars.x), list(bars.y)) for bars in figure.data] == [
        ("training", ["no", "yes"], [80, 40]),
        ("test", ["no", "yes"], [20, 10]),
    ]
    assert figure.layout.barmode == "stack"


def test_the_target_s_axis_has_its_name_and_unit():
    figure = figures.distribution(pd.Series([1.0, 2.0, 2.0], name="progression (points)"))
    assert np.array_equal(figure.data[0].x, [1, 2, 2])
    assert figure.layout.xaxis.title.text == "progression (points)"
