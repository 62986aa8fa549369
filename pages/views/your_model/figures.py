"""Figures of the page on one's own model. Knows no Streamlit."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.shared.plots import traces
from pages.shared.plots.layout import build_figure
from pages.shared.plots.palette import LOW_RANK, REFERENCE, fade

from .text import markup, saving

GROWS = "#C0392B"
_MOST = 300  # layers that a map can show


def layer_map(layers: pd.DataFrame, energy: str, chosen: str) -> go.Figure:
    """Layers by size, coloured by what a lower rank gains: blue saves, red grows, grey stays."""
    shown = layers.nlargest(_MOST, "parameters").sort_index()
    gains = saving(shown, energy).fillna(0).to_numpy(float)
    able = (shown["reason"] == "").to_numpy()
    colours = [
        (GROWS if gain < 0 else LOW_RANK, 0.25 + 0.65 * min(abs(gain), 1.0))
        if can
        else (REFERENCE, 0.30)
        for gain, can in zip(gains, able, strict=True)
    ]
    said = [
        f"{100 * gain:+.0f} %".replace("-", "−") if can else "stays"
        for gain, can in zip(-gains, able, strict=True)
    ]
    trace = {
        "type": "treemap",
        "ids": [str(place) for place in range(len(shown))],
        "labels": [markup(name) for name in shown["layer"]],
        "parents": [""] * len(shown),
        "values": shown["parameters"].to_numpy(),
        "text": said,
        "texttemplate": "%{label}<br>%{text}",
        "hovertemplate": "%{label}<br>%{value:,} parameters<br>size %{text}<extra></extra>",
        "marker": {
            "colors": [fade(colour, opacity) for colour, opacity in colours],
            "line": {
                "width": [3 if name == chosen else 1 for name in shown["layer"]],
                "color": [
                    "#B58900" if name == chosen else "rgba(138,143,152,0.6)"
                    for name in shown["layer"]
                ],
            },
        },
        "tiling": {"pad": 2},
        "pathbar": {"visible": False},
        "root": {"color": "rgba(0,0,0,0)"},
    }
    hidden = {"visible": False}
    title = f"Layers by parameters, and how their size changes at {energy} % of the energy"
    return build_figure([trace], title, 380, ("", hidden), ("", hidden))


def energy_by_size(plan: pd.DataFrame, current: int, file_bytes: int) -> go.Figure:
    """Energy of the layer that loses most, against the file's size."""
    x, y = plan["bytes"].to_numpy(float), 100 * plan["energy"].to_numpy(float)
    curve = traces.line(
        x,
        y,
        "low rank",
        LOW_RANK,
        markers=6,
        hover="%{x:,.0f} bytes<br>%{y:.1f} % kept by the layer that loses most",
        showlegend=False,
    )
    largest = max(float(np.max(x)), float(file_bytes))
    return build_figure(
        [curve, traces.current(x[current], y[current], LOW_RANK)],
        "Energy kept by the layer that loses most",
        320,
        ("File size (bytes, about)", {"rangemode": "tozero", "range": [0, 1.05 * largest]}),
        ("Energy kept (%)", {"range": [0, 104]}),
        shapes=[traces.vertical(file_bytes, REFERENCE, dash="dash")],
        annotations=[
            traces.note(
                file_bytes, 0.02, "yours", xref="x", xanchor="right", xshift=-4, yanchor="bottom"
            )
        ],
    )
