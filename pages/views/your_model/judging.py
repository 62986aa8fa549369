"""The data that a model is judged and calibrated on, and how it reads them."""

import streamlit as st

import data
from compression.graphs import example
from pages.shared import jobs, links
from pages.shared.models.own_datasets import explain_gone, list_own_titles
from pages.shared.models.text import titles_of
from pages.shared.ui import widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import JudgingData, ModelView, Readings
from .tasks import Files

_SEED = 0  # of the split
DIGITS = "digits"  # what the example was made for
_OFFERED = "_offered_data"


def choose_judging(view: ModelView, files: Files) -> JudgingData | None:
    """The data, the way the model reads them, and what that way gives; None: there is none yet."""
    if is_text_model(files):
        return None
    st.header("Data to judge it on", anchor="judging")
    if view.kind != "ONNX graph":
        st.info(text.NO_GRAPH, icon=":material/info:")
        return None
    dataset = _choose_data(files)
    if dataset == text.NO_DATA:
        st.caption("Choose the data that the model was made for, or bring them on *Your data*.")
        return None
    readings: Readings | None = wait_for(
        jobs.submit(tasks.readings, files, dataset, _SEED), "Trying ways to read the input"
    )
    if readings is None:
        return None
    if readings.order is not None:
        st.warning(text.describe_order(readings), icon=":material/swap_vert:")
    place = _choose_reading(readings)
    st.markdown(text.describe_reading(readings, place))
    with st.expander(f"All {len(readings.table)} ways"):
        st.dataframe(
            readings.table.drop(columns="reordered"),
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="percent")
                for name in ("score", "low", "high")
            }
            if readings.task == "classification"
            else None,
        )
    if not readings.usable[place]:
        st.warning(text.describe_useless(readings), icon=":material/info:")
        return None
    return JudgingData(dataset, data.find(dataset).title, _SEED, readings, readings.ways[place])


def is_example(files: Files) -> bool:
    return files == ((example.NAME, example.content()),)


def is_text_model(files: Files) -> bool:
    path = example.find_text_model()
    return path is not None and files == ((example.TEXT_MODEL_NAME, example.read_text_model(path)),)


def _choose_data(files: Files) -> str:
    """A dataset of the catalogue or one's own; or none."""
    known = titles_of(data.DATASETS)
    upload_titles = list_own_titles(widgets.read_request(links.JUDGED_ON))
    titles = {text.NO_DATA: "none"} | known | upload_titles
    default = DIGITS if is_example(files) else text.NO_DATA
    _follow_default(default)
    with st.container(width=320):
        chosen = widgets.pick(
            links.JUDGED_ON, "Judge it on", titles, default, explain_gone, titles=titles
        )
    widgets.draw_remarks(links.JUDGED_ON)
    return chosen


def _follow_default(default: str) -> None:
    """Let the menu follow its default until somebody chooses: a file is not judged on digits."""
    if links.JUDGED_ON not in st.session_state and widgets.read_request(links.JUDGED_ON):
        widgets.mark_chosen(links.JUDGED_ON)
    before = st.session_state.get(_OFFERED, default)
    st.session_state[_OFFERED] = default
    if before != default and not widgets.is_chosen(links.JUDGED_ON):
        st.session_state[links.JUDGED_ON] = default


def _choose_reading(readings: Readings) -> int:
    names = list(readings.table["reading"])
    with st.container(width=420):
        chosen = widgets.pick(
            links.READING,
            "How the model reads its input (the best on validation first)",
            names,
            names[0],
        )
    widgets.draw_remarks(links.READING)
    return names.index(chosen)
