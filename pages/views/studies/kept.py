"""What is kept of this and of every other study and page: found, tagged, taken away, deleted."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from compression.errors import CompressionError
from compression.studies.location import MAX_BYTES, default_url
from pages.shared import links
from pages.shared.ui import blocks, widgets
from pages.shared.ui.progress import wait_for

from . import run, text

if TYPE_CHECKING:
    from compression.studies import StudyStore

MOMENT = "YYYY-MM-DD HH:mm"
_RETRIED, _REFUSED = "_kept_retried", "_kept_refused"


def draw_kept() -> None:
    """A switch, and behind it the table of what is kept."""
    st.divider()
    st.header(text.SECTIONS["kept"], anchor="kept")
    if not widgets.switch(links.KEPT, "Show everything that is kept"):
        return
    url = default_url()
    if url is None:
        st.info(text.NO_STORE, icon=":material/info:")
        return
    try:
        _draw_table(run.open_store(url))
        _try_again(run.open_store(url), url)
    except CompressionError as error:
        st.error(str(error))


@st.fragment
def _draw_table(store: "StudyStore") -> None:
    from compression.studies import filter_kept, list_kept

    every = list_kept(store)
    st.markdown(text.describe_kept(every, MAX_BYTES))
    if refused := st.session_state.pop(_REFUSED, ""):
        st.warning(refused)
    with widgets.open_row():
        words = st.text_input("Filter", key="kept_filter", placeholder="iris rounding failed")
        failed_only = st.toggle("Failed ones alone", key="kept_failed")
    shown = filter_kept(every, words, failed_only)
    if not len(shown):
        st.info(text.NOTHING_KEPT if not len(every) else text.NONE_SHOWN, icon=":material/info:")
        return
    picked = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        key="kept_table",
        column_config={
            "bytes": st.column_config.NumberColumn(format="bytes"),
            "seconds": st.column_config.NumberColumn(format="%.2f"),
            "sentence": st.column_config.TextColumn(width="large"),
            "finished_at": st.column_config.DatetimeColumn("finished (UTC)", format=MOMENT),
            "used_at": st.column_config.DatetimeColumn("last used (UTC)", format=MOMENT),
        },
    )
    rows = shown.iloc[picked.selection.rows] if picked.selection.rows else shown
    st.caption(text.SELECTION)
    _draw_actions(store, rows)


def _draw_actions(store: "StudyStore", rows: pd.DataFrame) -> None:
    from compression.studies.kept import SEPARATOR

    keys, count = rows.index.tolist(), text.count_fits(len(rows))
    with widgets.open_row():
        with st.popover(f"Tag {count}"):
            tag = st.text_input("Tag", key="kept_tag")
            st.button("Add", on_click=_change, args=(store.tag, keys, tag), key="kept_add_tag")
            st.button("Take off", on_click=_change, args=(store.untag, keys, tag), key="kept_untag")
        with st.popover(f"Delete {count}"):
            st.markdown(text.DELETING)
            deleting = (store.delete, keys)
            st.button(f"Delete {count}", on_click=_change, args=deleting, key="kept_delete")
        failed = rows[(rows["status"] == "failed") & (rows["studies"] != "")]
        if len(failed):
            names = {name for each in failed["studies"] for name in each.split(SEPARATOR)}
            if st.button(f"Try {text.count_fits(len(failed))} again", key="kept_retry"):
                store.delete(failed.index.tolist())
                run.try_again(store, [])
                st.session_state[_RETRIED] = sorted(names)
                st.rerun()
        blocks.download(
            "Table as Parquet",
            partial(rows.to_parquet, index=False),
            "kept.parquet",
            "kept_parquet",
        )


def _change(change: Callable[..., None], *arguments: Any) -> None:
    """Do something to the store; where it cannot be done, say why."""
    try:
        change(*arguments)
    except CompressionError as error:
        st.session_state[_REFUSED] = str(error)


def _try_again(store: "StudyStore", url: str) -> None:
    """Compute what was asked for again, and say how far it is."""
    for name in st.session_state.get(_RETRIED, []):
        if (specification := store.read_specification(name)) is not None:
            job = run.submit(specification, url)
            if (results := wait_for(job, f"Trying again: {name}")) is not None:
                st.caption(text.describe_again(name, results))
