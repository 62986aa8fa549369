"""Figures of the low-rank page: tables and arrays to Plotly. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from pages.shared.plots.layout import (
    BELOW,
    COSTS,
    MARGIN,
    build_figure,
    frame_figure,
    score_scale,
    score_title,
)
from pages.shared.plots.palette import (
    DARK,
    DIVERGING,
    FAINT,
    LINES,
    LOW_RANK,
    OCHRE,
    PINK,
    REFERENCE,
    TEAL,
    VIOLET,
    faded,
    style,
)

RULES = {
    "best": (LOW_RANK, "Best in training"),
    "exact": (PINK, "Exact"),
    "greedy": (TEAL, "Greedy"),
    "lagrangian": (VIOLET, "Lagrangian"),
    "uniform_energy": (OCHRE, "Uniform loss"),
    "uniform": (REFERENCE, "Uniform k"),
}
SPECTRA = {
    "weight": ("weight W", LOW_RANK, "solid", "units of the weight"),
    "weighted": ("activation-weighted W Σ<sup>½</sup>", TEAL, "solid", "units of the outputs"),
    "inputs": ("inputs Σ<sup>½</sup>", VIOLET, "dot", "units of the inputs"),
}
AXES = {"knob": "Rank k", **COSTS}

CELLS = 32_768  # of a heat map; beyond it rows or columns are left out, and the title says so
LEVEL_HEIGHT = 0.07  # of the plot
LABEL_WIDTH = 0.015  # of the plot, a letter
PICTURES = 12
UNCHANGED = "#B9BDC3"
TO_ZERO = {"rangemode": "tozero"}


def spectra(
    values: Mapping[str, NDArray],
    marks: Mapping[str, float],
    rank: int,
    logarithmic: bool,
    layer: str,
) -> go.Figure:
    """Spectra of W, W Σ^½ and Σ^½, each relative to its largest value; the chosen rank marked.

    ``marks``: label -> rank, drawn as thin vertical lines with labels above the plot.
    """
    traces = []
    longest = min(max(map(len, values.values())), 2 * len(values["weight"]))
    for name, (title, colour, dash, unit) in SPECTRA.items():
        shown = values[name][:longest]
        largest = shown[0] if shown[0] > 0 else 1.0
        relative = 100 * shown / largest
        # A logarithm has no room for what is zero but for rounding.
        y = np.where(relative > 1e-5, relative, np.nan) if logarithmic else relative
        traces.append(
            _line(
                np.arange(1, len(shown) + 1),
                y,
                title,
                colour,
                dash,
                mode="lines+markers" if len(shown) <= 40 else "lines",
                marker={"size": 5},
                customdata=shown,
                hovertemplate=f"σ<sub>%{{x}}</sub> = %{{customdata:.4g}} ({unit})<br>"
                f"%{{y:.3g}} % of the largest<extra>{title}</extra>",
            )
        )
    y_axis = {"type": "log", "dtick": 1, "tickformat": "~g"} if logarithmic else TO_ZERO
    return _with_marks(
        traces,
        f"Spectra of {layer}",
        ("Index i", {"range": [0.5, longest + 0.5]}),
        ("σ<sub>i</sub>, % of the largest", y_axis),
        marks,
        longest,
        _rank_here(rank, longest),
    )


def energy(
    objective: NDArray | None, spectrum: NDArray, marks: Mapping[str, float], rank: int, layer: str
) -> go.Figure:
    """Share of the energy kept at every rank: the weight's own, and that of an objective, if given."""
    own = np.append(0.0, np.cumsum(spectrum**2) / np.sum(spectrum**2))
    curves = [("of the weight", own, LOW_RANK, "solid")]
    if objective is not None:
        curves = [
            ("of the weight, at best", own, REFERENCE, "dot"),
            ("of the method's objective", objective, LOW_RANK, "solid"),
        ]
    traces = [
        _line(
            np.arange(len(share)),
            100 * share,
            name,
            colour,
            dash,
            hovertemplate=f"rank %{{x}}: %{{y:.2f}} % {name}<extra></extra>",
            showlegend=True,
        )
        for name, share, colour, dash in curves
    ]
    shown = curves[-1][1]
    now = min(rank, len(shown) - 1)
    traces.append(_ringed(now, 100 * shown[now], LOW_RANK))
    longest = max(len(share) for _, share, *_ in curves) - 1
    return _with_marks(
        traces,
        f"Energy kept of {layer}",
        ("Rank k", {"range": [0, longest + 0.5]}),
        ("Energy kept (%)", {"range": [0, 102]}),
        marks,
        longest,
        [
            *(_level(share, FAINT, 1, "dot") for share in (90, 95, 99)),
            *_rank_here(rank, longest),
        ],
    )


