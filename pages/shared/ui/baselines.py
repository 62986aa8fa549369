"""What people would do instead, behind a page's own curves, where these are drawn by file size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from compression import BASELINES
from pages.shared.jobs import Job
from pages.shared.models.baselines import is_next_due, request_in_turn
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.models.text import BASELINES_BEHIND, WITHOUT_BASELINES, describe_baselines
from pages.shared.plots.baselines import ThinCurve, add_baselines
from pages.shared.plots.palette import style

from .progress import show_status

COST = "bytes"  # the one cost that baselines and a page's curves share


@dataclass(frozen=True, eq=False)
class BackgroundBaselines:
    """The baselines whose turn it is, by name; none where the curves are not drawn by file size.

    ``ahead``: the page's own curves, which never wait for a baseline that is trained.
    """

    trained: TrainedReference
    ahead: Sequence[Job]
    jobs: Mapping[str, Job[CurveView]]
    by_size: bool

    def add_to(self, figure: go.Figure) -> go.Figure:
        curves = {
            name: curve for name, job in self.jobs.items() if (curve := job.so_far) is not None
        }
        return add_baselines(figure, style_baselines(curves), COST, self.trained.task)

    def draw_status(self) -> None:
        for name, job in self.jobs.items():
            show_status(job, BASELINES[name].title)

    def look_again(self) -> None:
        """Run the app once more where a baseline's turn came while the page was drawn."""
        if self.by_size and is_next_due(self.trained, self.jobs, self.ahead):
            st.rerun()

    def describe(self) -> str:
        return BASELINES_BEHIND if self.by_size else WITHOUT_BASELINES


def request_behind(
    trained: TrainedReference, axis: str, ahead: Sequence[Job]
) -> BackgroundBaselines:
    """Ask for the baselines whose turn it is, if ``axis`` is the file's size."""
    by_size = axis == COST
    jobs = request_in_turn(trained, ahead) if by_size else {}
    return BackgroundBaselines(trained, ahead, jobs, by_size)


def style_baselines(curves: Mapping[str, CurveView]) -> list[ThinCurve]:
    """Baselines as ``add_baselines`` takes them."""
    return [
        (
            BASELINES[name].title,
            style("baseline", name),
            curve.table.assign(said=describe_baselines(name, curve.table)),
        )
        for name, curve in curves.items()
    ]
