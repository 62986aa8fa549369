"""The race's figure: how fast each solver comes near the optimum."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from compression.constrained.convex.results import Race
from pages.shared.plots.layout import BELOW, build_figure
from pages.shared.plots.palette import style
from pages.shared.plots.traces import line

CLOCKS = {
    "iteration": ("Iteration", {"type": "log", "tickformat": "~s", "dtick": 1}),
    "seconds": ("Seconds", {"type": "log", "tickformat": "~g", "dtick": 1}),
}


def tracks(race: Race, titles: Mapping[str, str], clock: str) -> go.Figure:
    """How far above the optimum each solver still is, by iteration or by seconds."""
    lines = []
    for name, track in race.tracks.items():
        run = track[track[clock] > 0]  # the axis is logarithmic
        lines.append(
            line(
                run[clock],
                np.maximum(run["above"], 1e-16),
                titles[name],
                style("solver", name).colour,
                style("solver", name).dash,
                markers=4,
                symbol=style("solver", name).symbol,
                customdata=np.stack([run["iteration"], run["seconds"]], axis=1),
                hover="iteration %{customdata[0]}, %{customdata[1]:.3g} s: %{y:.3g} above",
            )
        )
    by = "iteration" if clock == "iteration" else "time"
    return build_figure(
        lines,
        f"Objective above the best lower bound, by {by}",
        360,
        CLOCKS[clock],
        ("Objective − lower bound", {"type": "log", "exponentformat": "power"}),
        legend=BELOW,
        hovermode="closest",
    )
