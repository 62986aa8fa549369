"""Figures of the atlas. Knows no Streamlit."""

import pandas as pd
import plotly.graph_objects as go

import data
from pages.shared.plots import palette, traces
from pages.shared.plots.layout import LEGEND, MARGIN, build_figure, score_scale

from . import text

COLOURS = {
    "wins": palette.SKY,
    "ties": palette.UNCHANGED,
    "loses": palette.APRICOT,
    "alone": palette.VIOLET,
    "nothing fits": palette.REFERENCE,
    "too few seeds": palette.REFERENCE,
    "not computed": palette.REFERENCE,
}
KINDS = {
    "low rank": palette.LOW_RANK,
    "few weights": palette.CONSTRAINED,
    "bounds": palette.APRICOT,
    "combination": palette.COMBINED,
    "few bits": palette.SLATE,
    "smaller network": palette.VIOLET,
}
ROW, FAMILY_ROW, HEAD = 62, 24, 130  # pixels
AXIS = 44  # pixels of an axis above its plot: ticks and title


def winners(cells: pd.DataFrame) -> go.Figure:
    """Every cell: its best family in words, its colour the verdict of ours against the baselines."""
    pairs = [
        text.label_pair(*pair) for pair in cells[["dataset", "model"]].drop_duplicates().values
    ]
    shares = sorted(cells["share"].unique(), reverse=True)
    names = list(COLOURS)
    lines = cells.assign(
        pair=[text.label_pair(*pair) for pair in cells[["dataset", "model"]].to_numpy()],
        code=cells["verdict"].map(names.index),
        words=[text.describe_cell(line) for line in cells.to_dict("records")],
        hover=[text.describe_hover(line) for line in cells.to_dict("records")],
    )
    grids = {
        name: lines.pivot(index="pair", columns="share", values=name).loc[pairs, shares].to_numpy()
        for name in ("code", "words", "hover")
    }
    last = len(names) - 1
    scale = [
        [end / (last + 1), COLOURS[name]]
        for number, name in enumerate(names)
        for end in (number, number + 1)
    ]
    drawn = traces.heatmap(
        grids["code"].astype(float),
        scale,
        x=[text.name_share(share).removesuffix(" of the bytes") for share in shares],
        y=pairs,
        low=-0.5,
        high=last + 0.5,
        hover="%{customdata}<extra></extra>",
        customdata=grids["hover"],
        text=grids["words"],
        texttemplate="%{text}",
        textfont={"color": palette.INK, "size": 10},
        xgap=2,
        ygap=2,
    )
    present = [name for name in ("wins", "ties", "loses") if name in set(cells["verdict"])]
    legend = [
        traces.points([None], [None], text.VERDICTS[name], COLOURS[name], size=12, symbol="square")
        for name in present
    ]
    return build_figure(
        [drawn, *legend],
        "Best family on validation; ours against the best baseline on test",
        HEAD + ROW * len(pairs),
        # Put the axis above the first of many rows, where reading begins.
        ("Share of the reference's bytes", {"showgrid": False, "side": "top"}),
        ("Dataset and model", {"autorange": "reversed", "showgrid": False}),
        margin=MARGIN | {"t": 64 + AXIS},
        legend=LEGEND | {"y": 1 + AXIS / (ROW * len(pairs))},
    )


def cell(families: pd.DataFrame, title: str) -> go.Figure:
    """Every family of a cell: change of the test score against the reference, with intervals."""
    task = data.DATASETS[families["dataset"].iloc[0]].task
    scale = score_scale(task)
    drawn = []
    for kind, rows in families.groupby("kind", sort=False):
        colour = KINDS[str(kind)]
        values, low, high = (scale * rows[name].to_numpy() for name in ("change", "low", "high"))
        shown = {"low": low, "high": high, "bytes": rows["bytes"].to_numpy()}
        shown |= {"family": rows["family"].to_numpy()}
        drawn.append(
            traces.points(
                values,
                rows["family"].map(text.shorten),
                str(kind),
                colour,
                size=10,
                symbol=["circle-open" if each else "circle" for each in rows["baseline"]],
                hover="%{customdata[3]}: %{x:+.2f} (%{customdata[0]:+.2f} to %{customdata[1]:+.2f}), "
                "%{customdata[2]:,.0f} B",
                customdata=pd.DataFrame(shown).to_numpy(),
                error_x=traces.interval(values, low, high, colour),
            )
        )
    unit = "points" if task == "classification" else "R²"
    return build_figure(
        drawn,
        title,
        HEAD + FAMILY_ROW * len(families),
        (f"Change ({unit})", {"zeroline": False}),
        (
            "Family",
            {
                "categoryorder": "array",
                "categoryarray": families["family"].map(text.shorten).tolist()[::-1],
                "showgrid": False,
            },
        ),
        shapes=[traces.vertical(0.0, palette.REFERENCE, dash="dash")],
        margin=MARGIN | {"t": 64},
        hovermode="closest",
    )