def predicted_errors(errors: pd.DataFrame, rank: int, layer: str) -> go.Figure:
    """What the method said that a layer would lose, and what it loses on validation rows."""
    own = errors[errors["layer"] == layer]
    ranks, whole = own["rank"].to_numpy(), own["whole"].to_numpy()
    traces = [
        _line(
            ranks,
            100 * own[column].to_numpy() / whole,
            name,
            colour,
            dash,
            hovertemplate="rank %{x}: %{y:.3g} %<extra>" + name + "</extra>",
        )
        for column, name, colour, dash in (
            ("predicted", "predicted (calibration rows)", LOW_RANK, "solid"),
            ("realised", "realised (validation rows)", TEAL, "dot"),
        )
    ]
    return build_figure(
        traces,
        f"Error of {layer}: predicted and realised",
        340,
        ("Rank k", {"dtick": 1} if ranks.max() <= 10 else {}),
        ("Error (% of rank 0's)", TO_ZERO),
        legend=BELOW,
        shapes=_rank_here(rank, ranks.max()),  # beyond, the layer stays dense
    )


def matrices(weight: NDArray, approximation: NDArray, rank: int, layer: str) -> go.Figure:
    """Weight, its approximation and what is left, on one scale."""
    rows, columns = _strides(weight.shape)
    parts = {
        "Weight W": weight,
        f"Approximation Ŵ, rank {rank}": approximation,
        "Residual W − Ŵ": weight - approximation,
    }
    largest = float(np.abs(weight).max()) or 1.0
    traces, axes, notes = [], {}, []
    for number, (name, matrix) in enumerate(parts.items(), start=1):
        traces.append(
            {
                "type": "heatmap",
                "z": matrix[::rows, ::columns].astype(np.float32),
                "x": np.arange(1, weight.shape[1] + 1, columns),
                "y": np.arange(1, weight.shape[0] + 1, rows),
                "xaxis": f"x{number}",
                "yaxis": f"y{number}",
                "coloraxis": "coloraxis",
                "hovertemplate": "output %{y}, input %{x}<br>%{z:.4g}<extra>" + name + "</extra>",
            }
        )
        left, right = _panel(number, len(parts), 0.02)
        axes |= _axes(number, (left, right), (0, 1))
        axes[_axis("x", number)] |= {"title": {"text": "Input (column)", "standoff": 6}}
        axes[_axis("x", number)] |= {} if number == 1 else {"matches": "x"}
        axes[_axis("y", number)] |= {"autorange": "reversed"}
        if number > 1:
            axes[_axis("y", number)] |= {"matches": "y", "showticklabels": False}
        notes.append(_above((left + right) / 2, 1.0, name))
    axes["yaxis"] |= {"title": {"text": "Output (row)", "standoff": 6}}
    title = f"{layer}: weight, approximation, residual"
    if rows > 1 or columns > 1:
        title += f" (every {_ordinal(rows)}row, every {_ordinal(columns)}column)"
    return _side_by_side(
        traces,
        title,
        340,
        axes,
        notes,
        coloraxis={
            "colorscale": DIVERGING,
            "cmin": -largest,
            "cmax": largest,
            "colorbar": {
                "title": {"text": "units of the weight", "side": "right"},
                "thickness": 10,
                "outlinewidth": 0,
            },
        },
    )


