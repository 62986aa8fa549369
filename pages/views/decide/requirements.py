"""What is asked of a compressed model."""

import streamlit as st

from compression.latency import RankLatencies
from compression.pareto import Wish
from pages.shared import links
from pages.shared.ui import widgets

from . import text

POINTS_LOST = 1.0  # points that a recommendation may lose on validation by default
_KEYS = (links.POINTS_LOST, links.MAX_KILOBYTES, links.FEWER_MACS)


def choose_requirements(task: str, measured: RankLatencies | None) -> tuple[Wish, str]:
    """The wish, and the cost to keep low."""
    lost = "Points lost, at most" if task == "classification" else "Hundredths of R² lost, at most"
    with widgets.open_row():
        # Write it into the link. A link leaves out a widget's default, and a link that asks for a
        # size alone must not get it.
        if not any(key in st.session_state or key in st.query_params for key in _KEYS):
            st.session_state[links.POINTS_LOST] = POINTS_LOST
            st.query_params[links.POINTS_LOST] = f"{POINTS_LOST:g}"
        points = widgets.choose_amount(links.POINTS_LOST, lost, 0.5)
        kilobytes = widgets.choose_amount(links.MAX_KILOBYTES, "Max. file size (kB)", 5.0)
        fewer = widgets.choose_amount(links.FEWER_MACS, "× fewer MACs, at least", 1.0)
        titles = text.COSTS | (text.TIMES if widgets.is_switched(links.MEASURE) else {})
        cost = widgets.choose_segment(links.SMALLEST_IN, "Smallest in", titles)
    wish = Wish(
        loss=None if points is None else text.POINT * points,
        at_most={} if kilobytes is None else {"bytes": text.KILO * kilobytes},
        times_fewer={} if fewer is None else {"macs": fewer},
    )
    widgets.draw_remarks(*_KEYS)
    if cost in text.TIMES and measured is None:
        st.caption(text.NOT_MEASURED)
        cost = next(iter(text.COSTS))
    return wish, cost
