"""Figures of a study. Knows no Streamlit."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from compression.studies.specification import Curves
from pages.shared.plots import traces
from pages.shared.plots.layout import BELOW, build_figure, score_scale
from pages.shared.plots.palette import Style, style

from .text import name_change, name_share

SPREAD = 0.6  # of a share's width, over which its curves stand side by side


KINDS = {"low_rank": "low_rank", "constrained": "constraint", "baseline": "baseline"}


def style_of(curves: Curves) -> Style:
    """A curve is drawn as its method is on every page."""
    name = curves.settings.get("constraint", curves.settings.get("method", ""))
    return style(KINDS[curves.family], name)


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