def patterns(values: NDArray, rank: int, layer: str, exact: bool) -> go.Figure:
    """What the first ranks of a first layer look for, as pictures or signals, side by side.

    ``exact``: the factors are right singular vectors, of length 1.
    """
    shown = values[:PICTURES]
    traces, axes, notes = [], {}, []
    for number, value in enumerate(shown, start=1):
        kept = number <= rank
        place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        left, right = _panel(number, PICTURES, 0.008)
        axes |= _axes(number, (left, right), (0, 1), visible=False)
        if value.ndim == 2:
            largest = float(np.abs(value).max()) or 1.0
            traces.append(
                {
                    "type": "heatmap",
                    "z": value.astype(np.float32),
                    "colorscale": DIVERGING,
                    "zmin": -largest,
                    "zmax": largest,
                    "showscale": False,
                    "opacity": 1.0 if kept else 0.3,
                    "hovertemplate": "row %{y}, column %{x}: %{z:.3g}<extra></extra>",
                    **place,
                }
            )
            axes[_axis("x", number)] |= {"constrain": "domain"}
            axes[_axis("y", number)] |= {
                "autorange": "reversed",
                "scaleanchor": f"x{number}",
                "constrain": "domain",
                "constraintoward": "top",  # right below what is said of it
            }
        else:
            traces.append(
                {
                    "type": "scatter",
                    "y": value,
                    "mode": "lines",
                    "showlegend": False,
                    "line": {"color": LOW_RANK if kept else FAINT, "width": 1.5},
                    "hovertemplate": "sample %{x}: %{y:.3g}<extra></extra>",
                    **place,
                }
            )
        what = str(number) if kept else f"{number}, left out"
        notes.append(_above((left + right) / 2, 1.0, what))
    what = "Right singular vectors" if exact else "Rows of the right factor"
    title = f"{what} of {layer}: what each rank looks for in an input"
    return _side_by_side(traces, title, 185, axes, notes)


def _side_by_side(
    traces: Sequence[Mapping[str, Any]],
    title: str,
    height: int,
    axes: Mapping[str, Any],
    notes: Sequence[Mapping[str, Any]],
    **layout: Any,
) -> go.Figure:
    """Plots side by side, each with a line of its own above it."""
    return build_figure(
        traces,
        title,
        height,
        ("", {}),
        ("", {}),
        annotations=notes,
        margin=MARGIN | {"t": 62},
        **axes,
        **layout,
    )


def methods(
    curves: Sequence[tuple[str, str, str, pd.DataFrame]],
    reference: Mapping[str, float],
    axis: str,
    rank: int,
    task: str,
) -> go.Figure:
    """Score against rank, or cost: a line a method, fine-tuned ones dashed.

    ``curves``: (method, title, "plain" | "tuned", table). Bands are the first curve's 95 %
    intervals; every point's hover has its own.
    """
    scale = score_scale(task)
    traces: list[dict[str, Any]] = []
    for number, (method, title, kind, table) in enumerate(curves):
        colour = style("low_rank", method).colour
        if number == 0:
            ordered = table.sort_values(axis)
            x, low, high = (ordered[c].to_numpy() for c in (axis, "score_low", "score_high"))
            traces.append(
                {
                    "type": "scatter",
                    "x": np.append(x, x[::-1]),
                    "y": scale * np.append(high, low[::-1]),
                    "fill": "toself",
                    "fillcolor": faded(colour),
                    "line": {"width": 0},
                    "hoverinfo": "skip",
                    "showlegend": False,
                    "mode": "lines",
                }
            )
        knob, low, high, parameters, x, score = (
            table[c].to_numpy()
            for c in ("knob", "score_low", "score_high", "parameters", axis, "score")
        )
        traces.append(
            _line(
                x,
                scale * score,
                title,
                colour,
                _dash(method, kind),
                mode="lines+markers" if len(table) <= 40 else "lines",
                marker={"size": 5, "symbol": "circle-open" if kind == "tuned" else "circle"},
                customdata=np.stack([knob, scale * low, scale * high, parameters], axis=1),
                hovertemplate="k = %{customdata[0]:.0f}: %{y:.4g} "
                "(%{customdata[1]:.4g} to %{customdata[2]:.4g})<br>"
                f"%{{customdata[3]:,.0f}} parameters<extra>{title}</extra>",
                showlegend=True,
            )
        )
    first, _, _, table = curves[0]
    now = table.iloc[(table["knob"] - rank).abs().argmin()]
    traces.append(_ringed(now[axis], scale * now["score"], style("low_rank", first).colour))
    return build_figure(
        traces,
        f"{score_title(task)} against {AXES[axis].lower()}; band: 95 % interval",
        420,
        (AXES[axis], {"type": "log", "tickformat": "~s", "dtick": "D2"}),
        (score_title(task), {}),
        hovermode="closest",
        legend=BELOW,
        shapes=[_level(scale * reference["score"], REFERENCE, 1.5, "dash")],
    )


