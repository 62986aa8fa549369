"""Every candidate that was computed: one table, one plane, and a comparison of some."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from compression.latency import BATCHES, REFERENCE, RankLatencies, equalise_times
from compression.pareto import distinct_rows, mark_front
from pages.shared import links
from pages.shared.format import (
    compare_sizes,
    format_count,
    format_interval,
    format_score,
    format_size,
    quote,
)
from pages.shared.glossary import CONTROLS, explain
from pages.shared.links import Link
from pages.shared.models.results import CurveView, TrainedReference
from pages.shared.plots import palette
from pages.shared.plots.palette import Style
from pages.shared.ui import charts, tables, widgets

from . import figures, text
from .choice import Series, SeriesRow
from .series import is_unasked, list_possible_series
from .tasks import DENSE

LARGEST_COMPARISON = 30  # most choices that a lasso compares: more would make a long link
MILLISECONDS = 1e3  # in a second
PICKED, _OPENED = "_picked", "_open"  # in the session: the choice clicked, the line to go to
_NUMBERS = [
    "knob",
    "epochs",
    *text.COSTS,
    *(f"validation_{part}" for part in ("score", "low", "high")),
    *("score", "score_low", "score_high", "change", "change_low", "change_high"),
    "balanced_score",  # of classification; else it stays empty
]


def list_candidates(reference: pd.Series, curves: Mapping[Series, CurveView]) -> pd.DataFrame:
    """The reference, then a row a choice: who made it, where it can be looked at, costs, scores.

    Of rows of one series that cost the same and score the same only the first stays, and none
    that is the reference: with a rank from the break-even on a network stays as it is.
    """
    # Set the reference's own change to 0: sums of rounded numbers give an R² other than that.
    first = (
        reference.reindex(_NUMBERS).to_frame().T.assign(change=0.0, change_low=0.0, change_high=0.0)
    )
    choice = SeriesRow("as trained", REFERENCE, links.to_train())
    style = Style(palette.REFERENCE, "diamond")
    frames = [_describe("reference", "Reference", "Reference", "baseline", style, first, [choice])]
    for series, curve in curves.items():
        besides = None if series.family == "baseline" else reference
        rows = distinct_rows(curve.table, besides)
        choices = series.list_choices(curve)
        frames.append(
            _describe(
                series.name,
                series.title,
                series.short_title,
                series.family,
                series.style,
                curve.table.reindex(columns=_NUMBERS).iloc[rows],
                [choices[row] for row in rows],
            ).assign(place=rows)
        )
    return pd.concat([frames[0].assign(place=0), *frames[1:]], ignore_index=True)


def stack_rows(table: pd.DataFrame, curves: Mapping[Series, CurveView], name: str) -> NDArray[Any]:
    """An array of the curves, such as their gains, with a row for each candidate.

    The reference's is all zeros: nobody compares anything with it here.
    """
    parts = []
    for series, curve in curves.items():
        places = table.loc[table["series"] == series.name, "place"].to_numpy(int)
        parts.append(getattr(curve, name)[places])
    rows = np.concatenate(parts)
    return np.concatenate([np.zeros_like(rows[:1]), rows])


def _describe(
    name: str,
    title: str,
    short_title: str,
    family: str,
    style: Style,
    numbers: pd.DataFrame,
    choices: Sequence[SeriesRow],
) -> pd.DataFrame:
    labels = [f"{short_title}, {choice.text}" for choice in choices]
    return numbers.astype(np.float64).assign(
        id=[f"{name}: {choice.text}" for choice in choices],
        series=name,
        method=title,
        family=family,
        label=labels if family != "baseline" else short_title,
        choice=[choice.text for choice in choices],
        architecture=[choice.architecture for choice in choices],
        link=[choice.link for choice in choices],
        warning=[choice.warning for choice in choices],
        style=[style] * len(choices),
    )


def add_latency(table: pd.DataFrame, measured: RankLatencies | None) -> pd.DataFrame:
    """The rows with their architecture's time a call in ms, ``latency_1`` for a batch of 1.

    NaN where it was not measured. A time that cannot be told from the reference's is the
    reference's: else noise would choose.
    """
    if measured is None:
        return table
    times = {
        text.latency_column(batch): equalise_times(measured.table, DENSE, batch)
        for batch in BATCHES
    }
    return table.assign(
        **{
            name: table["architecture"].map(MILLISECONDS * seconds)
            for name, seconds in times.items()
        }
    )


def link_names(table: pd.DataFrame) -> pd.Series:
    """The choices' names as a link has them: without the commas, at which it would be cut."""
    return table["label"].str.replace(",", "").astype(object)


