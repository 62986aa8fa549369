"""Whether the two sides differ, and where."""

import numpy as np
import pandas as pd
import streamlit as st

from compression import paired_tests
from pages.shared import links
from pages.shared.jobs import submit
from pages.shared.plots import standard
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tasks, text
from .results import AnswerDifference
from .side import Sides, current_rows


def conclude(sides: Sides) -> str | None:
    """Which side is smaller and whether their scores differ, in one sentence; None until known."""
    if (rows := current_rows(sides, complete=False)) is None:
        return None
    first, second = (row.predictions for row in rows)
    trained = sides[0].trained
    if trained.task == "classification":
        probability = paired_tests.mcnemar(first, second, trained.target).exact
    else:
        probability = paired_tests.squared_error_test(first, second, trained.target)
    differing = int(np.count_nonzero(first != second))
    lines = rows[0].line, rows[1].line
    return text.describe_conclusion(
        *lines, trained.task, differing, len(trained.target), probability
    )


def draw(sides: Sides) -> None:
    """Where the two answer differently, on request."""
    if not widgets.switch(links.DIFFERENCES, "Show where the two differ"):
        return
    if (rows := current_rows(sides)) is None:
        st.caption(text.BOTH_CURVES)
        return
    trained = sides[0].trained
    answers = [row.predictions.astype("float64").tobytes() for row in rows]
    job = submit(tasks.difference, trained.dataset, trained.seed, *answers)
    comparison = wait_for(job, "Comparing their answers")
    if comparison is None:
        return
    st.markdown(text.difference(comparison, trained.task, len(trained.target)))
    first, second = (row.confusion for row in rows)
    settings = text.name_both(rows[0].setting, rows[1].setting)
    differ = f"{comparison.differing:,} of {len(trained.target):,} answers differ"
    if comparison.recalls is not None and first is not None and second is not None:
        left, right = st.columns(2, gap="medium")
        with left:
            figure = figures.difference(first, second, trained.class_names)
            alt = f"Confusion matrix of COC minus that of LMM ({settings}): {differ}"
            charts.draw(figure, "confusion_difference", alt)
        with right:
            figure = figures.recalls(comparison.recalls)
            charts.draw(figure, "recalls", text.describe_recalls(comparison.recalls, settings))
    if isinstance(comparison.inputs, np.ndarray) and len(comparison.inputs):
        pictures = standard.pictures(comparison.inputs, text.titles(comparison))
        pictures.update_layout(title_text="Test samples on which the two differ")
        alt = (
            f"{len(comparison.samples)} samples on which LMM and COC differ ({settings}): {differ}"
        )
        charts.draw(pictures, "differing", alt)
    elif len(comparison.samples):
        quantity = "class" if comparison.recalls is not None else trained.target_title
        st.dataframe(tabulate_samples(comparison, quantity), hide_index=True)


def tabulate_samples(comparison: AnswerDifference, quantity: str) -> pd.DataFrame:
    """The samples on which they differ: answers first, then features."""
    table = comparison.samples.rename(
        columns={"true": f"true {quantity}", "first": "LMM", "second": "COC"}
    )
    if not isinstance(comparison.inputs, pd.DataFrame):
        return table
    return pd.concat([table, comparison.inputs], axis=1)
