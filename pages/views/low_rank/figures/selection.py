"""Cross-validation of the rank."""

import pandas as pd
import plotly.graph_objects as go

from pages.shared.plots.layout import BELOW, build_figure, score_scale
from pages.shared.plots.palette import LOW_RANK, OCHRE, REFERENCE
from pages.shared.plots.traces import NO_HOVER, horizontal, interval, line, points


def cross_validation(table: pd.DataFrame, task: str) -> go.Figure:
    """Mean score over folds with one standard error, and the rule's choice."""
    scale = score_scale(task)
    mean, error = (scale * table[c].to_numpy() for c in ("mean", "standard_error"))
    best = int(mean.argmax())
    traces = [
        line(
            table["rank"],
            mean,
            "mean over folds ± one standard error",
            LOW_RANK,
            markers=5,
            error_y=interval(mean, mean - error, mean + error, LOW_RANK),
            hover="k = %{x}: %{y:.4g} ± %{error_y.array:.2g}<extra></extra>",
        )
    ]
    ring = {"line": {"width": 1.5, "color": "white"}}
    for name, row, symbol, colour in (
        ("best mean", best, "diamond", REFERENCE),
        (
            "chosen: smallest within one standard error",
            int(table["chosen"].to_numpy().argmax()),
            "star",
            OCHRE,
        ),
    ):
        rank = table["rank"].iloc[row]
        label = f"{name} (k = {rank:.0f})"
        traces.append(
            points([rank], [mean[row]], label, colour, size=14, symbol=symbol, marker=ring)
            | NO_HOVER
        )
    # The choice depends on scores within a few standard errors of the best: zoom out to see the
    # rest.
    spread = max(error.max(), scale * 1e-3)
    low = max(mean.min(), mean[best] - 12 * error[best]) - spread
    part = "Accuracy on rows held out (%)" if task == "classification" else "R² on rows held out"
    return build_figure(
        traces,
        "Cross-validation of the rank",
        380,
        ("Rank k", {"type": "log", "dtick": "D2", "tickformat": "~s"}),
        (part, {"range": [low, mean[best] + 3 * error[best] + 1e-6]}),
        legend=BELOW,
        shapes=[horizontal(mean[best] - error[best])],
    )
