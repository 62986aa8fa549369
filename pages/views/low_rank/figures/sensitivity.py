"""What each layer costs when it alone is compressed."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.plots.layout import BELOW, build_figure, score_scale
from pages.shared.plots.palette import INK, OCHRE, UNCHANGED, number_style
from pages.shared.plots.traces import heatmap, interval, line


def score_changes(table: pd.DataFrame, task: str) -> go.Figure:
    """Change of the validation score when one layer alone keeps a share of its numbers."""
    scale = score_scale(task)
    unit = "points" if task == "classification" else "R²"
    names = list(dict.fromkeys(table["layer"]))
    shares = sorted(table["share"].unique())

    def grid(column: str) -> NDArray:
        wide = table.pivot(index="layer", columns="share", values=column)
        return wide.reindex(index=names, columns=shares).to_numpy()

    change = scale * grid("change").astype(float)
    ranks = np.where(pd.isna(grid("rank")), "dense", grid("rank").astype(str))
    kept = grid("kept").astype(float)
    # Where not even rank 1 is small enough, show rank 1 in brackets.
    above = kept > np.array(shares) + 1e-9
    texts = [
        [
            f"({_format_signed(value)})" if over else _format_signed(value)
            for value, over in zip(*row, strict=True)
        ]
        for row in zip(change, above, strict=True)
    ]
    numbers = ("change_low", "change_high", "validation_score", "low", "high")
    scores = [np.round(scale * grid(c).astype(float), 3).astype(str) for c in numbers]
    heat = heatmap(
        change,
        # Both ends carry the same dark text, on a light page and on a dark one.
        [[0, OCHRE], [1, UNCHANGED]],
        x=[f"{100 * share:.0f} %" for share in shares],
        y=names,
        low=-(float(np.nanmax(np.abs(change))) or 1.0),
        high=0,
        scale=f"change ({unit})",
        xgap=2,
        ygap=2,
        customdata=np.dstack([ranks, *scores, np.round(100 * kept, 1).astype(str)]),
        text=texts,
        texttemplate="%{text}",
        textfont={"color": INK, "size": 12},
        hover="%{y} keeps %{customdata[6]} %: rank %{customdata[0]}<br>change %{text} "
        "(%{customdata[1]} to %{customdata[2]})<br>score %{customdata[3]} (%{customdata[4]} to "
        "%{customdata[5]})",
    )
    samples = int(table["samples"].iloc[0])
    categories = {"type": "category", "showgrid": False}
    return build_figure(
        [heat],
        f"Change of the validation score ({unit}); this layer alone, {samples:,} samples",
        130 + 52 * len(names),
        ("Share of the layer's numbers kept, at most", categories),
        ("Layer", {"autorange": "reversed", **categories}),
    )


def share_kept(table: pd.DataFrame, task: str) -> go.Figure:
    """Validation score against the share that one layer alone keeps, with 95 % intervals."""
    scale = score_scale(task)
    quantity = "Validation accuracy (%)" if task == "classification" else "Validation R²"
    traces = []
    for number, name in enumerate(dict.fromkeys(table["layer"])):
        rows = table[table["layer"] == name].sort_values("kept")
        look = number_style(number)
        score, low, high = (scale * rows[c].to_numpy() for c in ("validation_score", "low", "high"))
        traces.append(
            line(
                100 * rows["kept"].to_numpy(),
                score,
                name,
                look.colour,
                look.dash,
                markers=6,
                symbol=str(number),
                error_y=interval(score, low, high, look.colour),
                customdata=np.stack([low, high], axis=1),
                hover="%{x:.1f} % kept: %{y:.4g} (%{customdata[0]:.4g} to %{customdata[1]:.4g})",
                showlegend=True,
            )
        )
    return build_figure(
        traces,
        f"{quantity} by the share kept; this layer alone, bars: 95 % intervals",
        360,
        ("Share of the layer's numbers kept (%)", {"rangemode": "tozero"}),
        (quantity, {}),
        legend=BELOW,
    )


def _format_signed(value: float) -> str:
    text = f"{value:+.1f}" if abs(value) >= 0.05 else "0"
    return text.replace("-", "−")
