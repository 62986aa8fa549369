"""The last layer alone under a bound: its path, its prices, its certificate, and the new file."""

import streamlit as st

from compression import CONSTRAINTS
from pages.shared import jobs, links
from pages.shared.format import format_interval, format_score, score_name
from pages.shared.jobs import Job
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status

from . import figures, tasks, text
from .results import HeadFile, HeadView, JudgingData
from .tasks import Files


def draw_head(files: Files, judging: JudgingData) -> None:
    """Everything on the model's last layer, with all before it held."""
    dataset, seed, readings, way = judging.dataset, judging.seed, judging.readings, judging.way
    st.header("A bound on the last layer, certified", anchor="head")
    st.caption(text.HEAD)
    constraint = _choose_set()
    job: Job[HeadView] = jobs.submit(
        tasks.bound_head, files, dataset, seed, way, readings.order, constraint
    )

    def draw() -> None:
        show_status(job, "Solving the last layer under every bound")
        view = job.so_far
        if view is None or not len(view.table):
            return
        row = _choose_row(view, settled=job.result is not None)
        _draw_numbers(view, row, readings.task)
        sentence = text.describe_certificate(view, row)
        if view.table["certified"].iloc[row]:
            st.success(sentence, icon=":material/verified:")
        else:
            st.warning(sentence, icon=":material/warning:")
        _draw_figures(view, row, readings.task)
        st.markdown(text.describe_head(view, row, readings.task))
        if job.result is not None:
            _draw_file(files, dataset, seed, way, view, row)

    follow(draw, job, key="head")


def _choose_set() -> str:
    titles = {name: entry.title for name, entry in CONSTRAINTS.items() if entry.convex}
    with st.container(width=320):
        chosen = widgets.pick(
            links.HEAD_SET, "Constraint set of the last layer", titles, "box", titles=titles
        )
    widgets.draw_remarks(links.HEAD_SET)
    return chosen


def _choose_row(view: HeadView, settled: bool) -> int:
    values = view.table["knob"].tolist()
    chosen = knobs.draw(
        links.HEAD_BOUND,
        "Bound c on the last layer's weights",
        values,
        values[view.start],
        settled=settled,
        help=text.HEAD_START,
    )
    return values.index(chosen)


def _draw_numbers(view: HeadView, row: int, task: str) -> None:
    line = view.table.iloc[row]
    ends = format_interval(view.original["score_low"], view.original["score_high"], task)
    facts = (
        (
            score_name(task),
            format_score(line["score"], task),
            f"yours: {format_score(view.original['score'], task)} ({ends})",
        ),
        ("Bound c", f"{line['knob']:.3g}", f"yours just fits {view.original['bound']:.3g}"),
        (
            "Numbers to be stored",
            f"{int(line['parameters']):,}",
            f"of {sum(part.size for part in view.heads[0]):,}",
        ),
    )
    blocks.draw_facts(facts)


def _draw_figures(view: HeadView, row: int, task: str) -> None:
    line = view.table.iloc[row]
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.head_scores(view, row, task),
            "head_scores",
            f"{score_name(task)} of the new last layer against the bound: "
            f"{format_score(line['score'], task)} at {line['knob']:.3g}",
        )
    with right:
        charts.draw(
            figures.head_prices(view.table, row),
            "head_prices",
            f"What one more unit of c takes off the training loss: {line['price']:.3g} here",
        )
    prices = view.multipliers[row]
    if getattr(prices, "ndim", 0):
        charts.draw(
            figures.head_multipliers(view, row),
            "head_multipliers",
            f"Multiplier of each weight of the last layer; {100 * line['pinned']:.0f} % are held",
        )


def _draw_file(
    files: Files, dataset: str, seed: int, way: tuple[str, str, str], view: HeadView, row: int
) -> None:
    """The model with this head, once it is written, read back and run."""
    weight, intercept = view.heads[row]
    job: Job[HeadFile] = jobs.submit(
        tasks.build_head,
        files,
        dataset,
        seed,
        way,
        view.layer,
        weight.tobytes(),
        intercept.tobytes(),
    )

    def draw() -> None:
        show_status(job, "Writing and comparing")
        built = job.result
        if built is None:
            return
        st.markdown(text.describe_head_file(built))
        blocks.download(
            f"Download {text.clean_name(built.file_name, 30)} with this last layer",
            built.content,
            text.smaller_name(built.file_name, "bounded-head"),
            "head_model",
            help="Written, read back, run and compared before this button appeared.",
        )

    follow(draw, job, key="head_file")