def cross_validation(table: pd.DataFrame, task: str) -> go.Figure:
    """Mean score over folds with one standard error, and the rule's choice."""
    scale = score_scale(task)
    best = table.loc[table["mean"].idxmax()]
    figure = go.Figure()
    figure.add_scatter(
        x=table["rank"],
        y=scale * table["mean"],
        error_y={
            "type": "data",
            "array": scale * table["standard_error"],
            "color": faded(LOW_RANK),
            "thickness": 3,
            "width": 0,
        },
        mode="lines+markers",
        name="mean over folds ± one standard error",
        line={"color": LOW_RANK, "width": 2},
        marker={"size": 5},
        hovertemplate="k = %{x}: %{y:.4g} ± %{error_y.array:.2g}<extra></extra>",
    )
    for name, row, symbol in (
        ("best mean", best, "diamond"),
        ("chosen: smallest within one standard error", table[table["chosen"]].iloc[0], "star"),
    ):
        figure.add_scatter(
            x=[row["rank"]],
            y=[scale * row["mean"]],
            mode="markers",
            name=f"{name} (k = {row['rank']:.0f})",
            marker={
                "size": 14,
                "symbol": symbol,
                "color": REFERENCE if symbol == "diamond" else OCHRE,
                "line": {"width": 1.5, "color": "white"},
            },
            hoverinfo="skip",
        )
    figure.add_hline(
        y=scale * (best["mean"] - best["standard_error"]),
        line={"color": REFERENCE, "dash": "dash", "width": 1.5},
    )
    figure.update_xaxes(title="Rank k", type="log", dtick="D2", tickformat="~s")
    # What decides lies within a few standard errors of the best: lower ranks are a zoom away.
    top, spread = scale * table["mean"].max(), scale * max(table["standard_error"].max(), 1e-3)
    low = max(scale * table["mean"].min(), top - 12 * scale * best["standard_error"]) - spread
    figure.update_yaxes(range=[low, top + 3 * scale * best["standard_error"] + 1e-6])
    quantity = (
        "Accuracy on rows held out (%)" if task == "classification" else "R² on rows held out"
    )
    figure.update_yaxes(title=quantity)
    return _tall_legend(frame_figure(figure, "Cross-validation of the rank", 380))


