"""Figures of the page on one's own model. Knows no Streamlit."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages.shared.plots import traces
from pages.shared.plots.layout import build_figure
from pages.shared.plots.palette import LOW_RANK, OCHRE, REFERENCE

from .text import markup, saving

# Opaque, and dark enough for white words on a light and on a dark ground.
GROWS, STAYS = "#C0392B", "#6B7280"
_MOST = 300  # layers that a map can show


def layer_map(layers: pd.DataFrame, energy: str, chosen: str) -> go.Figure:
    """Layers by size, coloured by what a lower rank gains: blue saves, red grows, grey stays."""
    shown = layers.nlargest(_MOST, "parameters").sort_index()
    gains = saving(shown, energy).fillna(0).to_numpy(float)
    able = (shown["reason"] == "").to_numpy()
    colours = [
        _blend(GROWS if gain < 0 else LOW_RANK, 0.25 + 0.75 * min(2 * abs(gain), 1.0))
        if can
        else STAYS
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
            "colors": colours,
            "line": {
                "width": [3 if name == chosen else 1 for name in shown["layer"]],
                "color": [
                    OCHRE if name == chosen else "rgba(138,143,152,0.6)" for name in shown["layer"]
                ],
            },
        },
        "textfont": {"color": "white", "size": 13},
        "tiling": {"pad": 2},
        "pathbar": {"visible": False},
        "root": {"color": "rgba(0,0,0,0)"},
    }
    hidden = {"visible": False}
    title = f"Layers by parameters; change of size at {energy} %"
    return build_figure([trace], title, 380, ("", hidden), ("", hidden))


def _blend(colour: str, amount: float) -> str:
    """That much of a colour in the grey of layers that stay."""
    parts = [
        round(amount * int(colour[i : i + 2], 16) + (1 - amount) * int(STAYS[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02X}" for part in parts)


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


def scores_by_size(table: pd.DataFrame, majority: float, current: int | None) -> go.Figure:
    """Test accuracy against file size, with intervals, yours and the largest class as lines.

    ``current``: row of the table where the slider stands, if it is one of them.
    """
    x = table["bytes"].to_numpy(float)
    y, low, high = (100 * table[name] for name in ("score", "score_low", "score_high"))
    changes = 100 * table[["change", "change_low", "change_high"]].to_numpy()
    curve = traces.line(
        x,
        y,
        "low rank",
        LOW_RANK,
        markers=7,
        hover="%{y:.1f} %, %{x:,.0f} bytes<br>%{customdata[0]:+.1f} points "
        "(%{customdata[1]:+.1f} to %{customdata[2]:+.1f})",
        error_y=traces.interval(y, low, high, LOW_RANK),
        customdata=changes,
        showlegend=False,
    )
    drawn = [curve]
    if current is not None:
        drawn.append(traces.current(x[current], float(y.iloc[current]), LOW_RANK))
    lines = {"yours": float(y.iloc[-1]), "largest class": 100 * majority}
    return build_figure(
        drawn,
        "Test accuracy against file size, 95 % intervals",
        360,
        ("File size (bytes)", {"rangemode": "tozero"}),
        ("Test accuracy (%)", {"range": [0, 104]}),
        shapes=[
            traces.horizontal(lines["yours"]),
            traces.horizontal(lines["largest class"], dash="dot"),
        ],
        annotations=[
            traces.note(
                0, at, name, yref="y", xanchor="left", font={"size": 11, "color": REFERENCE}
            )
            for name, at in lines.items()
        ],
    )


def adapter_energy(plan: pd.DataFrame, current: int, parameters: int) -> go.Figure:
    """Energy that all updates keep together, against the adapter's parameters."""
    x, y = plan["parameters"].to_numpy(float), 100 * plan["energy"].to_numpy(float)
    curve = traces.line(
        x,
        y,
        "resized",
        LOW_RANK,
        markers=6,
        hover="%{x:,.0f} parameters<br>%{y:.2f} % of the energy",
        showlegend=False,
    )
    return build_figure(
        [curve, traces.current(x[current], y[current], LOW_RANK)],
        "Energy of all updates kept",
        320,
        ("Parameters of the adapter", {"rangemode": "tozero"}),
        ("Energy kept (%)", {"range": [min(y[0], 95) - 2, 101]}),
        shapes=[traces.vertical(parameters, REFERENCE, dash="dash")],
    )
