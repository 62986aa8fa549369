"""The smallest file that loses at most so much: chosen on validation rows, told on test rows."""

import pandas as pd
import streamlit as st

from compression.graphs.smallest import Choice, ScoreCurve, choose_smallest
from pages.shared import links
from pages.shared.format import format_score, format_size, score_name
from pages.shared.models.text import describe_promise
from pages.shared.ui import widgets
from pages.shared.ui.progress import follow

from . import tables, text
from .budget import draw_file
from .results import ModelView
from .scores import BothMethods
from .tasks import Files

POINTS, POINTS_LOST = (0, 0.25, 0.5, 1, 2, 3, 5, 10), 1
SMALLEST, PROMISED = "smallest", "promised"


def draw_smallest(both: BothMethods, files: Files, task: str) -> None:
    """The answer over both methods' ranks in 32, 8 and 4 bits, and its file."""
    st.header("The smallest file within a loss", anchor=False)
    st.caption(text.SMALLEST)

    def draw() -> None:
        curves = {name: job.result for name, job in both.curves.items() if job.result is not None}
        if curves:
            _draw_answer(both.views, curves, files, task)

    follow(draw, *both.curves.values(), key="smallest")


def _choose_loss(task: str) -> float:
    lost = "Points" if task == "classification" else "Hundredths of R²"
    return (
        widgets.knob(links.FILE_LOSS, f"{lost} lost on validation, at most", POINTS, POINTS_LOST)
        / 100
    )


def _draw_answer(
    views: dict[str, ModelView], curves: dict[str, ScoreCurve], files: Files, task: str
) -> None:
    own, loss = next(iter(views.values())), _choose_loss(task)
    choice = choose_smallest(curves, loss, task, own.file_bytes)
    if choice is None:
        st.info(text.describe_none(loss, task), icon=":material/info:")
        return
    line = choice.line
    places = st.columns(3)
    facts = (
        ("File size", format_size(line["bytes"]), f"yours: {format_size(own.file_bytes)}"),
        (
            score_name(task),
            format_score(line["score"], task),
            f"yours: {format_score(line['score'] - line['change'], task)}",
        ),
        ("Change on the test part", *text.describe_test_change(line, task)),
    )
    for place, (label, value, baseline) in zip(places, facts, strict=True):
        place.metric(label, value, baseline, delta_color="off", delta_arrow="off")
    st.markdown(text.describe_smallest(choice, own.file_bytes, loss, task))
    promised = None
    if choice.promised is not None:
        promised = text.describe_promised(choice.promised, own.file_bytes, task)
    st.markdown(describe_promise(choice.promise, promised, loss, task))
    line = _choose_file(choice)
    draw_file(views[line["method"]], files, int(line["row"]), int(line["bits"]), "smallest_model")
    with st.expander("The smallest of each method and number of bits"):
        st.dataframe(tables.smallest_table(choice.best, task), hide_index=True)


def _choose_file(choice: Choice) -> pd.Series:
    """The smallest; or, where it is another, the one that is promised."""
    if choice.promised is None or choice.promised.equals(choice.line):
        return choice.line
    titles = {SMALLEST: "the smallest", PROMISED: "the promised one"}
    taken = widgets.segment(links.FILE_TAKEN, "File to take away", titles)
    return choice.line if taken == SMALLEST else choice.promised