def budget_ranks(lines: pd.DataFrame, ranks: Sequence[Mapping[str, int | None]]) -> go.Figure:
    """Ranks per layer by every rule; where a layer stays dense there is no bar, but the word."""
    figure = go.Figure()
    for rule, own in zip(lines["rule"], ranks, strict=True):
        colour, title = RULES[rule]
        dense = {name: rank for name, rank in own.items() if rank is None}
        ranks_ = {name: rank for name, rank in own.items() if rank is not None}
        figure.add_bar(
            x=list(own),
            y=[own[name] or 0 for name in own],
            text=[str(ranks_.get(name, "")) for name in own],
            textposition="outside",
            name=title,
            offsetgroup=rule,
            marker={"color": colour},
            hovertemplate="%{x}: rank %{y}<extra>" + title + "</extra>",
            cliponaxis=False,
        )
        figure.add_bar(
            x=list(dense),
            y=[0] * len(dense),
            text=["dense"] * len(dense),
            textposition="outside",
            textangle=-90,
            offsetgroup=rule,
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        )
    figure.update_xaxes(title="Layer", type="category")
    figure.update_yaxes(title="Rank k", rangemode="tozero")
    return _tall_legend(frame_figure(figure, "Ranks that each rule gives", 340, barmode="group"))


def budget_scores(
    table: pd.DataFrame,
    tuned: pd.DataFrame | None,
    reference: Mapping[str, float],
    budget: float,
    unit: str,
    task: str,
) -> go.Figure:
    """Test score that each rule reaches under each budget; dashed: the same networks fine-tuned."""
    scale = score_scale(task)
    traces = []
    kinds = [(table, "", "dot", "circle")]
    if tuned is not None:
        kinds.append((tuned, ", fine-tuned", "dash", "circle-open"))
    for found, kind, dash, symbol in kinds:
        for rule, (colour, title) in RULES.items():
            own = found[found["rule"] == rule]
            score, low, high, gap, x = (
                own[c].to_numpy() for c in ("score", "score_low", "score_high", "gap", "knob")
            )
            traces.append(
                _line(
                    x,
                    scale * score,
                    title + kind,
                    colour,
                    "solid" if rule == "best" and not kind else dash,
                    mode="lines+markers",
                    marker={"size": 6, "symbol": symbol},
                    customdata=np.stack([scale * low, scale * high, gap], axis=1),
                    hovertemplate="budget %{x:,.0f}: %{y:.4g} (%{customdata[0]:.4g} to "
                    "%{customdata[1]:.4g})<br>%predicted loss {customdata[2]:.2g} above the exact "
                    f"rule's<extra>{title}{kind}</extra>",
                )
            )
    return build_figure(
        traces,
        f"{score_title(task)} under each budget",
        340 if tuned is None else 400,
        (f"Budget: {COSTS[unit].lower()}", {"tickformat": "~s"}),
        (score_title(task), {}),
        legend=BELOW,
        shapes=[
            _level(scale * reference["score"], REFERENCE, 1.5, "dash"),
            _upright(budget, LOW_RANK, 1.5, "solid"),
        ],
    )


