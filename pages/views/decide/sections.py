"""The sections of the page that decides, from top to bottom."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

import compression
from compression.pareto import Wish
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Trained
from pages.shared.models.text import metric_rows
from pages.shared.ui import charts, tables, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tasks, text
from .results import (
    DENSE,
    EPOCHS,
    KILO,
    POINT,
    Measured,
    everything,
    nearest,
    ranked,
    undominated,
    with_latency,
)

QUICK = ("truncated_svd", "activation_aware_svd", "truncated_svd_tuned", "box", "fine_tuned")
COARSE = 3  # every third bound in few bits: each is judged at all of them
COMPARED = 30  # choices that a lasso puts into the table: more are no comparison, and a long link
LOST = 1.0  # points on validation that a recommendation may lose, if nothing else is asked for
_WISHES = ("lose", "kb", "fewer")
FOREST = 8  # choices whose intervals are drawn
KEY = "decide"

Jobs = Mapping[str, Job]


def more(trained: Trained) -> dict[str, str]:
    """Series that are computed on request: name -> title."""
    kinds = {layer.kind for layer in trained.layers}
    low_rank = [
        name for name, e in compression.LOW_RANK_METHODS.items() if kinds.intersection(e.layers)
    ]
    names = [
        *low_rank,
        *text.TUNED,
        "budgets",
        *compression.CONSTRAINTS,
        "refit",
        "learning_compression",
        "quantized",
        *compression.COMBINED_METHODS,
    ]
    return {name: text.title(name) for name in names if name not in QUICK}


def jobs(trained: Trained) -> Jobs:
    """The quick series, and those that were asked for, each with its job."""
    asked = _asked_for(trained)
    found = {}
    for name in (*QUICK, *(name for name in more(trained) if name in asked)):
        job = job_of(trained, name, found)
        if job is not None:
            found[name] = job
    return found


def _asked_for(trained: Trained) -> list[str]:
    titles = more(trained)
    if "more" in st.session_state:
        return st.session_state["more"]
    by_title = {title: name for name, title in titles.items()}
    asked = st.query_params.get_all("more")
    return [by_title.get(text, text) for text in asked if by_title.get(text, text) in titles]


def job_of(trained: Trained, name: str, before: Jobs) -> Job | None:
    """The job of a series, the one of the page that shows it; None: it cannot begin yet."""
    if name in compression.LOW_RANK_METHODS:
        return requests.low_rank_curve(trained, name)
    if name in text.TUNED:
        return requests.low_rank_curve(trained, text.TUNED[name], epochs=EPOCHS)
    if name in compression.CONSTRAINTS:
        return requests.constrained_curve(trained, name)
    if name in compression.COMBINED_METHODS:
        constraint = text.constraint_of(name)
        return requests.combined_grid(trained, name, constraint, EPOCHS)
    if name == "budgets":
        return submit(tasks.budgets, trained.origin)
    if name == "fine_tuned":
        return submit(tasks.fine_tuned, trained.origin)
    if name == "quantized":
        box = before["box"].result
        if box is None:
            return None
        bounds, files = tuple(box.table["knob"][::COARSE]), box.files[::COARSE]
        return submit(tasks.quantized, trained.origin, bounds, files)
    return requests.constrained_curve(trained, "box", text.way(name, trained.convex))


def measurement(trained: Trained, found: Jobs) -> Job | None:
    """The job that measures latencies, if it is asked for and can begin."""
    box = found["box"].result
    if not widgets.switched("measure") or box is None:
        return None
    return submit(tasks.latencies, trained.origin, (DENSE,), (box.files[0],))


def choose(trained: Trained, found: Jobs, measured: Measured | None) -> None:
    """The wish, what fulfils it, and where that lies among all that was computed."""

    def draw() -> None:
        wish, cost = _wishes(trained.task, measured)
        _progress(found)
        results = {name: curve for name, job in found.items() if (curve := job.so_far) is not None}
        if not results:
            return
        line = next(iter(results.values())).reference
        table = everything(line, [text.series(name, result) for name, result in results.items()])
        table = with_latency(table, measured)
        best = ranked(table, wish, table.iloc[0], cost)
        near: Sequence = ()
        if best.empty:
            near = nearest(table, wish, table.iloc[0], cost)
            # That nothing is smaller is an answer; that something is only near is a warning.
            say = st.warning if near else st.info
            say(
                text.nothing(trained, wish, cost, len(table) - 1, near),
                icon=":material/search_off:",
            )
            best = pd.DataFrame([line for _, line in near], columns=table.columns)
            best = best.drop_duplicates("id").reset_index(drop=True)
        else:
            st.markdown(text.answer(trained, best.iloc[0], wish, cost, len(table) - 1))
        settled = not any(job.pending for job in found.values())
        picked = _picked(table, best, settled)
        if len(best):
            caption = text.NEAREST if near else text.RANKED
            _table(trained, best, "ranked", caption)
        left, right = st.columns(2, gap="medium")
        if picked is not None:
            with left.container(border=True):
                _card(trained, picked, results)
        if len(best):
            with right:
                charts.draw(
                    figures.changes(
                        best[:FOREST],
                        trained.task,
                        wish.loss,
                        None if picked is None else picked["id"],
                    ),
                    "decide_changes",
                    "Change of test score of the best choices with 95 % intervals",
                )
        _plane(trained, table, cost, picked, settled)

    follow(draw, *found.values(), key=KEY)


def _wishes(task: str, measured: Measured | None) -> tuple[Wish, str]:
    lost = "Points lost, at most" if task == "classification" else "Hundredths of R² lost, at most"
    with widgets.row():
        # Into the link, and not as the widget's default, which a link leaves out: one that asks
        # for a size alone goes on meaning just that.
        if not any(key in st.session_state or key in st.query_params for key in _WISHES):
            st.session_state["lose"] = LOST
            st.query_params["lose"] = f"{LOST:g}"
        points = widgets.amount("lose", lost, 0.5)
        kilo = widgets.amount("kb", "kB, at most", 5.0)
        fewer = widgets.amount("fewer", "× fewer MACs, at least", 1.0)
        titles = text.COSTS | (text.TIMES if widgets.switched("measure") else {})
        cost = widgets.segment("by", "Smallest in", titles)
    wish = Wish(
        loss=None if points is None else POINT * points,
        at_most={} if kilo is None else {"bytes": KILO * kilo},
        times_fewer={} if fewer is None else {"macs": fewer},
    )
    widgets.remark(*_WISHES)
    if cost in text.TIMES and measured is None:
        st.caption(text.NOT_MEASURED)
        return wish, next(iter(text.COSTS))
    return wish, cost


def _progress(found: Jobs) -> None:
    """What is going on or went wrong; of what waits, the first one, and the others in a line."""
    waiting = [name for name, job in found.items() if job.status == "waiting"]
    if not any(job.status == "running" for job in found.values()):
        waiting = waiting[1:]
    for name, job in found.items():
        if name not in waiting:
            show_status(job, text.title(name))
    if waiting:
        st.caption(text.waiting(waiting))


def _picked(table: pd.DataFrame, best: pd.DataFrame, settled: bool) -> pd.Series | None:
    """The choice that was clicked, or that a link names, else the best one."""
    clicked, linked = st.session_state.get("_picked"), st.query_params.get("choice")
    wanted = clicked or linked
    for _, line in table.iterrows() if wanted else ():
        name = text.short(line)
        if name in (wanted, text.renamed(wanted)):
            if linked != name:
                st.query_params["choice"] = name
            return line
    if linked is not None and settled:
        st.warning(text.unknown(linked), icon=":material/info:")
    return None if best.empty else best.iloc[0]


def _load(line: pd.Series) -> None:
    """Put the sliders of its page where the choice stands; for callbacks."""
    st.session_state["_picked"] = text.short(line)
    for key, value in line["query"].items():
        widgets.move(key, value)


def _go(line: pd.Series) -> None:
    """To the page that shows a choice."""
    # Without parameters Streamlit would clear the URL, which the widgets here are bound to.
    st.switch_page(line["page"], query_params={key: str(v) for key, v in line["query"].items()})


def _card(trained: Trained, line: pd.Series, results: Mapping[str, CurveView]) -> None:
    st.markdown(f"**{text.name(line)}**")
    with st.container(horizontal=True, gap="medium"):
        for label, value, delta, colour in metric_rows(trained, line):
            st.metric(label, value, delta, delta_color=colour, delta_arrow="off", width="content")
    with st.container(horizontal=True, gap="small"):
        if line["page"] and st.button(
            f"Open in {text.PAGES[line['page']]}",
            key="open_picked",
            icon=":material/tune:",
            type="primary",
            on_click=_load,
            args=(line,),
        ):
            _go(line)
        file = _file(trained, line, results)
        if file is not None:
            st.download_button(
                "Take this model away (safetensors)",
                file,
                file_name=text.file_name(trained, line),
                on_click="ignore",
                key="decide_file",
                icon=":material/download:",
                type="tertiary",
            )


def _file(
    trained: Trained, line: pd.Series, results: Mapping[str, CurveView]
) -> Callable[[], bytes] | None:
    name, row = line["series"], int(line["place"])
    if name == "reference":
        return lambda: trained.file
    found = results[name]
    if found.files:
        return lambda: found.files[row]
    if name in compression.LOW_RANK_METHODS:
        return partial(requests.low_rank_file, trained, name, int(line["knob"]))
    if name in text.TUNED:
        method = text.TUNED[name]
        return partial(requests.low_rank_file, trained, method, int(line["knob"]), epochs=EPOCHS)
    return None


def _plane(
    trained: Trained, table: pd.DataFrame, cost: str, picked: pd.Series | None, settled: bool
) -> None:
    st.subheader("Everything that was computed", anchor=False)
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="bottom")
    with left:
        part = widgets.segment("part", "Scores", text.SCORES)
    titles = more(trained)
    with right:
        asked = st.multiselect(
            "Compute more",
            list(titles),
            format_func=titles.__getitem__,
            key="more",
            bind="query-params",
            persist_state="session",
            placeholder="Other methods and sets, budgets, bit widths, combinations",
        )
    if set(asked) != set(st.session_state.get("_more", asked)):
        st.session_state["_more"] = asked
        st.rerun()
    st.session_state["_more"] = asked

    front = undominated(table, cost)

    def clicked() -> None:
        selection = st.session_state["decide_plane"]["selection"]
        ids = [point["customdata"][0] for point in selection["points"] if "customdata" in point]
        if selection["lasso"] or selection["box"]:
            _compare(table[table["id"].isin(ids)], front, cost)
        elif ids:
            _load(table[table["id"] == ids[0]].iloc[0])

    charts.draw(
        figures.plane(
            table,
            front,
            cost,
            part,
            trained.task,
            () if picked is None else (picked["id"],),
        ),
        "decide_plane",
        f"{text.SCORES[part]} score against {figures.AXES[cost].lower()} "
        "for every choice, with the Pareto front",
        on_select=clicked,
        selection_mode=("points", "lasso"),
        config=figures.SELECTABLE,
    )
    st.caption(text.PLANE)
    told = pd.Series([text.short(line) for _, line in table.iterrows()], table.index)
    asked = st.session_state.get("compare", st.query_params.get_all("compare"))
    known, new = set(told), [text.renamed(name) for name in asked]
    if any(name in known for name in set(new) - set(asked)):
        pairs = zip(asked, new, strict=True)
        st.session_state["compare"] = [later if later in known else name for name, later in pairs]
    compared = widgets.several(
        "compare",
        "Compare these",
        told.tolist(),
        settled=settled,
        placeholder=text.COMPARE,
    )
    if compared:
        _table(trained, table[told.isin(compared)].sort_values(cost), "compared")


def _compare(rows: pd.DataFrame, front: NDArray[np.bool_], cost: str) -> None:
    """Put choices into the table below; of many those on the front first, then the smallest."""
    order = np.lexsort((rows[cost], ~front[rows.index]))[:COMPARED]
    said = text.too_many(len(rows), COMPARED) if len(rows) > COMPARED else ""
    names = [text.short(line) for _, line in rows.iloc[order].iterrows()]
    widgets.move("compare", names, said)


def _table(trained: Trained, rows: pd.DataFrame, name: str, caption: str = "") -> None:
    """Some choices, a line each, with a button that opens the page whose sliders show it."""
    shown = text.table(trained, rows)

    def opened() -> None:
        line = rows.iloc[st.session_state[f"{name}_open"]["row"]]
        _load(line)
        st.session_state["_open"] = line

    st.dataframe(
        shown,
        key=f"{name}_table",
        hide_index=True,
        column_config={
            "open": st.column_config.ButtonColumn(
                "open in", type="tertiary", on_click=opened, key=f"{name}_open", width=110
            )
        },
    )
    if (line := st.session_state.pop("_open", None)) is not None:
        _go(line)
    left, button = st.columns([5, 1], gap="small", vertical_alignment="top")
    left.caption(caption)
    with button:
        tables.take_away(text.raw(rows), name, trained)


def latency(job: Job | None) -> None:
    """How long the networks take, measured on request."""
    st.subheader("How long does it take?", anchor=False)
    if not widgets.switch("measure", "Measure latency on this machine"):
        st.caption(text.ASK_LATENCY)
        return
    if job is None:
        st.caption(text.NOT_MEASURED)
        return
    measured = wait_for(job, "Measuring")
    if measured is None:
        return
    st.markdown(text.break_even(measured))
    left, right = st.columns([3, 2], gap="medium")
    if len(measured.ranks):
        with left:
            charts.draw(
                figures.speed(measured),
                "decide_speed",
                "How many times faster low rank is than the reference, by rank",
            )
    right.dataframe(text.latencies(measured), hide_index=True)
    st.caption(text.LATENCY)
