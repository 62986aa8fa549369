"""The smallest file that loses at most so much: chosen on validation rows, told on test rows."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from compression.graphs.smallest import BoundedCurve, FileChoice, ScoreCurve, choose_smallest
from pages.shared import links
from pages.shared.format import format_score, format_size, score_name
from pages.shared.jobs import Job
from pages.shared.models.text import describe_promise
from pages.shared.ui import blocks, knobs, widgets
from pages.shared.ui.progress import follow

from . import tables, text
from .bounds import draw_bounded_file
from .budget import draw_file
from .results import JudgingData
from .scores import MethodScores
from .tasks import Files

POINTS, POINTS_LOST = (0, 0.25, 0.5, 1, 2, 3, 5, 10), 1
SMALLEST, PROMISED = "smallest", "promised"


@dataclass(frozen=True, eq=False)
class JudgedFiles:
    """All that a smallest file is chosen among.

    Attributes
    ----------
    both : MethodScores
    bounds : Job or None
        The model under bounds; None where a large model's are not asked for.
    """

    both: MethodScores
    bounds: Job[BoundedCurve] | None

    @property
    def jobs(self) -> list[Job]:
        return [*self.both.curves.values(), *([self.bounds] if self.bounds is not None else [])]

    @property
    def shares(self) -> tuple[float, ...]:
        """Bounds of the rows of ``text.BOUNDED``."""
        return (
            () if self.bounds is None or self.bounds.result is None else self.bounds.result.shares
        )

    def curves(self) -> dict[str, ScoreCurve]:
        """Method -> its files, of what is whole."""
        done = {name: job.result for name, job in self.both.curves.items()}
        curves = {name: result for name, result in done.items() if result is not None}
        if curves and self.bounds is not None and self.bounds.result is not None:
            curves[text.BOUNDED] = self.bounds.result.scores
        return curves


def draw_smallest(judged: JudgedFiles, files: Files, judging: JudgingData) -> None:
    """The answer over ranks and bounds in 32, 8 and 4 bits, and its file."""
    st.header("The smallest file within a loss", anchor="smallest")
    st.caption(text.SMALLEST)

    def draw() -> None:
        if judged.curves():
            _draw_answer(judged, files, judging)

    follow(draw, *judged.jobs, key="smallest")


def _choose_loss(task: str) -> float:
    lost = "Points" if task == "classification" else "Hundredths of R²"
    return (
        knobs.draw(links.FILE_LOSS, f"{lost} lost on validation, at most", POINTS, POINTS_LOST)
        / 100
    )


def _draw_answer(judged: JudgedFiles, files: Files, judging: JudgingData) -> None:
    task, views = judging.readings.task, judged.both.views
    view, loss = next(iter(views.values())), _choose_loss(task)
    choice = choose_smallest(judged.curves(), loss, task, view.file_bytes)
    if choice is None:
        st.info(text.describe_none(loss, task), icon=":material/info:")
        return
    line = choice.line
    facts = (
        ("File size", format_size(line["bytes"]), f"yours: {format_size(view.file_bytes)}"),
        (
            score_name(task),
            format_score(line["score"], task),
            f"yours: {format_score(line['score'] - line['change'], task)}",
        ),
        ("Change on the test part", *text.describe_test_change(line, task)),
    )
    blocks.draw_facts(facts)
    st.markdown(text.describe_smallest(choice, view.file_bytes, loss, task))
    promised = None
    if choice.promised is not None:
        promised = text.describe_promised(choice.promised, view.file_bytes, task)
    st.markdown(describe_promise(choice.promise, promised, loss, task))
    line = _choose_file(choice)
    row, bits = int(line["row"]), int(line["bits"])
    if line["method"] == text.BOUNDED:
        share = judged.shares[row]
        draw_bounded_file(view, files, judging, share, bits, "smallest_model")
    else:
        draw_file(views[line["method"]], files, row, bits, "smallest_model")
    with st.expander("The smallest of each method and number of bits"):
        st.dataframe(tables.smallest_table(choice.best, task), hide_index=True)


def _choose_file(choice: FileChoice) -> pd.Series:
    """The smallest; or, where it is another, the one that is promised."""
    if choice.promised is None or choice.promised.equals(choice.line):
        return choice.line
    titles = {SMALLEST: "the smallest", PROMISED: "the promised one"}
    taken = widgets.choose_segment(links.FILE_TAKEN, "File to take away", titles)
    return choice.line if taken == SMALLEST else choice.promised
