"""Figures of layers under a bound. Knows no Streamlit."""

import numpy as np
import plotly.graph_objects as go

from compression.graphs.smallest import BoundedCurve
from pages.shared.format import score_name
from pages.shared.plots import traces
from pages.shared.plots.layout import BELOW, build_figure, score_scale, score_title
from pages.shared.plots.palette import CONSTRAINED, REFERENCE, UNCHANGED

from .text import escape_name

_LINES = {32: ("solid", "circle"), 8: ("dot", "diamond"), 4: ("dashdot", "triangle-up")}
_SHOWN = 0.4  # of score below yours; the picture leaves out what loses more
_MOST = 20  # layers that the bars show


def scores_by_bound(curve: BoundedCurve, row: int, bits: int, task: str) -> go.Figure:
    """Test score against the bound, refitted in 32, 8 and 4 bits, and clipped alone; yours dashed."""
    scale, unit = score_scale(task), " %" if task == "classification" else ""
    shares, table = np.array(curve.shares), curve.scores.table
    drawn = []
    for number, (dash, symbol) in _LINES.items():
        rows = table[table["bits"] == number]
        if not len(rows):
            continue
        y, low, high = (scale * rows[end] for end in ("score", "score_low", "score_high"))
        drawn.append(
            traces.line(
                shares[rows["row"]],
                y,
                "refitted" if number == 32 else f"refitted, {number} bits",
                CONSTRAINED,
                dash,
                markers=6,
                symbol=symbol,
                hover=f"%{{x:g}} of the reach: %{{y:.3~f}}{unit}",
                error_y=traces.interval(y, low, high, CONSTRAINED, visible=number == bits),
            )
        )
    clipped = curve.clipped
    drawn.append(
        traces.line(
            shares[clipped["row"].astype(int)],
            scale * clipped["score"].astype(float),
            "clipped, not refitted",
            REFERENCE,
            "dash",
            markers=5,
            symbol="x",
            hover=f"%{{x:g}} of the reach: %{{y:.3~f}}{unit}",
        )
    )
    y = scale * float(curve.line_at(row, bits)["score"])
    drawn.append(traces.current_point(shares[row], y, CONSTRAINED))
    yours = scale * float(curve.line_at(len(shares) - 1, 32)["score"])
    lowest = scale * float(min(table["score_low"].min(), clipped["score"].min()))
    floor = max(lowest - 0.03 * scale, yours - _SHOWN * scale)
    return build_figure(
        drawn,
        f"{score_name(task)} against the bound; bars: 95 % intervals",
        380,
        ("Bound c (share of each layer's largest weight)", {"range": [0, 1.04]}),
        (score_title(task), {"range": [floor, 1.04 * scale]}),
        legend=BELOW,
        shapes=[traces.horizontal(yours, dash="dash")],
        annotations=[
            traces.note(0, yours, "yours", xref="paper", yref="y", xanchor="left", yanchor="bottom")
        ],
    )


def lost_outputs(curve: BoundedCurve, row: int) -> go.Figure:
    """Share of each layer's outputs lost at a bound: clipped alone, and refitted."""
    layers = curve.layers.query("row == @row")
    worst = layers.nlargest(_MOST, "clipped").sort_index()
    names = [escape_name(name) for name in worst["layer"]]
    drawn = [
        traces.bars(
            100 * worst[column].to_numpy(float),
            names,
            name,
            colour,
            orientation="h",
            hover="%{y}: %{x:.2f} %",
        )
        for column, name, colour in (
            ("clipped", "clipped, not refitted", UNCHANGED),
            ("error", "refitted", CONSTRAINED),
        )
    ]
    some = f" ({_MOST} of {len(layers)} layers)" if len(layers) > _MOST else ""
    return build_figure(
        drawn,
        f"What the layers lose at this bound{some}",
        380,
        ("Variance of the layer's outputs lost (%)", {"rangemode": "tozero"}),
        ("", {"type": "category", "autorange": "reversed", "showgrid": False}),
        legend=BELOW,
        barmode="group",
    )
