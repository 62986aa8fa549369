"""Every layer under a bound, clipped and refitted: scores, certificates, and the new file."""

import streamlit as st

from compression.graphs.smallest import BoundedCurve
from pages.shared import jobs, links
from pages.shared.format import format_score, score_name
from pages.shared.jobs import Job
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status

from . import bounds_figures, bounds_text, tasks
from .budget import BITS, LARGE_FILE, offer_file
from .results import JudgingData, ModelView, SmallerModel
from .tasks import Files


def draw_bounds(view: ModelView, files: Files, judging: JudgingData) -> Job[BoundedCurve] | None:
    """Everything on the box around all layers; None where a large model's is not asked for."""
    st.header("A bound on every layer, refitted", anchor="bounds")
    st.caption(bounds_text.BOUNDS)
    if view.file_bytes > LARGE_FILE and not widgets.switch(
        links.REFITTED, "Clip and refit every layer at every bound"
    ):
        return None
    job: Job[BoundedCurve] = jobs.submit(
        tasks.bound_layers, files, *judging.calibration, judging.readings.order
    )

    def draw() -> None:
        show_status(job, "Clipping and refitting at every bound")
        curve = job.so_far
        if curve is None or not len(curve.layers):
            return
        place, _ = st.columns([2, 3])
        with place:
            bits = int(
                widgets.choose_segment(links.BOUND_BITS, "Bits of a weight under its bound", BITS)
            )
        row = _choose_row(curve, bits, settled=job.result is not None)
        task = judging.readings.task
        _draw_numbers(curve, row, bits, task)
        sentence = bounds_text.describe_certificates(curve, row)
        if curve.layers.query("row == @row")["certified"].all():
            st.success(sentence, icon=":material/verified:")
        else:
            st.warning(sentence, icon=":material/warning:")
        _draw_figures(curve, row, bits, task)
        st.markdown(bounds_text.describe_bounds(curve, row, bits, task))
        if others := bounds_text.describe_others(view.layers, curve):
            st.caption(others)
        if job.result is not None:
            draw_bounded_file(view, files, judging, curve.shares[row], bits, "bounded_model")

    follow(draw, job, key="bounds")
    return job


def _choose_row(curve: BoundedCurve, bits: int, settled: bool) -> int:
    rows = sorted(set(curve.layers["row"]))
    shares = [curve.shares[row] for row in rows]
    start = curve.first_row(bits)
    chosen = knobs.draw(
        links.ALL_BOUND,
        "Bound of each layer, as a share of its largest weight",
        shares,
        curve.shares[start],
        settled=settled,
        help=bounds_text.START,
    )
    return rows[shares.index(chosen)]


def _draw_numbers(curve: BoundedCurve, row: int, bits: int, task: str) -> None:
    line, rounded = (curve.line_at(at, bits) for at in (row, len(curve.shares) - 1))
    clipped = curve.clipped.query("row == @row").iloc[0]
    layers = curve.layers.query("row == @row")
    before = f"yours, rounded alone: {format_score(rounded['score'], task)}"
    if bits == 32:
        before = f"yours: {format_score(rounded['score'], task)}"
    facts = (
        (score_name(task), format_score(line["score"], task), before),
        ("Clipped, not refitted", format_score(clipped["score"], task), "in 32 bits"),
        (
            "Outputs lost, worst layer",
            f"{100 * layers['error'].max():.1f} %",
            f"clipped: {100 * layers['clipped'].max():.1f} %",
        ),
    )
    blocks.draw_facts(facts)


def _draw_figures(curve: BoundedCurve, row: int, bits: int, task: str) -> None:
    line = curve.line_at(row, bits)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            bounds_figures.scores_by_bound(curve, row, bits, task),
            "scores_by_bound",
            f"{score_name(task)} against the bound of all layers: "
            f"{format_score(line['score'], task)} at {curve.shares[row]:g} of their reach",
        )
    with right:
        charts.draw(
            bounds_figures.lost_outputs(curve, row),
            "lost_outputs",
            "Share of each layer's outputs that is lost, clipped and refitted, "
            f"at {curve.shares[row]:g} of their reach",
        )


def draw_bounded_file(
    view: ModelView, files: Files, judging: JudgingData, share: float, bits: int, key: str
) -> None:
    """The model under this bound, once it is written, read back and compared."""
    job: Job[SmallerModel] = jobs.submit(
        tasks.build_bounded, files, *judging.calibration, share, bits
    )
    remark = f"bounded-{bits}-bit" if bits < 32 else "bounded"
    promised = bounds_text.CHECKED
    offer_file(view, job, key, remark=remark, label=" under this bound", as_promised=promised)
