"""Pieces of a screen that several pages show."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from compression import CompressionError
from pages.shared.format import escape_markdown
from pages.shared.glossary import explain
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import CurveView, FormatView, TrainedReference
from pages.shared.models.text import (
    FORMATS,
    SAFETENSORS,
    describe_export,
    describe_settings,
    describe_suggestion,
    metric_rows,
    missing_value,
)
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG
from pages.shared.plots.text import describe_confusion, describe_errors

from . import knobs, widgets
from .progress import follow, show_status

_TERMS = (("score", "interval"), ("parameters",), ("file",), ("MACs",))  # terms of a row's numbers


def keep_in_sight() -> DeltaGenerator:
    """A place that stays below the menu while the rest of the page scrolls: see page.css."""
    return st.container(key="in_sight")


def link_sections(titles: Mapping[str, str]) -> None:
    """Links to a long page's sections; ``titles``: a heading's anchor -> what the link says."""
    st.caption(" · ".join(f"[{title}](#{anchor})" for anchor, title in titles.items()))


def draw_suggestion(
    trained: TrainedReference,
    curve: CurveView | None,
    knob: str,
    key: str,
    followers: Sequence[str],
) -> None:
    """Which row of a curve to take, and a button that moves the knob there.

    ``curve``: None until it is whole. ``key``: of the fragment that this becomes; ``followers``:
    of those to draw again.
    """

    def take(value: float) -> None:
        widgets.move(knob, value)
        st.rerun(scope=list(followers))

    def draw() -> None:
        if curve is None:
            st.caption("As soon as the whole curve is judged.")
            return
        setting = describe_settings(curve)[curve.suggested]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(describe_suggestion(trained, curve, setting), width="content")
            if curve.row(knobs.read_number(knob)) != curve.suggested:
                icon = ":material/check:"
                value = (curve.suggestion,)
                st.button(
                    f"Take {setting}", icon=icon, key=f"take_{knob}", on_click=take, args=value
                )

    st.fragment(draw, key=key)()


def draw_predictions(
    trained: TrainedReference,
    predicted: NDArray,
    counts: NDArray | None,
    colour: str,
    key: str,
    network: str,
) -> None:
    """What a model answers on the test set: confusion matrix, or predicted against true.

    ``network``: which one, in words.
    """
    if counts is not None:
        figure = standard.confusion(counts, trained.class_names, colour)
        alt = describe_confusion(counts, trained.class_names, network)
    else:
        true, answered, before = (
            values * trained.target_scale + trained.target_mean
            for values in (trained.target, predicted, trained.predictions)
        )
        figure = standard.predicted_true(true, answered, before, colour, trained.target_title)
        alt = describe_errors(true, answered, before, network)
    st.plotly_chart(figure, key=key, alt=alt, config=CONFIG)


def draw_metrics_at(
    trained: TrainedReference, curve: CurveView, wanted: float, *, spread: bool = True
) -> int:
    """The metrics of the row nearest to ``wanted``, and which one that is; the row's number.

    Of a curve that is not complete it is said before them which value they are of.
    """
    row = curve.row(wanted)
    if missing := missing_value(curve, row, wanted):
        st.caption(missing)
    draw_metrics(trained, curve.table.iloc[row], spread=spread)
    return row


def draw_metrics(trained: TrainedReference, line: pd.Series, *, spread: bool = True) -> None:
    """What a row of a curve stores and how well it does, each beside its baseline.

    ``spread``: over the whole width; else as narrow as the numbers are.
    """
    rows = metric_rows(trained, line)
    if spread:
        places = st.columns(len(rows))
    else:
        places = [st.container(horizontal=True, gap="small")] * len(rows)
    for place, (label, value, delta, colour), terms in zip(places, rows, _TERMS, strict=True):
        place.metric(
            label,
            value,
            delta,
            delta_color=colour,
            delta_arrow="off",
            help=explain(*terms),
            width="stretch" if spread else "content",
        )


def draw_facts(rows: Sequence[tuple[str, str, str]]) -> None:
    """Numbers side by side: of each its label, itself, and below it what to hold it against."""
    for place, (label, value, baseline) in zip(st.columns(len(rows)), rows, strict=True):
        place.metric(label, value, baseline, delta_color="off", delta_arrow="off")


def draw_explained(rows: Sequence[tuple[str, str, str]]) -> None:
    """Numbers side by side: of each its label, itself, and its help."""
    for place, (label, value, help) in zip(st.columns(len(rows)), rows, strict=True):
        place.metric(label, value, help=help)


def download(
    label: str,
    content: Callable[[], bytes | str] | bytes | str,
    file_name: str,
    key: str,
    help: str | None = None,
    mime: str | None = None,
) -> None:
    """A button for a file, which is built when it is asked for.

    A callable runs in a thread without a session: give it its values with ``functools.partial``,
    and let it ask neither widgets nor the URL.
    """
    st.download_button(
        label,
        content,
        file_name=file_name,
        mime=mime,
        on_click="ignore",
        key=key,
        icon=":material/download:",
        type="tertiary",
        help=help,
    )


def offer_model(content: Callable[[], bytes] | bytes, file_name: str, key: str) -> None:
    """The buttons that every compressed model has: the file that is measured, and other formats."""
    download("Download model (.safetensors)", content, file_name, key, SAFETENSORS)
    stem = file_name.removesuffix(".safetensors")
    # Another knob value is another file, whose formats have to be requested anew.
    title = "Other formats: ONNX, PyTorch, factors"
    formats = st.expander(title, key=f"{key}_formats_{stem}", on_change="rerun")
    if not formats.open:
        return
    with formats:
        try:
            file = content() if callable(content) else content
        except CompressionError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
            return
        job = requests.other_formats(file, stem)
        follow(partial(_draw_formats, job, stem, key), job)


def _draw_formats(job: Job[list[FormatView]], stem: str, key: str) -> None:
    show_status(job, "Writing the formats and reading them back")
    for export in job.result or ():
        label, ending, help = FORMATS[export.kind]
        if export.refused:
            st.caption(f"{label}: {escape_markdown(export.refused)}")
            continue
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            download(label, export.content, stem + ending, f"{key}_{export.kind}", help)
            st.caption(describe_export(export), width="content")
    for export in job.result or ():
        if export.code:
            st.code(export.code, language=None, wrap_lines=True)