def sensitivity(table: pd.DataFrame, task: str) -> go.Figure:
    """Change of the validation score when one layer alone keeps a share of its numbers."""
    scale = score_scale(task)
    unit = "points" if task == "classification" else "R²"
    names = list(dict.fromkeys(table["layer"]))
    shares = sorted(table["share"].unique())
    figure = go.Figure()

    def grid(column: str) -> NDArray:
        wide = table.pivot(index="layer", columns="share", values=column)
        return wide.reindex(index=names, columns=shares).to_numpy()

    change = scale * grid("change").astype(float)
    ranks = np.where(pd.isna(grid("rank")), "dense", grid("rank").astype(str))
    kept = grid("kept").astype(float)
    # Where not even rank 1 is small enough, what is shown is rank 1, in brackets.
    above = kept > np.array(shares) + 1e-9
    texts = [
        [
            f"({_signed(value)})" if over else _signed(value)
            for value, over in zip(*row, strict=True)
        ]
        for row in zip(change, above, strict=True)
    ]
    details = np.dstack(
        [
            ranks,
            *(
                np.round(scale * grid(c).astype(float), 3).astype(str)
                for c in ("change_low", "change_high", "validation_score", "low", "high")
            ),
            np.round(100 * kept, 1).astype(str),
        ]
    )
    largest = float(np.nanmax(np.abs(change))) or 1.0
    figure.add_heatmap(
        z=change,
        x=[f"{100 * share:.0f} %" for share in shares],
        y=names,
        zmin=-largest,
        zmax=0,
        xgap=2,
        ygap=2,
        customdata=details,
        text=texts,
        # Both ends carry the same dark text, on a light page and on a dark one.
        colorscale=[[0, OCHRE], [1, UNCHANGED]],
        texttemplate="%{text}",
        textfont={"color": DARK, "size": 12},
        colorbar={
            "title": {"text": f"change ({unit})", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
        },
        hovertemplate="%{y} keeps %{customdata[6]} %: rank %{customdata[0]}<br>change %{text} "
        "(%{customdata[1]} to %{customdata[2]})<br>score %{customdata[3]} (%{customdata[4]} to "
        "%{customdata[5]})<extra></extra>",
    )
    figure.update_xaxes(
        title="Share of the layer's numbers kept, at most", type="category", showgrid=False
    )
    figure.update_yaxes(title="Layer", autorange="reversed", type="category", showgrid=False)
    samples = int(table["samples"].iloc[0])
    title = f"Change of the validation score ({unit}), this layer alone; {samples:,} samples"
    return frame_figure(figure, title, 130 + 52 * len(names))


def share_kept(table: pd.DataFrame, task: str) -> go.Figure:
    """Validation score against the share that one layer alone keeps, with 95 % intervals."""
    scale = score_scale(task)
    quantity = "Validation accuracy (%)" if task == "classification" else "Validation R²"
    traces = []
    for number, name in enumerate(dict.fromkeys(table["layer"])):
        own = table[table["layer"] == name].sort_values("kept")
        colour = LINES[number % len(LINES)]
        score, low, high = (scale * own[c].to_numpy() for c in ("validation_score", "low", "high"))
        traces.append(
            _line(
                100 * own["kept"].to_numpy(),
                score,
                name,
                colour,
                mode="lines+markers",
                marker={"size": 6, "symbol": number},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": high - score,
                    "arrayminus": score - low,
                    "color": faded(colour),
                    "thickness": 3,
                    "width": 0,
                },
                customdata=np.stack([low, high], axis=1),
                hovertemplate="%{x:.1f} % kept: %{y:.4g} (%{customdata[0]:.4g} to "
                "%{customdata[1]:.4g})<extra>" + name + "</extra>",
                showlegend=True,
            )
        )
    return build_figure(
        traces,
        f"{quantity} against the share kept, this layer alone; bars: 95 % interval",
        360,
        ("Share of the layer's numbers kept (%)", {"rangemode": "tozero"}),
        (quantity, {}),
        legend=BELOW,
    )


def _dash(method: str, kind: str) -> str:
    if kind == "tuned":
        return "dash"
    # It lies on the truncated SVD's line where the sketch loses nothing: let that one be seen.
    return "dot" if method == "randomized_svd" else "solid"


def _signed(value: float) -> str:
    text = f"{value:+.1f}" if abs(value) >= 0.05 else "0"
    return text.replace("-", "−")


