"""On request: the free weights in few bits, at every bound."""

import pandas as pd
import streamlit as st

from compression.grid import BITS
from pages.shared import links
from pages.shared.format import format_score, format_size, score_name
from pages.shared.jobs import Job
from pages.shared.models.results import ConstrainedView, CurveView, TrainedReference
from pages.shared.models.text import bound_letter
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .bound import submit_networks
from .controls import STORED
from .figures import bits as figures


def draw_bits(trained: TrainedReference, job: Job[ConstrainedView]) -> None:
    st.header("What does it save on disk?", anchor="disk")

    @st.fragment(key=STORED)
    def draw() -> None:
        if not widgets.switch(
            links.FEW_BITS, "Keep free weights in few bits (judges every bound in 17)"
        ):
            return
        curve = job.result
        if curve is None:
            st.caption("As soon as every bound is judged.")
            return
        bits_job = submit_networks(tasks.store_in_bits, trained, curve)
        follow(lambda: _draw_table(trained, curve, bits_job), bits_job)

    draw()


def _draw_table(trained: TrainedReference, curve: CurveView, job: Job) -> None:
    bits = int(knobs.draw(links.BITS, "Bits of a free weight (32: off)", BITS, 8))
    show_status(job, "Judging every bound in every number of bits")
    table: pd.DataFrame | None = job.so_far
    if table is None:
        return
    bound = knobs.read_number(links.BOUND)
    nearest = table["bound"].iloc[(table["bound"] - bound).abs().argmin()]
    rows = table[table["bound"] == nearest]
    lines = rows.set_index("bits", drop=False)
    line, where = lines.loc[bits], f"{bound_letter(curve.knob)} = {nearest:.3g}"
    fewest = int(rows["fewest_bits"].iloc[0])
    st.markdown(
        text.describe_bits(
            line,
            lines.loc[32],
            fewest,
            bound_letter(curve.knob),
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.scores(rows, bits, trained.costs, trained.task),
            "bits_score",
            f"{score_name(trained.task)} in every number of bits: "
            f"{format_score(line['score'], trained.task)} with {bits} at {where}",
        )
        charts.draw(
            figures.rounding(table, bits, bound, curve.knob),
            "bits_rounding",
            f"Clipping and rounding errors as the bound moves: {line['clipping_error']:.2g} and "
            f"{line['rounding_error']:.2g} with {bits} bits at {where}",
        )
    with right:
        charts.draw(
            figures.file_sizes(rows, bits, trained.costs),
            "bits_bytes",
            f"File size in every number of bits: {format_size(line['bytes'])} with {bits} at {where}",
        )
        charts.draw(
            figures.fewest_bits(table, bound, curve.knob),
            "bits_affordable",
            f"Fewest bits that each bound can do with: {fewest} at {where}",
        )
    st.caption(text.STORED)
    tables.take_away(table, "bits", trained)
