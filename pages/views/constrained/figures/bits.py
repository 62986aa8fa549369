"""Figures of free weights in few bits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.shared.format import format_score, format_size
from pages.shared.models.text import bound_letter
from pages.shared.plots.layout import BELOW, build_figure, score_scale
from pages.shared.plots.palette import CONSTRAINED, REFERENCE, TEAL, VIOLET, fade
from pages.shared.plots.traces import bars, horizontal, levels, line, vertical

from .axes import bound_axis, log_axis

_BITS_AXIS = ("Bits of a free weight", {"type": "category"})


def scores(rows: pd.DataFrame, chosen: int, reference: Mapping[str, float], task: str) -> go.Figure:
    """One bound's network in every number of bits: its score, the reference's dashed."""
    scale = score_scale(task)
    sizes = [12 if bits == chosen else 6 for bits in rows["bits"]]
    lines = [
        line(
            [_name(bits) for bits in rows["bits"]],
            scale * rows[column],
            name,
            colour,
            dash,
            hover="%{x} bits: %{text}",
            text=[format_score(score, task) for score in rows[column]],
            mode="lines+markers",
            marker={"size": sizes},
        )
        for column, name, colour, dash in (
            ("validation_score", "validation", TEAL, "dot"),
            ("score", "test", CONSTRAINED, "solid"),
        )
    ]
    return build_figure(
        lines,
        "Score in every number of bits; dashed: reference",
        320,
        _BITS_AXIS,
        ("Accuracy (%)" if task == "classification" else "R²", {}),
        shapes=levels(reference, scale),
        legend=BELOW,
    )


def file_sizes(rows: pd.DataFrame, chosen: int, reference: Mapping[str, float]) -> go.Figure:
    """One bound's file in every number of bits, the reference's dashed."""
    colours = [CONSTRAINED if bits == chosen else fade(CONSTRAINED, 0.35) for bits in rows["bits"]]
    sizes = bars(
        [_name(bits) for bits in rows["bits"]],
        rows["bytes"],
        "file",
        colours,
        hover="%{x} bits: %{text}<extra></extra>",
        text=[format_size(length) for length in rows["bytes"]],
        textposition="none",
        showlegend=False,
    )
    return build_figure(
        [sizes],
        "File as it is written; dashed: the reference's",
        320,
        _BITS_AXIS,
        ("File size", {"tickformat": "~s", "ticksuffix": "B"}),
        shapes=[horizontal(reference["bytes"])],
    )


def _name(bits: int) -> str:
    return "off" if bits == 32 else str(bits)


def rounding(table: pd.DataFrame, chosen: int, bound: float, knob: str) -> go.Figure:
    """How the bound trades what it clips against what b bits round, root mean squares."""
    rows = table[table["bits"] == chosen].sort_values("bound")
    lines = [
        line(
            rows["bound"],
            rows[column].where(rows[column] > 0),
            name,
            colour,
            dash,
            hover=f"{bound_letter(knob)} = %{{x:.4g}}: %{{y:.3g}}",
        )
        for column, name, colour, dash in (
            ("clipping_error", "cut off the reference by the bound", CONSTRAINED, "solid"),
            ("rounding_error", "added by rounding", VIOLET, "solid"),
            ("step", "step of the grid", REFERENCE, "dot"),
        )
    ]
    return build_figure(
        lines,
        "Clipping against rounding" + ("" if chosen == 32 else f", {chosen} bits"),
        340,
        bound_axis(knob),
        ("Units of the weights", log_axis(rows[["clipping_error", "rounding_error", "step"]])),
        shapes=[vertical(bound, CONSTRAINED)],
        legend=BELOW,
    )


def fewest_bits(table: pd.DataFrame, bound: float, knob: str) -> go.Figure:
    """The fewest bits that each bound can do with."""
    fewest = table.drop_duplicates("bound").sort_values("bound")
    steps = line(
        fewest["bound"],
        np.minimum(fewest["fewest_bits"], 17),
        "fewest bits",
        CONSTRAINED,
        markers=5,
        hover=f"{bound_letter(knob)} = %{{x:.4g}}: %{{customdata}} bits<extra></extra>",
        customdata=[_name(bits) for bits in fewest["fewest_bits"]],
        showlegend=False,
    )
    steps["line"]["shape"] = "hvh"
    ticks = {
        "tickvals": [2, 4, 6, 8, 10, 12, 14, 16, 17],
        "ticktext": [*map(str, range(2, 17, 2)), "off"],
    }
    return build_figure(
        [steps],
        "Fewest bits that lose at most a point on validation",
        340,
        bound_axis(knob),
        ("Bits of a free weight", {"range": [1.5, 17.5], **ticks}),
        shapes=[vertical(bound, CONSTRAINED)],
    )