def rename_old(name: str) -> str:
    """What a choice is called now that an older link calls by c, which was ρ, or by κ."""
    return re.sub(r" [cκ] = ", " ρ = ", name)


def pick_candidate(
    table: pd.DataFrame, best: pd.DataFrame, promised: pd.Series | None, settled: bool
) -> pd.Series | None:
    """The choice that was clicked, or that a link names, else what is promised, else the best."""
    linked = st.query_params.get(links.CHOICE)
    wanted = st.session_state.get(PICKED) or linked
    names = link_names(table)
    matches = names[names.isin([wanted, rename_old(wanted)])] if wanted else names[:0]
    if len(matches):
        if linked != matches.iloc[0]:
            st.query_params[links.CHOICE] = matches.iloc[0]
        return table.loc[matches.index[0]]
    if linked is not None and settled:
        st.warning(text.say_unknown(linked), icon=":material/info:")
    if promised is not None:
        return promised
    return None if best.empty else best.iloc[0]


def load_sliders(line: pd.Series) -> None:
    """Put the sliders of its page where the choice stands; for callbacks."""
    st.session_state[PICKED] = line["label"].replace(",", "")
    for key, value in line["link"].query.items():
        widgets.move(key, value)


def open_page(link: Link) -> None:
    """To the page that shows a choice."""
    # Pass the parameters: without them Streamlit would clear the URL that this page's widgets are
    # bound to.
    st.switch_page(link.page, query_params=link.texts())


def list_requested(trained: TrainedReference) -> list[str]:
    """Names of the series asked for by the menu that stands further down, or by the URL."""
    if links.MORE_SERIES in st.session_state:
        return st.session_state[links.MORE_SERIES]
    names = {series.title: series.name for series in _list_series_to_add(trained)}
    linked = st.query_params.get_all(links.MORE_SERIES)
    wanted = [names.get(text, links.find_name(links.MORE_SERIES, text)) for text in linked]
    return [name for name in wanted if name in names.values()]


def _list_series_to_add(trained: TrainedReference) -> list[Series]:
    return [series for series in list_possible_series(trained) if not is_unasked(series)]


def draw_candidates(
    trained: TrainedReference,
    table: pd.DataFrame,
    cost: str,
    picked: pd.Series | None,
    settled: bool,
) -> None:
    """The plane of all candidates, the menu of further series, and the comparison."""
    st.header("Everything that was computed", anchor="everything")
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="bottom")
    with left:
        terms = explain("validation part", "test part", "Pareto front", "baseline")
        part = widgets.choose_segment(links.SCORE_PART, "Scores", text.SCORES, help=terms)
    with right:
        _choose_more_series(trained)
    front = mark_front(table, cost, "validation_score")

    def select() -> None:
        selection = st.session_state["decide_plane"]["selection"]
        ids = [point["customdata"][0] for point in selection["points"] if "customdata" in point]
        if selection["lasso"] or selection["box"]:
            _compare_rows(table[table["id"].isin(ids)], front, cost)
        elif ids:
            load_sliders(table[table["id"] == ids[0]].iloc[0])

    ringed = () if picked is None else (picked["id"],)
    charts.draw(
        figures.plane(table, front, cost, part, trained.task, ringed, trained.majority),
        "decide_plane",
        f"{text.SCORES[part]} score against {figures.AXES[cost].lower()} "
        f"for {len(table) - 1:,} choices, {int(front.sum())} models on the Pareto front"
        + ("" if picked is None else f"; picked is {picked['label']}"),
        on_select=select,
        selection_mode=("points", "lasso"),
        config=figures.SELECTABLE,
    )
    st.caption(f"{text.PLANE} {text.describe_floor(trained)}")
    _draw_comparison(trained, table, cost, settled)


