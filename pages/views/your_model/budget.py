"""One share of the parameters: its ranks, its size, and the file to take away."""

from dataclasses import replace

import streamlit as st

from compression import LOW_RANK_METHODS
from pages.shared import jobs, links
from pages.shared.format import format_count, format_size
from pages.shared.jobs import Job
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tasks, text
from .results import (
    ACTIVATION_AWARE,
    TRUNCATED,
    CalibratedPlan,
    JudgingData,
    ModelView,
    SmallerModel,
)
from .tasks import Files

BITS = {"32": "as they are", "8": "8 bits", "4": "4 bits"}
LARGE_FILE = 4 * 2**20  # bytes; smaller files are written without a request
_ASKED = "_asked_"


def choose_method(view: ModelView, files: Files, judging: JudgingData | None) -> ModelView | None:
    """The model with the ranks of one method; None while they are being computed."""
    st.header("How small, and what is kept", anchor="budget")
    if view.plan is None:
        st.info(text.NOTHING, icon=":material/info:")
        return None
    if judging is None:
        st.caption(text.WITHOUT_CALIBRATION)
        return view
    titles = {name: LOW_RANK_METHODS[name].title for name in (TRUNCATED, ACTIVATION_AWARE)}
    if widgets.choose_segment(links.FILE_METHOD, "Ranks by", titles) == TRUNCATED:
        return view
    plan = wait_for(ask_layers(files, judging), "Asking the layers what they give on fit rows")
    return None if plan is None else replace_plan(view, plan, judging)


def ask_layers(files: Files, judging: JudgingData) -> Job[CalibratedPlan]:
    """Ranks by what the layers give on fit rows."""
    return jobs.submit(tasks.calibrate, files, *judging.calibration)


def replace_plan(view: ModelView, plan: CalibratedPlan, judging: JudgingData) -> ModelView:
    """The model with these ranks in place of truncated SVD's."""
    return replace(
        view,
        plan=plan.plan,
        ranks=plan.ranks,
        start=plan.start,
        calibration=judging.calibration,
        not_calibrated=plan.others,
    )


def draw_budget(view: ModelView, files: Files, judged: bool) -> int:
    """The slider, what it gives, and the checked file; the row of the plan that is shown.

    ``judged``: the score on data stands below.
    """
    assert view.plan is not None
    row = _choose_row(view)
    line = view.plan.iloc[row]
    saved = 1 - line["share"]
    blocks.draw_facts(
        (
            (
                "Parameters",
                format_count(line["parameters"]),
                f"−{100 * saved:.0f} %" if saved > 0 else "as yours",
            ),
            (
                "File size, about",
                format_size(line["bytes"]),
                f"yours: {format_size(view.file_bytes)}",
            ),
            (
                "Energy kept, weakest layer",
                f"{100 * line['energy']:.1f} %",
                text.count_layers(len(view.ranks[row])),
            ),
        )
    )
    st.caption(text.describe_plan(view, row))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = figures.energy_by_size(view.plan, row, view.file_bytes)
        charts.draw(
            figure,
            "energy_by_size",
            f"Energy kept against file size: {100 * line['energy']:.1f} % at "
            f"{format_size(line['bytes'])}",
        )
    with right:
        if judged:
            st.caption(text.SCORE_BELOW)
        else:
            st.warning(text.NO_SCORE, icon=":material/warning:")
        bits = 32
        if view.kind == "ONNX graph":
            bits = int(
                widgets.choose_segment(links.FILE_BITS, "Bits of a weight", BITS, help=text.BITS)
            )
        if view.ranks[row] or bits < 32:
            draw_file(view, files, row, bits)
    return row


def _choose_row(view: ModelView) -> int:
    assert view.plan is not None
    shares = [round(100 * share, 1) for share in view.plan["share"]]
    chosen = knobs.draw(links.KEEP, "Parameters kept (%)", sorted(set(shares)), shares[view.start])
    return shares.index(chosen)


def draw_file(
    view: ModelView, files: Files, row: int, bits: int, key: str = "smaller_model"
) -> None:
    """The file of a row, once it is written and compared."""
    ranks = view.ranks[row]
    if view.file_bytes > LARGE_FILE:
        wanted = (ranks, bits)
        if st.button("Write and check the smaller file", key=f"write_{key}"):
            st.session_state[_ASKED + key] = wanted
        if st.session_state.get(_ASKED + key) != wanted:
            return
    job: Job[SmallerModel] = jobs.submit(tasks.build, files, ranks, bits, view.calibration)
    offer_file(view, job, key, remark=f"{bits}-bit" if bits < 32 else "low-rank")


def offer_file(
    view: ModelView,
    job: Job[SmallerModel],
    key: str,
    *,
    remark: str,
    label: str = "",
    as_promised: str = "",
) -> None:
    """What was found in a written file, and its button, once it is there.

    ``remark``: in its name; ``label``: what it is, behind the button's words; ``as_promised``: see
    ``text.describe_built``.
    """

    def draw() -> None:
        show_status(job, "Writing and comparing")
        built = job.result
        if built is None:
            return
        st.markdown(text.describe_built(view, built, as_promised))
        blocks.download(
            f"Download {text.clean_name(built.file_name, 30)}{label}",
            built.content,
            text.smaller_name(built.file_name, remark),
            key,
            help="Written, read back and compared before this button appeared.",
        )

    follow(draw, job, key=f"file_{key}")