def _strides(shape: tuple[int, int]) -> tuple[int, int]:
    rows = columns = 1
    while -(-shape[0] // rows) * -(-shape[1] // columns) > CELLS:
        if shape[0] / rows >= shape[1] / columns:
            rows += 1
        else:
            columns += 1
    return rows, columns


def _ordinal(step: int) -> str:
    return {1: "", 2: "2nd ", 3: "3rd "}.get(step, f"{step}th ")


def _line(
    x: NDArray, y: NDArray, name: str, colour: str, dash: str = "solid", **more: Any
) -> dict[str, Any]:
    line = {"color": colour, "width": 2, "dash": dash}
    return {"type": "scatter", "x": x, "y": y, "name": name, "mode": "lines", "line": line} | more


def _ringed(x: float, y: float, colour: str) -> dict[str, Any]:
    """The point where the slider stands."""
    return {
        "type": "scatter",
        "x": [x],
        "y": [y],
        "mode": "markers",
        "showlegend": False,
        "hoverinfo": "skip",
        "marker": {"size": 13, "color": colour, "line": {"width": 2.5, "color": "white"}},
    }


def _upright(x: float, colour: str, width: float, dash: str, top: float = 1.0) -> dict[str, Any]:
    line = {"color": colour, "width": width, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": top, "yref": "paper", "line": line}


def _level(y: float, colour: str, width: float, dash: str) -> dict[str, Any]:
    line = {"color": colour, "width": width, "dash": dash}
    return {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": y, "y1": y, "line": line}


def _rank_here(rank: int, longest: int) -> list[dict[str, Any]]:
    return [_upright(rank, LOW_RANK, 1.5, "solid")] if rank <= longest else []


def _panel(number: int, panels: int, gap: float) -> tuple[float, float]:
    """Ends of one of several plots side by side."""
    width = (1 - (panels - 1) * gap) / panels
    left = (number - 1) * (width + gap)
    return left, min(left + width, 1.0)


def _axis(name: str, number: int) -> str:
    return f"{name}axis{number if number > 1 else ''}"


def _axes(
    number: int, x: tuple[float, float], y: tuple[float, float], **both: Any
) -> dict[str, dict[str, Any]]:
    """The two axes of one of several plots."""
    common = {"showgrid": False, "automargin": True, **both}
    return {
        _axis("x", number): {"domain": x, "anchor": f"y{number}", **common},
        _axis("y", number): {"domain": y, "anchor": f"x{number}", **common},
    }


def _above(x: float, y: float, text: str) -> dict[str, Any]:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "yanchor": "bottom"}
    return {**place, "text": text, "showarrow": False, "font": {"size": 12}}


def _with_marks(
    traces: Sequence[Mapping[str, Any]],
    title: str,
    x: tuple[str, Mapping[str, Any]],
    y: tuple[str, Mapping[str, Any]],
    marks: Mapping[str, float],
    longest: int,
    shapes: Sequence[Mapping[str, Any]],
) -> go.Figure:
    """A plot with thin dotted lines, and their labels above it on levels where none overlap."""
    at_rank: dict[float, list[str]] = {}
    for label, at in sorted(marks.items(), key=lambda item: item[1]):
        if at <= longest:
            at_rank.setdefault(round(at, 1), []).append(label)
    placed: list[tuple[float, float, int]] = []
    lines, labels = [], []
    # A label stands above those that it would overlap. In this order the line up to it passes
    # beside them: labels lie to the right of their lines, near the right end to the left.
    right = sorted(at for at in at_rank if at / longest > 0.8)
    left = sorted((at for at in at_rank if at / longest <= 0.8), reverse=True)
    for at in right + left:
        text = ", ".join(at_rank[at])
        left_hand = at in right
        width = LABEL_WIDTH * (len(text) + 1)
        start = at / longest - (width if left_hand else 0.0)
        end = start + width
        level = max((n + 1 for s, e, n in placed if s < end and start < e), default=0)
        placed.append((start, end, level))
        top = 1 + LEVEL_HEIGHT * level
        lines.append(_upright(at, REFERENCE, 1.1, "dot", top))
        labels.append(
            {
                "x": at,
                "y": top,
                "yref": "paper",
                "xref": "x",
                "text": text,
                "showarrow": False,
                "xanchor": "right" if left_hand else "left",
                "xshift": -2 if left_hand else 2,
                "yanchor": "bottom",
                "font": {"size": 11, "color": REFERENCE},
            }
        )
    return build_figure(
        traces,
        title,
        416,
        x,
        y,
        shapes=[*shapes, *lines],
        annotations=labels,
        legend=BELOW,
        margin=MARGIN | {"t": 120},
    )


def _tall_legend(figure: go.Figure) -> go.Figure:
    """Long names: the legend goes below the plot."""
    return figure.update_layout(legend=BELOW)
