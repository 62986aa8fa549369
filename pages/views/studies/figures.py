"""Figures of a study. Knows no Streamlit."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compression.studies.specification import Curves
from pages.shared.plots import traces
from pages.shared.plots.layout import BELOW, build_figure, score_scale
from pages.shared.plots.palette import Style, style

from .text import name_bits, name_change, name_share

SPREAD = 0.6  # of a share's width, over which its curves stand side by side


KINDS = {
    "low_rank": "low_rank",
    "constrained": "constraint",
    "baseline": "baseline",
    "combined": "combined",
}


def style_of(curves: Curves) -> Style:
    """A curve is drawn as its method is on every page."""
    settings, kind = curves.settings, KINDS[curves.family]
    names = ("constraint", "method") if kind == "constraint" else ("method",)
    return style(kind, next(settings[name] for name in names if name in settings))


def ranks(chosen: pd.DataFrame, title: str, task: str, styles: Mapping[str, Style]) -> go.Figure:
    """Mean validation score by rank with a band over the splits, a star on the rank to take."""
    scale, drawn = score_scale(task), []
    for (label, bits), own in chosen.groupby(["label", "bits"], sort=False):
        look, name = styles[label], name_bits(label, bits)
        mean, low, high = (scale * own[each].to_numpy() for each in ("mean", "low", "high"))
        drawn.append(traces.band(own["rank"], low, high, look.colour))
        drawn.append(
            traces.line(
                own["rank"],
                mean,
                name,
                look.colour,
                look.dash,
                markers=5,
                symbol=look.symbol,
                hover="k = %{x}: %{y:.4g} (%{customdata[0]:.4g} to %{customdata[1]:.4g})",
                customdata=np.column_stack([low, high]),
            )
        )
        star = own["chosen"].to_numpy()
        ring = {"line": {"width": 1.5, "color": "white"}}
        where = (own["rank"][star], mean[star], f"{name}: take", look.colour)
        hover = "take k = %{x}: %{y:.4g}"
        drawn.append(traces.points(*where, size=17, symbol="star", marker=ring, hover=hover))
    part = "accuracy (%)" if task == "classification" else "R²"
    splits = f"{chosen['splits'].min():.0f} splits"
    return build_figure(
        drawn,
        f"{title}; mean over {splits} by rank, bands: 95 % intervals, dashed: the references",
        380,
        ("Rank k", {"type": "log", "dtick": "D2", "tickformat": "~s"}),
        (f"Validation {part}", {}),
        shapes=[traces.horizontal(scale * chosen["reference"].iloc[0])],
        legend=BELOW,
    )


def changes(rows: pd.DataFrame, title: str, task: str, styles: Mapping[str, Style]) -> go.Figure:
    """Change of the test score against the reference at each share: a point and interval a curve."""
    scale, labels = score_scale(task), sorted(rows["label"].unique())
    shares = sorted(rows["share"].unique(), reverse=True)
    drawn = []
    for number, label in enumerate(labels):
        own = rows[rows["label"] == label]
        places = own["share"].map(shares.index).to_numpy(float)
        offset = 0.0 if len(labels) == 1 else SPREAD * (number / (len(labels) - 1) - 0.5)
        colour, symbol = styles[label].colour, styles[label].symbol
        values, low, high = (scale * own[name].to_numpy() for name in ("mean", "low", "high"))
        hover = "%{y:+.2f} (%{customdata[0]:+.2f} to %{customdata[1]:+.2f}), %{customdata[2]} seeds"
        drawn.append(
            traces.points(
                places + offset,
                values,
                label,
                colour,
                size=8,
                symbol=symbol,
                hover=hover,
                customdata=np.column_stack([low, high, own["seeds"]]),
                error_y=traces.interval(values, low, high, colour),
            )
        )
    return build_figure(
        drawn,
        f"{title}: {name_change(task)} by file size; bars: 95 % intervals over seeds",
        340,
        (
            "Share of the reference's file",
            {
                "tickvals": list(range(len(shares))),
                "ticktext": [name_share(each) for each in shares],
            },
        ),
        (name_change(task).capitalize(), {"zeroline": False}),
        shapes=[traces.horizontal(0.0)],
        legend=BELOW,
    )