def _choose_more_series(trained: TrainedReference) -> None:
    titles = {series.name: series.title for series in _list_series_to_add(trained)}
    if links.MORE_SERIES not in st.session_state:
        widgets.translate_url(links.MORE_SERIES, titles)
        # An older link may ask for series that are always computed now.
        possible = list_possible_series(trained)
        known = {name for series in possible for name in (series.name, series.title)}
        linked = st.query_params.get_all(links.MORE_SERIES)
        if unknown := [quote(name) for name in linked if name not in known]:
            said = f"Compute more: there is no {' and no '.join(unknown)} here."
            widgets.add_remark(links.MORE_SERIES, said)
    chosen = st.multiselect(
        "Compute more",
        list(titles),
        format_func=titles.__getitem__,
        key=links.MORE_SERIES,
        bind="query-params",
        persist_state="session",
        on_change=widgets.add_remark,
        args=(links.MORE_SERIES, ""),
        placeholder="Other methods and sets, budgets, bit widths, combinations",
        help=CONTROLS[links.MORE_SERIES],
    )
    widgets.draw_remarks(links.MORE_SERIES)
    before = st.session_state.get("_more", chosen)
    st.session_state["_more"] = chosen
    if set(chosen) != set(before):
        st.rerun()


def _draw_comparison(
    trained: TrainedReference, table: pd.DataFrame, cost: str, settled: bool
) -> None:
    names = link_names(table)
    wanted = st.session_state.get(links.COMPARED, st.query_params.get_all(links.COMPARED))
    known = set(names)
    current = [name if (new := rename_old(name)) not in known else new for name in wanted]
    old = current != wanted
    # In a widget's first run Streamlit prefers the URL's names to those set here: offer the old
    # names once, and rename them in the next run.
    first = old and links.COMPARED not in st.session_state
    if old and not first:
        st.session_state[links.COMPARED] = current
    compared = widgets.choose_several(
        links.COMPARED,
        "Compare these",
        names.tolist(),
        settled=settled and not first,
        placeholder=text.COMPARE,
    )
    if first:
        st.rerun()
    if compared:
        draw_table(trained, table[names.isin(compared)].sort_values(cost), "compared")


def _compare_rows(rows: pd.DataFrame, front: NDArray[np.bool_], cost: str) -> None:
    """Put choices into the table below; of many those on the front first, then the smallest."""
    order = np.lexsort((rows[cost], ~front[rows.index]))[:LARGEST_COMPARISON]
    said = text.say_too_many(len(rows), len(order)) if len(rows) > len(order) else ""
    widgets.move(links.COMPARED, link_names(rows.iloc[order]).tolist(), said)


def draw_table(trained: TrainedReference, rows: pd.DataFrame, name: str, caption: str = "") -> None:
    """Some choices, a line each, with a button that opens the page whose sliders show it."""

    def open_row() -> None:
        line = rows.iloc[st.session_state[f"{name}_open"]["row"]]
        load_sliders(line)
        st.session_state[_OPENED] = line["link"]

    button = st.column_config.ButtonColumn(
        "open in", type="tertiary", on_click=open_row, key=f"{name}_open", width=110
    )
    st.dataframe(
        format_rows(trained, rows),
        key=f"{name}_table",
        hide_index=True,
        column_config={"open": button},
    )
    if (link := st.session_state.pop(_OPENED, None)) is not None:
        open_page(link)
    left, right = st.columns([5, 1], gap="small", vertical_alignment="top")
    left.caption(caption)
    words = ["method", "choice", "family"]
    numbers = [c for c in rows if pd.api.types.is_numeric_dtype(rows[c]) and c != "place"]
    with right:
        tables.take_away(rows[[*words, *numbers]], name, trained)


def format_rows(trained: TrainedReference, rows: pd.DataFrame) -> pd.DataFrame:
    """What a table says of some choices, a line each."""
    task = trained.task

    def format_row(line: pd.Series) -> dict[str, Any]:
        interval = format_interval(line["score_low"], line["score_high"], task)
        size = compare_sizes(trained.bytes, line["bytes"])
        return {
            "choice": line["label"],
            "open": f":material/tune: {line['link'].title}",
            "validation": format_score(line["validation_score"], task),
            "test (95 %)": f"{format_score(line['score'], task)} ({interval})",
            "change on test": text.describe_change(line, task),
            "file": f"{format_size(line['bytes'])} · {size}",
            "MACs": compare_sizes(trained.macs, line["macs"]),
            "parameters": format_count(line["parameters"]),
        }

    return pd.DataFrame([format_row(line) for _, line in rows.iterrows()])
