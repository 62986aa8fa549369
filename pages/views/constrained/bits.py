"""On request: the free weights in few bits, at every bound."""

import pandas as pd
import streamlit as st

from compression.grid import BITS
from pages.shared import links
from pages.shared.jobs import Job
from pages.shared.models.results import ConstrainedView, CurveView, Trained
from pages.shared.models.text import bound_letter
from pages.shared.ui import charts, knobs, tables, widgets
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .bound import submit_networks
from .controls import STORED
from .figures import bits as figures


def draw_bits(trained: Trained, job: Job[ConstrainedView]) -> None:
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


def _draw_table(trained: Trained, curve: CurveView, job: Job) -> None:
    bits = int(knobs.draw(links.BITS, "Bits of a free weight (32: off)", BITS, 8))
    show_status(job, "Judging every bound in every number of bits")
    table: pd.DataFrame | None = job.so_far
    if table is None:
        return
    bound = knobs.number(links.BOUND)
    nearest = table["bound"].iloc[(table["bound"] - bound).abs().argmin()]
    own = table[table["bound"] == nearest]
    lines = own.set_index("bits", drop=False)
    st.markdown(
        text.describe_bits(
            lines.loc[bits],
            lines.loc[32],
            int(own["fewest_bits"].iloc[0]),
            bound_letter(curve.knob),
        )
    )
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.scores(own, bits, trained.costs, trained.task),
            "bits_score",
            "Score of this bound's network in every number of bits",
        )
        charts.draw(
            figures.rounding(table, bits, bound, curve.knob),
            "bits_rounding",
            "Clipping and rounding errors against the bound",
        )
    with right:
        charts.draw(
            figures.file_sizes(own, bits, trained.costs),
            "bits_bytes",
            "File size of this bound's network in every number of bits",
        )
        charts.draw(
            figures.fewest_bits(table, bound, curve.knob),
            "bits_affordable",
            "Fewest bits that each bound can do with",
        )
    st.caption(text.STORED)
    tables.take_away(table, "bits", trained)
