"""Figures of the low-rank page: tables and arrays to Plotly. Knows no Streamlit."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from .figures import (
    COSTS,
    FAINT,
    LOW_RANK,
    REFERENCE,
    _faded,
    _layout,
    score_scale,
    score_title,
)

METHODS = {
    "truncated_svd": LOW_RANK,
    "activation_aware_svd": "#0F8F83",
    "covariance_eigenvectors": "#8C6BD8",
    "randomized_svd": "#B58900",
    "spatial_svd": "#C8508F",
    "tucker2": "#5B8C2A",
}
RULES = {
    "exact": (LOW_RANK, "Exact"),
    "greedy": ("#0F8F83", "Greedy"),
    "lagrangian": ("#8C6BD8", "Lagrangian"),
    "uniform_energy": ("#B58900", "Uniform energy"),
    "uniform": (REFERENCE, "Uniform k"),
}
SPECTRA = {
    "weight": ("weight W", LOW_RANK, "solid", "units of the weight"),
    "weighted": ("activation-weighted W Σ<sup>½</sup>", "#0F8F83", "solid", "units of the outputs"),
    "inputs": ("inputs Σ<sup>½</sup>", "#8C6BD8", "dot", "units of the inputs"),
}
AXES = {"knob": "Rank k", **COSTS}

# Blue and ochre differ for every kind of colour vision; neither side reads as a family's colour
# against the other.
DIVERGING = [[0.0, "#B58900"], [0.5, "rgba(138, 143, 152, 0.10)"], [1.0, LOW_RANK]]
DARK = "#16202A"  # text on ochre
CELLS = 32_768  # of a heat map; beyond it rows or columns are left out, and the title says so
LABEL_LEVELS = 4
LABEL_WIDTH = 0.015  # of the plot, a letter
PICTURES = 12


def spectra(
    values: Mapping[str, NDArray],
    marks: Mapping[str, float],
    rank: int,
    logarithmic: bool,
    layer: str,
) -> go.Figure:
    """Spectra of W, W Σ^½ and Σ^½, each relative to its largest value; the chosen rank shaded.

    ``marks``: label -> rank, drawn as thin vertical lines with labels above the plot.
    """
    figure = go.Figure()
    longest = min(max(map(len, values.values())), 2 * len(values["weight"]))
    for name, (title, colour, dash, unit) in SPECTRA.items():
        shown = values[name][:longest]
        largest = shown[0] if shown[0] > 0 else 1.0
        relative = 100 * shown / largest
        figure.add_scatter(
            x=np.arange(1, len(shown) + 1),
            # A logarithm has no room for what is zero but for rounding.
            y=np.where(relative > 1e-5, relative, np.nan) if logarithmic else relative,
            name=title,
            mode="lines+markers" if len(shown) <= 40 else "lines",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 5},
            customdata=shown,
            hovertemplate=f"σ<sub>%{{x}}</sub> = %{{customdata:.4g}} ({unit})<br>"
            f"%{{y:.3g}} % of the largest<extra>{title}</extra>",
        )
    _rank_here(figure, rank)
    _marks_above(figure, marks, longest)
    figure.update_xaxes(title="Index i", range=[0.5, longest + 0.5])
    if logarithmic:
        figure.update_yaxes(
            title="σ<sub>i</sub>, % of the largest", type="log", dtick=1, tickformat="~g"
        )
    else:
        figure.update_yaxes(title="σ<sub>i</sub>, % of the largest", rangemode="tozero")
    return _with_marks(figure, f"Spectra of {layer}", 400)


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
    figure = go.Figure()
    for name, share, colour, dash in curves:
        figure.add_scatter(
            x=np.arange(len(share)),
            y=100 * share,
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate=f"rank %{{x}}: %{{y:.2f}} % {name}<extra></extra>",
            showlegend=True,
        )
    shown = curves[-1][1]
    now = min(rank, len(shown) - 1)
    figure.add_scatter(
        x=[now],
        y=[100 * shown[now]],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={"size": 12, "color": LOW_RANK, "line": {"width": 2, "color": "white"}},
    )
    for share in (90, 95, 99):
        figure.add_hline(y=share, line={"color": FAINT, "width": 1, "dash": "dot"})
    _rank_here(figure, rank)
    _marks_above(figure, marks, len(own) - 1)
    figure.update_xaxes(title="Rank k", range=[0, len(own) - 0.5])
    figure.update_yaxes(title="Energy kept (%)", range=[0, 102])
    return _with_marks(figure, f"Energy kept of {layer}", 400)


def predicted_errors(errors: pd.DataFrame, rank: int, layer: str) -> go.Figure:
    """What the method said that a layer would lose, and what it loses on validation rows."""
    own = errors[errors["layer"] == layer]
    figure = go.Figure()
    for column, name, colour, dash in (
        ("predicted", "predicted (calibration rows)", LOW_RANK, "solid"),
        ("realised", "realised (validation rows)", "#0F8F83", "dot"),
    ):
        figure.add_scatter(
            x=own["rank"],
            y=100 * own[column] / own["whole"],
            name=name,
            mode="lines",
            line={"color": colour, "width": 2, "dash": dash},
            hovertemplate="rank %{x}: %{y:.3g} %<extra>" + name + "</extra>",
        )
    if rank <= own["rank"].max():  # beyond, the layer stays dense
        _rank_here(figure, rank)
    figure.update_xaxes(title="Rank k")
    figure.update_yaxes(title="Error (% of rank 0's)", rangemode="tozero")
    return _tall_legend(_layout(figure, f"Error of {layer}: predicted and realised", 340))


def matrices(weight: NDArray, approximation: NDArray, rank: int, layer: str) -> go.Figure:
    """Weight, its approximation and what is left, on one scale."""
    rows, columns = _strides(weight.shape)
    parts = {
        "Weight W": weight,
        f"Approximation Ŵ, rank {rank}": approximation,
        "Residual W − Ŵ": weight - approximation,
    }
    figure = make_subplots(
        rows=1, cols=3, subplot_titles=list(parts), shared_yaxes=True, horizontal_spacing=0.02
    )
    for number, (name, matrix) in enumerate(parts.items(), start=1):
        figure.add_trace(
            go.Heatmap(
                z=matrix[::rows, ::columns].astype(np.float32),
                x=np.arange(1, weight.shape[1] + 1, columns),
                y=np.arange(1, weight.shape[0] + 1, rows),
                coloraxis="coloraxis",
                hovertemplate="output %{y}, input %{x}<br>%{z:.4g}<extra>" + name + "</extra>",
            ),
            row=1,
            col=number,
        )
    largest = float(np.abs(weight).max()) or 1.0
    figure.update_xaxes(title="Input (column)", showgrid=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_yaxes(title="Output (row)", col=1)
    figure.update_annotations(font_size=12)
    title = f"{layer}: weight, approximation, residual"
    if rows > 1 or columns > 1:
        title += f" (every {_ordinal(rows)}row, every {_ordinal(columns)}column)"
    _layout(
        figure,
        title,
        340,
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
    return figure.update_layout(margin_t=62)


def patterns(values: NDArray, rank: int, layer: str, exact: bool) -> go.Figure:
    """What the first ranks of a first layer look for, as pictures or signals.

    ``exact``: the factors are right singular vectors, of length 1.
    """
    shown = values[:PICTURES]
    columns = 6
    figure = make_subplots(
        rows=-(-len(shown) // columns),
        cols=columns,
        subplot_titles=[
            f"{i}, {'kept' if i <= rank else 'left out'}" for i in range(1, len(shown) + 1)
        ],
        horizontal_spacing=0.01,
        vertical_spacing=0.14,
    )
    for number, value in enumerate(shown):
        place = {"row": number // columns + 1, "col": number % columns + 1}
        kept = number < rank
        if value.ndim == 2:
            largest = float(np.abs(value).max()) or 1.0
            trace = go.Heatmap(
                z=value.astype(np.float32),
                colorscale=DIVERGING,
                zmin=-largest,
                zmax=largest,
                showscale=False,
                opacity=1.0 if kept else 0.3,
                hovertemplate="row %{y}, column %{x}: %{z:.3g}<extra></extra>",
            )
            figure.update_yaxes(
                autorange="reversed", scaleanchor=f"x{number + 1}", constrain="domain", **place
            )
            figure.update_xaxes(constrain="domain", **place)
        else:
            trace = go.Scatter(
                y=value,
                mode="lines",
                showlegend=False,
                line={"color": LOW_RANK if kept else FAINT, "width": 1.5},
                hovertemplate="sample %{x}: %{y:.3g}<extra></extra>",
            )
        figure.add_trace(trace, **place)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_annotations(font_size=11)
    what = "Right singular vectors" if exact else "Rows of the right factor"
    title = f"{what} of {layer}: what each rank looks for in an input"
    _layout(figure, title, 150 + 130 * (-(-len(shown) // columns)))
    return figure.update_layout(margin_t=62)


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
    figure = go.Figure()
    for number, (method, title, kind, table) in enumerate(curves):
        colour = METHODS.get(method, LOW_RANK)
        if number == 0:
            ordered = table.sort_values(axis)
            figure.add_scatter(
                x=pd.concat([ordered[axis], ordered[axis][::-1]]),
                y=scale * pd.concat([ordered["score_high"], ordered["score_low"][::-1]]),
                fill="toself",
                fillcolor=_faded(colour),
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                mode="lines",
            )
        figure.add_scatter(
            x=table[axis],
            y=scale * table["score"],
            name=title,
            mode="lines+markers" if len(table) <= 40 else "lines",
            line={"color": colour, "width": 2, "dash": _dash(method, kind)},
            marker={"size": 5, "symbol": "circle-open" if kind == "tuned" else "circle"},
            customdata=np.stack(
                [
                    table["knob"],
                    scale * table["score_low"],
                    scale * table["score_high"],
                    table["parameters"],
                ],
                axis=1,
            ),
            hovertemplate="k = %{customdata[0]:.0f}: %{y:.4g} "
            "(%{customdata[1]:.4g} to %{customdata[2]:.4g})<br>"
            f"%{{customdata[3]:,.0f}} parameters<extra>{title}</extra>",
        )
    figure.add_hline(
        y=scale * reference["score"], line={"color": REFERENCE, "dash": "dash", "width": 1.5}
    )
    now = curves[0][3].iloc[(curves[0][3]["knob"] - rank).abs().argmin()]
    figure.add_scatter(
        x=[now[axis]],
        y=[scale * now["score"]],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={
            "size": 13,
            "color": METHODS.get(curves[0][0], LOW_RANK),
            "line": {"width": 2.5, "color": "white"},
        },
    )
    figure.update_xaxes(title=AXES[axis], type="log", tickformat="~s", dtick="D2")
    figure.update_yaxes(title=score_title(task))
    title = f"{score_title(task)} against {AXES[axis].lower()}; band: 95 % interval"
    return _tall_legend(_layout(figure, title, 420, hovermode="closest"))


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
            "color": _faded(LOW_RANK),
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
                "color": REFERENCE if symbol == "diamond" else "#B58900",
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
    return _tall_legend(_layout(figure, "Cross-validation of the rank", 380))


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
    return _tall_legend(_layout(figure, "Ranks that each rule gives", 340, barmode="group"))


def budget_scores(
    table: pd.DataFrame, reference: Mapping[str, float], budget: float, unit: str, task: str
) -> go.Figure:
    """Test score that each rule reaches under each budget."""
    scale = score_scale(task)
    figure = go.Figure()
    for rule, (colour, title) in RULES.items():
        own = table[table["rule"] == rule]
        figure.add_scatter(
            x=own["knob"],
            y=scale * own["score"],
            name=title,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": "solid" if rule == "exact" else "dot"},
            marker={"size": 6},
            customdata=np.stack(
                [scale * own["score_low"], scale * own["score_high"], own["gap"]], axis=1
            ),
            hovertemplate="budget %{x:,.0f}: %{y:.4g} (%{customdata[0]:.4g} to "
            "%{customdata[1]:.4g})<br>%{customdata[2]:.2g} more energy lost than the exact rule"
            f"<extra>{title}</extra>",
        )
    figure.add_hline(
        y=scale * reference["score"], line={"color": REFERENCE, "dash": "dash", "width": 1.5}
    )
    figure.add_vline(x=budget, line={"color": LOW_RANK, "width": 1.5})
    figure.update_xaxes(title=f"Budget: {COSTS[unit].lower()}", tickformat="~s")
    figure.update_yaxes(title=score_title(task))
    return _tall_legend(_layout(figure, f"{score_title(task)} under each budget", 340))


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
    details = np.dstack(
        [
            ranks,
            *(
                np.round(scale * grid(c).astype(float), 3).astype(str)
                for c in ("change_low", "change_high", "validation_score", "low", "high")
            ),
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
        text=[[_signed(value) for value in row] for row in change],
        colorscale=[[0, "#B58900"], [1, "rgba(138, 143, 152, 0.10)"]],
        colorbar={
            "title": {"text": f"change ({unit})", "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
        },
        hovertemplate="%{y} keeps %{x}: rank %{customdata[0]}<br>change %{text} "
        "(%{customdata[1]} to %{customdata[2]})<br>score %{customdata[3]} (%{customdata[4]} to "
        "%{customdata[5]})<extra></extra>",
    )
    # The numbers are layers of their own: on faint cells they take the page's text colour.
    strong = change < -0.8 * largest
    for shown, font in ((~strong, {}), (strong, {"color": DARK})):
        places = np.argwhere(shown)
        figure.add_scatter(
            x=[f"{100 * shares[column]:.0f} %" for _, column in places],
            y=[names[row] for row, _ in places],
            text=[_signed(change[row, column]) for row, column in places],
            mode="text",
            textfont=font,
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_xaxes(
        title="Share of the layer's numbers kept, at most", type="category", showgrid=False
    )
    figure.update_yaxes(title="Layer", autorange="reversed", type="category", showgrid=False)
    samples = int(table["samples"].iloc[0])
    title = f"Change of the validation score ({unit}), this layer alone; {samples:,} samples"
    return _layout(figure, title, 130 + 52 * len(names))


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


def _rank_here(figure: go.Figure, rank: int) -> None:
    figure.add_vline(x=rank, line={"color": LOW_RANK, "width": 1.5}, opacity=0.9)


def _marks_above(figure: go.Figure, marks: Mapping[str, float], longest: int) -> None:
    """Thin dotted lines, their labels above the plot on levels where they do not overlap."""
    at_rank: dict[float, list[str]] = {}
    for label, at in sorted(marks.items(), key=lambda item: item[1]):
        if at <= longest:
            at_rank.setdefault(round(at, 1), []).append(label)
    taken = [0.0] * LABEL_LEVELS
    for at, labels in at_rank.items():
        text = ", ".join(labels)
        place, width = at / longest, LABEL_WIDTH * len(text)
        left = place - (width if place > 0.8 else 0.0)
        level = min(range(LABEL_LEVELS), key=lambda n: (max(taken[n] - left, 0.0), n))
        taken[level] = max(place, left + width) + LABEL_WIDTH
        figure.add_shape(
            type="line",
            x0=at,
            x1=at,
            y0=0,
            y1=1 + 0.055 * level,
            yref="paper",
            line={"color": REFERENCE, "width": 1.1, "dash": "dot"},
        )
        figure.add_annotation(
            x=at,
            y=1 + 0.055 * level,
            yref="paper",
            xref="x",
            text=text,
            showarrow=False,
            xanchor="left" if place <= 0.8 else "right",
            xshift=2 if place <= 0.8 else -2,
            yanchor="bottom",
            font={"size": 11, "color": REFERENCE},
        )


def _with_marks(figure: go.Figure, title: str, height: int) -> go.Figure:
    """Room above the plot for labels; the legend below it."""
    _layout(figure, title, height)
    return figure.update_layout(
        margin_t=104,
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"},
    )


def _tall_legend(figure: go.Figure) -> go.Figure:
    """Long names: the legend goes below the plot."""
    return figure.update_layout(
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"}
    )
