"""Figures of a study. Knows no Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

import compression
import data
from compression.studies.specification import Curves, name_share
from pages.shared.plots import traces
from pages.shared.plots.layout import BELOW, NAMELESS, build_figure, score_scale
from pages.shared.plots.palette import REFERENCE, Style, style

from .text import NO_INTERVAL, OVERALL, name_bits, name_change, name_difference

SPREAD = 0.6  # part of a share's width that its curves fill side by side


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
    """Mean validation score by rank with a band over the fits, a star on the rank to take."""
    scale, drawn = score_scale(task), []
    for (label, bits), rows in chosen.groupby(["label", "bits"], sort=False):
        look, name = styles[label], name_bits(label, bits)
        mean, low, high = (scale * rows[each].to_numpy() for each in ("mean", "low", "high"))
        bottom, top = (np.where(np.isnan(end), mean, end) for end in (low, high))  # without gaps
        drawn.append(traces.band(rows["rank"], bottom, top, look.colour))
        drawn.append(
            traces.line(
                rows["rank"],
                mean,
                name,
                look.colour,
                look.dash,
                markers=5,
                symbol=look.symbol,
                hover="k = %{x}: %{y:.4g} (%{customdata})",
                customdata=_name_intervals(low, high, ".4g"),
            )
        )
        star = rows["chosen"].to_numpy()
        ring = {"line": {"width": 1.5, "color": "white"}}
        where = (rows["rank"][star], mean[star], f"{name}: take", look.colour)
        hover = "take k = %{x}: %{y:.4g}"
        drawn.append(traces.points(*where, size=17, symbol="star", marker=ring, hover=hover))
    part = "accuracy (%)" if task == "classification" else "R²"
    fits = f"{chosen['splits'].min():.0f} fits"
    return build_figure(
        drawn,
        f"{title}; mean of {fits}, 95 % bands, references dashed",
        380,
        ("Rank k", {"type": "log", "dtick": "D2", "tickformat": "~s"}),
        (f"Validation {part}", {}),
        shapes=[traces.horizontal(scale * chosen["reference"].iloc[0])],
        legend=BELOW,
    )


def curves(rows: pd.DataFrame, title: str, task: str, styles: Mapping[str, Style]) -> go.Figure:
    """Mean change of the test score by file size: a line and a band over the seeds for each curve."""
    scale, bands, lines = score_scale(task), [], []
    for label, curve_rows in rows.sort_values("share").groupby("label"):
        look = styles[str(label)]
        mean, low, high = (scale * curve_rows[each].to_numpy() for each in ("mean", "low", "high"))
        bottom, top = (np.where(np.isnan(end), mean, end) for end in (low, high))  # without gaps
        bands.append(traces.band(curve_rows["share"], bottom, top, look.colour))
        spans = _name_intervals(low, high, "+.2f")
        lines.append(
            traces.line(
                curve_rows["share"],
                mean,
                str(label),
                look.colour,
                look.dash,
                markers=5,
                symbol=look.symbol,
                hover="%{y:+.2f} (%{customdata[0]}), %{customdata[1]} seeds",
                customdata=list(zip(spans, curve_rows["seeds"], strict=True)),
            )
        )
    ticks = [2.0**-power for power in range(8)]
    return build_figure(
        [*bands, *lines],
        f"{title}; change by file size, 95 % bands over seeds",
        380,
        (
            "Share of the reference's bytes",
            {
                "type": "log",
                "tickvals": ticks,
                "ticktext": ["1" if tick == 1 else name_share(tick) for tick in ticks],
            },
        ),
        (name_change(task).capitalize(), {"zeroline": False}),
        shapes=[traces.horizontal(0.0)],
        legend=BELOW,
    )


def changes(rows: pd.DataFrame, title: str, task: str, styles: Mapping[str, Style]) -> go.Figure:
    """Change of the test score against the reference at each share: a point and interval a curve."""
    scale, labels = score_scale(task), sorted(rows["label"].unique())
    shares = sorted(rows["share"].unique(), reverse=True)
    drawn = []
    for number, label in enumerate(labels):
        curve_rows = rows[rows["label"] == label]
        places = curve_rows["share"].map(shares.index).to_numpy(float)
        offset = 0.0 if len(labels) == 1 else SPREAD * (number / (len(labels) - 1) - 0.5)
        colour, symbol = styles[label].colour, styles[label].symbol
        values, low, high = (
            scale * curve_rows[name].to_numpy() for name in ("mean", "low", "high")
        )
        hover = "%{y:+.2f} (%{customdata[0]}), %{customdata[1]} seeds"
        spans = _name_intervals(low, high, "+.2f")
        drawn.append(
            traces.points(
                places + offset,
                values,
                label,
                colour,
                size=8,
                symbol=symbol,
                hover=hover,
                customdata=list(zip(spans, curve_rows["seeds"], strict=True)),
                error_y=traces.interval(values, low, high, colour),
            )
        )
    return build_figure(
        drawn,
        f"{title}; change by file size, bars: 95 % over seeds",
        340,
        (
            "Share of the reference's bytes",
            {
                "tickvals": list(range(len(shares))),
                "ticktext": [name_share(each) for each in shares],
            },
        ),
        (name_change(task).capitalize(), {"zeroline": False}),
        shapes=[traces.horizontal(0.0)],
        legend=BELOW,
    )


def differences(
    compared: pd.DataFrame, overall: pd.DataFrame, task: str, styles: Mapping[str, Style]
) -> go.Figure:
    """Difference of each curve on each dataset with its interval; diamonds: over the datasets."""
    scale, drawn = score_scale(task), []
    names = list(dict.fromkeys(compared["pair"]))
    rows = [*names, OVERALL] if len(overall) else names
    labels = sorted(compared["label"].unique())
    for number, label in enumerate(labels):
        parts = [(compared[compared["label"] == label], styles[label].symbol, 8.0)]
        if len(overall):
            parts.append((overall[overall["label"] == label].assign(pair=OVERALL), "diamond", 12.0))
        offset = 0.0 if len(labels) == 1 else SPREAD * (number / (len(labels) - 1) - 0.5)
        colour = styles[label].colour
        curve_rows = pd.concat([part for part, _, _ in parts], ignore_index=True)
        sizes = [size for part, _, size in parts for _ in range(len(part))]
        symbols = [symbol for part, symbol, _ in parts for _ in range(len(part))]
        mean, low, high = (scale * curve_rows[each].to_numpy() for each in ("mean", "low", "high"))
        drawn.append(
            traces.points(
                mean,
                curve_rows["pair"].map(rows.index).to_numpy(float) + offset,
                label,
                colour,
                size=sizes,
                symbol=symbols,
                hover="%{x:+.2f} (%{customdata})",
                customdata=_name_intervals(low, high, "+.2f"),
                error_x=traces.interval(mean, low, high, colour),
            )
        )
    ticks = {"tickvals": list(range(len(rows))), "ticktext": rows, "range": [len(rows) - 0.4, -0.6]}
    return build_figure(
        drawn,
        "Difference on the same splits; bars: 95 % intervals, right of 0: better",
        160 + 22 * len(rows) * max(len(labels), 2),
        (name_difference(task), {"zeroline": False}),
        ("", ticks),
        shapes=[traces.vertical(0.0, REFERENCE, dash="dash")],
        legend=BELOW,
    )


def _name_intervals(lows: np.ndarray, highs: np.ndarray, form: str) -> list[str]:
    pairs = zip(lows, highs, strict=True)
    return [
        NO_INTERVAL if np.isnan(low) else f"{low:{form}} to {high:{form}}" for low, high in pairs
    ]


def coordinates(sample: pd.DataFrame, task: str, styles: Mapping[str, Style]) -> go.Figure:
    """All rows of a study as lines over axes; a range is marked by drawing along an axis."""
    labels = sorted(sample["label"].unique())
    codes = sample["label"].map(labels.index)
    scale = score_scale(task)
    unit = "%" if task == "classification" else "R²"
    points = "points" if task == "classification" else unit
    axes: list[dict[str, Any]] = [
        {"label": "Curve", "values": codes, **_label_ticks(labels)},
        _log_axis("Knob", sample["knob"].clip(lower=1e-6)),
        _log_axis("Share of the bytes", sample["share"]),
        {"label": f"Validation score ({unit})", "values": scale * sample["validation_score"]},
        {"label": f"Test change ({points})", "values": scale * sample["change"]},
    ]
    for each, catalogue in (("dataset", data.DATASETS), ("model", compression.MODELS)):
        names = sorted(sample[each].unique())
        if len(names) > 1:
            titles = _label_ticks([catalogue[name].title for name in names])
            values = sample[each].map(names.index)
            axes.insert(1, {"label": each.capitalize(), "values": values, **titles})
    for each in ("seed", "fold"):
        if len(numbers := sorted(sample[each].unique())) > 1:
            ticks = numbers[:: -(-len(numbers) // 10)]
            axes.append({"label": each.capitalize(), "values": sample[each], "tickvals": ticks})
    last = max(len(labels) - 1, 1)
    colours = [[number / last, styles[label].colour] for number, label in enumerate(labels)]
    drawn = {
        "type": "parcoords",
        "dimensions": axes,
        "line": {
            "color": codes,
            "cmin": 0,
            "cmax": last,
            "colorscale": colours if len(labels) > 1 else [[0, colours[0][1]], [1, colours[0][1]]],
        },
        "unselected": {"line": {"opacity": 0.04}},
        "labelangle": -20,
        "labelside": "top",
    }
    title = "A row is a line; drag along an axis to mark a range, click it to take it back"
    margin = {"l": 150, "r": 40, "t": 120, "b": 36}
    return build_figure([drawn], title, 440, NAMELESS, NAMELESS, margin=margin)


def _label_ticks(names: Sequence[str]) -> dict[str, Any]:
    short = [name if len(name) <= 24 else f"{name[:23]}…" for name in names]
    return {"tickvals": list(range(len(names))), "ticktext": short}


def _log_axis(name: str, values: pd.Series) -> dict[str, Any]:
    """An axis of logarithms with ticks of the values themselves."""
    places = np.log10(values)
    steps = [step * 10.0**power for power in range(-6, 7) for step in (1, 2, 5)]
    ticks = [step for step in steps if values.min() <= step <= values.max()]
    texts = [f"{step:g}" for step in ticks]
    return {
        "label": f"{name} (log)",
        "values": places,
        "tickvals": np.log10(ticks),
        "ticktext": texts,
    }


def growth(times: pd.DataFrame, styles: Mapping[str, Style]) -> go.Figure:
    """Seconds of a fit by the size of its reference: medians, bars over the middle half."""
    drawn = []
    for label, rows in times.sort_values("reference_bytes").groupby("label"):
        look = styles.get(str(label), Style(REFERENCE, "square", "dash"))
        drawn.append(
            traces.line(
                rows["reference_bytes"],
                rows["seconds"],
                str(label),
                look.colour,
                look.dash,
                markers=7,
                symbol=look.symbol,
                error_y=traces.interval(rows["seconds"], rows["low"], rows["high"], look.colour),
                hover="%{customdata[0]}: %{y:.3g} s, %{customdata[1]} fits",
                customdata=np.column_stack([rows["pair"], rows["fits"]]),
            )
        )
    sizes: dict[str, Any] = {"tickformat": "~s"}
    if times["reference_bytes"].max() >= 5 * times["reference_bytes"].min():
        sizes |= {"type": "log", "dtick": "D2"}  # Two ticks of 1, 2 and 5 lie in between.
    return build_figure(
        drawn,
        "Seconds of a fit by size; median, bars: the middle half of the fits",
        360,
        ("File size of the reference (bytes)", sizes),
        ("Seconds of one core", {"type": "log", "dtick": "D2", "tickformat": "~g"}),
        legend=BELOW,
    )
