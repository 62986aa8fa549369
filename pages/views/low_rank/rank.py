"""The rank, what it costs the network and this layer, and the layer seen at this rank."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
import streamlit as st

from compression import LOW_RANK_METHODS
from compression.low_rank.approximations import Approximations, LayerRanks, LayerView
from pages.shared import links
from pages.shared.glossary import explain
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Layer, LowRankSetting, TrainedReference
from pages.shared.models.text import SUGGESTED, model_file_name
from pages.shared.ui import blocks, charts, knobs, tables, widgets
from pages.shared.ui.progress import follow, show_status

from . import tasks, text
from .controls import FOLLOWERS, LAYER, RANK
from .figures import layer as layer_figures
from .figures import pictures

TERMS = ("rank k", "singular values", "energy", "break-even rank k*", "validation part")


def draw_rank(trained: TrainedReference, curve_job: Job[CurveView]) -> None:
    """The rank, and what it costs the network: what stays in sight."""

    def draw() -> None:
        rank = _choose_rank(trained, curve_job)
        show_status(curve_job, "Judging every rank")
        if (curve := curve_job.so_far) is not None:
            blocks.draw_metrics_at(trained, curve, rank)

    with blocks.keep_in_sight():
        follow(draw, curve_job, key=RANK)


def draw_layer(
    trained: TrainedReference, layer: Layer, setting: LowRankSetting, curve_job: Job[CurveView]
) -> None:
    """The network's file, and one layer at this rank."""
    ranks_job = submit(tasks.layer_ranks, trained.origin, *setting[:3])
    view_job = submit(tasks.layer_view, trained.origin, setting.method, layer.name, setting.ridge)
    errors_job = submit(tasks.layer_errors, trained.origin, setting)

    def draw() -> None:
        rank = int(knobs.read_number(links.RANK))
        if curve_job.so_far is not None:
            if ranks_job.result is not None:
                _describe_network(trained, curve_job.so_far, ranks_job.result, rank)
            blocks.offer_model(
                partial(requests.low_rank_file, trained, setting, rank),
                model_file_name(trained, "LMM", "rank", rank),
                "low_rank_file",
            )
        show_status(view_job, f"Taking {layer.name} apart")
        if view_job.result is not None:
            _draw_layer(trained, layer.title, view_job.result, setting, errors_job, rank)

    follow(draw, curve_job, ranks_job, view_job, errors_job, key=LAYER)


def _choose_rank(trained: TrainedReference, curve_job: Job[CurveView]) -> int:
    curve = curve_job.result
    values = range(1, trained.largest_rank + 1) if curve is None else curve.table["knob"]
    default = values[len(values) // 2] if curve is None else curve.suggestion
    return int(
        knobs.draw(
            links.RANK,
            "Rank k",
            values,
            default,
            settled=curve is not None,
            redraw=FOLLOWERS,
            help=f"{SUGGESTED}\n\n{explain(*TERMS)}",
        )
    )


def _describe_network(
    trained: TrainedReference, curve: CurveView, layers: list[LayerRanks], rank: int
) -> None:
    """Which layers the rank reaches."""
    reached = int(curve.table["knob"].iloc[curve.row(rank)])
    st.caption(text.describe_network(trained, layers, reached))


def _draw_layer(
    trained: TrainedReference,
    title: str,
    view: LayerView,
    setting: LowRankSetting,
    errors_job: Job[pd.DataFrame],
    rank: int,
) -> None:
    st.header(f"How low-rank is {title}?", anchor="layer")
    approximations = view.approximations
    if approximations is None:
        st.info(text.explain_not_taken(view), icon=":material/info:")
    else:
        if view.name not in setting.layers:
            st.info(text.explain_unused(view, setting), icon=":material/info:")
        if not approximations.ranks.pays(rank):
            warning = text.warn_larger(view, approximations, rank)
            st.warning(warning, icon=":material/trending_up:")
        else:
            st.markdown(text.describe_rank(view, approximations, rank))
    _draw_spectra(view, rank)
    if setting.calibration == "sequential":
        st.caption(text.VIEW_OF_REFERENCE)
    if view.unfolded_shape is not None:
        st.caption(text.describe_unfolding(view.method, view.unfolded_shape))
    with st.expander("What the marks say, as a table"):
        tables.draw(_tabulate_marks(view.marks, rank), "marks", trained)
    if approximations is not None:
        _draw_pictures(view, approximations, rank)
        if view.name in setting.layers:
            _draw_errors(trained, view.name, approximations, errors_job, rank)


def _tabulate_marks(marks: Mapping[str, float], rank: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "mark": text.MARKS[name][1],
                "rank": round(at, 1),
                "your k": f"{rank}, {'above' if rank > at else 'at or below'}",
            }
            for name, at in marks.items()
        ]
    )


def _draw_spectra(view: LayerView, rank: int) -> None:
    scales = {"linear": "Linear", "log": "Logarithmic"}
    logarithmic = widgets.choose_segment(links.SPECTRUM_SCALE, "Spectra", scales) == "log"
    marks = {text.MARKS[name][0]: at for name, at in view.marks.items() if at > 0}
    usual = ", ".join(f"{label} at {at:.3g}" for label, at in marks.items())
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            layer_figures.spectra(view.spectra, marks, rank, logarithmic, view.name),
            "low_rank_spectra",
            f"Spectra of {view.name} with rank {rank} and the usual ranks marked: {usual}",
        )
    approximations = view.approximations
    objective = (
        approximations.kept if approximations is not None and approximations.own_objective else None
    )
    break_even = {label: at for label, at in marks.items() if label == text.BREAK_EVEN}
    with right:
        charts.draw(
            layer_figures.energy(objective, view.spectra["weight"], break_even, rank, view.name),
            "low_rank_energy",
            text.describe_energy(view.spectra["weight"], rank, view.name),
        )


def _draw_pictures(view: LayerView, approximations: Approximations, rank: int) -> None:
    shown = min(rank, approximations.max_rank)
    charts.draw(
        pictures.matrices(view.weight, approximations.weight(rank), shown, view.name),
        "low_rank_matrices",
        f"Weight of {view.name}, its approximation of rank {shown}, and the residual",
    )
    if view.patterns is not None:
        exact = LOW_RANK_METHODS[view.method].singular_vectors
        charts.draw(
            pictures.patterns(view.patterns, rank, view.name, exact),
            "low_rank_patterns",
            f"What the first ranks of {view.name} look for in an input, as pictures; rank {rank}",
        )


def _draw_errors(
    trained: TrainedReference,
    layer: str,
    approximations: Approximations,
    errors_job: Job[pd.DataFrame],
    rank: int,
) -> None:
    show_status(errors_job, "Measuring what each layer loses")
    errors = errors_job.result
    if errors is None or not (errors["layer"] == layer).any():
        return
    charts.draw(
        layer_figures.predicted_errors(errors, rank, layer),
        "low_rank_errors",
        text.describe_errors(errors[errors["layer"] == layer], rank, layer),
    )
    st.caption(text.explain_errors(approximations.needs_inputs))
    tables.take_away(errors, "errors", trained)
