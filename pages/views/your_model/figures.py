"""Figures of the page on one's own model. Knows no Streamlit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compression import LOW_RANK_METHODS
from pages.shared.format import score_name
from pages.shared.plots import traces
from pages.shared.plots.layout import BELOW, build_figure, score_scale, score_title
from pages.shared.plots.palette import CONSTRAINED, FAINTEST, LOW_RANK, OCHRE, REFERENCE, style

from .results import HeadView
from .text import escape_name

# Opaque, and dark enough for white words on a light and on a dark ground.
GROWS, STAYS = "#C0392B", "#6B7280"
_MOST = 300  # layers that a map can show


def layer_map(layers: pd.DataFrame, energy: str, chosen: str) -> go.Figure:
    """Layers by size, coloured by what a lower rank gains: blue saves, red grows, grey stays."""
    shown = layers.nlargest(_MOST, "parameters").sort_index()
    gains = shown[f"saving_{energy}"].fillna(0).to_numpy(float)
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
        "labels": [escape_name(name) for name in shown["layer"]],
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
        [curve, traces.current_point(x[current], y[current], LOW_RANK)],
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


def cosine_by_size(
    table: pd.DataFrame, sizes: pd.Series, current: int, file_bytes: int
) -> go.Figure:
    """Mean cosine of sentences' vectors before and after, with quartiles, against the file's size."""
    x = sizes.to_numpy(float)[: len(table)]
    y, low, high = table["value"], table["low"], table["high"]
    drawn = [
        traces.line(
            x,
            y,
            "low rank",
            LOW_RANK,
            markers=6,
            hover="%{x:,.0f} bytes<br>cosine %{y:.3f}",
            error_y=traces.interval(y, low, high, LOW_RANK),
            showlegend=False,
        )
    ]
    if current < len(table):
        drawn.append(traces.current_point(x[current], float(y.iloc[current]), LOW_RANK))
    return build_figure(
        drawn,
        "Cosine similarity of embeddings; bars: middle half of the sentences",
        320,
        ("File size (bytes, about)", {"rangemode": "tozero", "range": [0, 1.05 * file_bytes]}),
        ("Cosine with its own vector", {"range": [min(0.0, float(low.min())), 1.04]}),
        shapes=[traces.vertical(file_bytes, REFERENCE, dash="dash"), traces.horizontal(1.0)],
    )


_FEW_BITS = {8: ("dot", "diamond"), 4: ("dashdot", "triangle-up")}


def scores_by_size(
    tables: Mapping[str, pd.DataFrame], floor: float, current: int | None, task: str
) -> go.Figure:
    """Test score against file size, with intervals, yours and always the same answer as lines.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Method -> its curve; first the one that was chosen, whose weights of few bits are shown. The
        others' wait in the legend.
    floor : float
        Score of always the same answer on the test part.
    current : int or None
        Row of the chosen curve where the slider stands, if it is one of them.
    task : str
    """
    scale = score_scale(task)
    drawn = []
    for place, (name, table) in enumerate(tables.items()):
        title, colour = LOW_RANK_METHODS[name].title, style("low_rank", name).colour
        unrounded = table[table["bits"] == 32]
        drawn.append(_draw_scores(unrounded, title, colour, "solid", "circle", task))
        for bits, (dash, symbol) in _FEW_BITS.items():
            rounded = table[table["bits"] == bits]
            if len(rounded):
                said = f"{title}, {bits} bits"
                line = _draw_scores(rounded, said, colour, dash, symbol, task)
                drawn.append(line if place == 0 else line | {"visible": "legendonly"})
    chosen, table = next(iter(tables.items()))
    whole = table[table["bits"] == 32]
    y = scale * whole["score"].to_numpy()
    if current is not None:
        colour = style("low_rank", chosen).colour
        drawn.append(traces.current_point(whole["bytes"].iloc[current], float(y[current]), colour))
    same = "largest class" if task == "classification" else "the mean"
    return build_figure(
        drawn,
        f"{score_name(task)} against file size; bars: 95 % intervals",
        380,
        ("File size (bytes)", {"rangemode": "tozero"}),
        (score_title(task), _score_range(task, scale * table["score_low"])),
        legend=BELOW,
        **_baselines({"yours": float(y[-1]), same: scale * floor}),
    )


def _draw_scores(
    rows: pd.DataFrame, name: str, colour: str, dash: str, symbol: str, task: str
) -> traces.Trace:
    scale, unit = score_scale(task), " %" if task == "classification" else ""
    y, low, high = (scale * rows[end] for end in ("score", "score_low", "score_high"))
    return traces.line(
        rows["bytes"].to_numpy(float),
        y,
        name,
        colour,
        dash,
        markers=7,
        symbol=symbol,
        hover=f"%{{y:.3~f}}{unit}, %{{x:,.0f}} bytes<br>%{{customdata[0]:+.3~f}} "
        "(%{customdata[1]:+.3~f} to %{customdata[2]:+.3~f})",
        error_y=traces.interval(y, low, high, colour),
        customdata=scale * rows[["change", "change_low", "change_high"]].to_numpy(),
    )


def _score_range(task: str, low: pd.Series) -> dict[str, Any]:
    if task == "classification":
        return {"range": [0, 104]}
    return {"range": [max(min(-0.05, float(low.min())), -1.0), 1.04]}


def _baselines(lines: dict[str, float]) -> dict[str, Any]:
    """Horizontal lines with their names: yours dashed, the others dotted."""
    return {
        "shapes": [
            traces.horizontal(at, dash="dash" if name == "yours" else "dot")
            for name, at in lines.items()
        ],
        "annotations": [
            traces.note(
                0,
                at,
                name,
                xref="paper",
                yref="y",
                xanchor="left",
                yanchor="bottom",
                font={"size": 11, "color": REFERENCE},
            )
            for name, at in lines.items()
        ],
    }


_BOUND_AXIS = ("Bound c", {"type": "log", "tickformat": "~g", "dtick": "D2"})


def head_scores(view: HeadView, row: int, task: str) -> go.Figure:
    """Test score of the new last layer against its bound, with intervals; yours dashed."""
    table, scale = view.table, score_scale(task)
    y, low, high = (scale * table[name] for name in ("score", "score_low", "score_high"))
    x = table["knob"].to_numpy(float)
    unit = " %" if task == "classification" else ""
    curve = traces.line(
        x,
        y,
        "constrained",
        CONSTRAINED,
        markers=6,
        hover=f"c = %{{x:.3g}}: %{{y:.3~f}}{unit}",
        error_y=traces.interval(y, low, high, CONSTRAINED),
        showlegend=False,
    )
    lines, bound = _baselines({"yours": scale * view.original["score"]}), view.original["bound"]
    if x[0] <= bound <= x[-1]:
        lines["shapes"].append(traces.vertical(bound, REFERENCE, dash="dot"))
        words = "your weights' bound"
        lines["annotations"].append(traces.note(np.log10(bound), 0.02, words, xref="x"))
    floor = max(float(low.min()) - 0.05 * scale, -0.5 * scale if task == "regression" else 0.0)
    return build_figure(
        [curve, traces.current_point(x[row], float(y.iloc[row]), CONSTRAINED)],
        f"{score_name(task)} against the bound; bars: 95 % intervals",
        340,
        _BOUND_AXIS,
        (score_title(task), {"range": [floor, high.max() + 0.1 * (high.max() - floor)]}),
        **lines,
    )


def head_prices(table: pd.DataFrame, row: int) -> go.Figure:
    """What one more unit of c would take off the training loss."""
    x, prices = table["knob"].to_numpy(float), table["price"].to_numpy(float)
    curve = traces.line(
        x,
        np.where(prices > 0, prices, np.nan),
        "price",
        CONSTRAINED,
        markers=5,
        hover="c = %{x:.3g}: %{y:.3g}<extra></extra>",
        showlegend=False,
    )
    return build_figure(
        [curve],
        "What one more unit of c would buy",
        340,
        _BOUND_AXIS,
        ("Multiplier Σ λ (loss per unit of c)", {"type": "log", "tickformat": "~g", "dtick": 1}),
        shapes=[traces.vertical(x[row], CONSTRAINED)],
    )


def head_multipliers(view: HeadView, row: int) -> go.Figure:
    """Price of each weight's bound: a row an output, a column a number that the layer takes."""
    prices = np.atleast_2d(view.multipliers[row])
    names = [escape_name(name) for name in view.class_names] or ["output"]
    trace = traces.heatmap(
        prices,
        [[0.0, FAINTEST], [1.0, CONSTRAINED]],
        x=np.arange(1, prices.shape[1] + 1),
        y=names,
        low=0.0,
        scale="λ",
        hover="%{y}, input %{x}: λ = %{z:.3g}<extra></extra>",
    )
    return build_figure(
        [trace],
        "Which weights the bound holds, and at what price",
        max(200, 130 + 18 * len(names)),
        ("Input of the last layer", {"showgrid": False}),
        ("", {"type": "category", "autorange": "reversed", "showgrid": False}),
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
        [curve, traces.current_point(x[current], y[current], LOW_RANK)],
        "Energy of all updates kept",
        320,
        ("Parameters of the adapter", {"rangemode": "tozero"}),
        ("Energy kept (%)", {"range": [min(y[0], 95) - 2, 101]}),
        shapes=[traces.vertical(parameters, REFERENCE, dash="dash")],
    )
