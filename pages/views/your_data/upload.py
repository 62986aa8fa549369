"""The file: chosen, kept under its content's hash, and read in a worker."""

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from data import DatasetError, uploads
from data.example_table import example_csv
from pages.shared import jobs, links
from pages.shared.ui import widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import FileFacts

MEGABYTES = 200
TYPES = ["csv", "tsv", "txt", "parquet", "npz"]
_UPLOAD, _ASKED, _WRONG = "_upload", "_uploader", "_upload_wrong"


@dataclass(frozen=True)
class Upload:
    """A kept file: its name among the uploads, and what its owner calls it.

    ``began`` are choices that a dataset was made by before: the page begins with them.
    """

    name: str
    title: str
    began: dict | None = None


def choose_upload() -> Upload:
    """The uploader, and the file that the page is about: the last one, or the example."""
    number = st.session_state.setdefault(_ASKED, 0)
    st.file_uploader(
        "A table (CSV, Parquet) or arrays (NPZ)",
        type=TYPES,
        max_upload_size=MEGABYTES,
        # Another key makes another uploader, so that Streamlit drops the last one's buffer.
        key=f"file_{number}",
        on_change=_take,
        args=(f"file_{number}",),
        help=text.UPLOAD_HELP,
    )
    if wrong := st.session_state.get(_WRONG):
        st.error(wrong, icon=":material/error:")
    upload = st.session_state.get(_UPLOAD) or _find_linked()
    if upload is None:
        st.caption(text.EXAMPLE)
        try:
            return Upload(uploads.keep_file(example_csv()), "example.csv")
        except DatasetError as error:
            st.error(str(error), icon=":material/error:")
            st.stop()
    said, back = st.columns([5, 1], vertical_alignment="center")
    said.caption(text.describe_upload(upload.title))
    back.button("Back to the example", on_click=_forget, type="tertiary")
    return upload


def read_upload(upload: Upload) -> FileFacts | None:
    """What the file holds, once it is read."""
    job = jobs.submit(tasks.read_file, upload.name, upload.title)
    facts = wait_for(job, f"Reading {upload.title}")
    if facts is not None:
        for remark in facts.remarks:
            st.caption(uploads.clean_text(remark))
    return facts


def _take(key: str) -> None:
    """Keep the uploaded bytes and forget the uploader that holds them."""
    file = st.session_state.get(key)
    if file is None:
        return
    try:
        name = uploads.keep_file(file.getbuffer())
    except DatasetError as error:
        st.session_state[_WRONG] = str(error)
        return
    finally:
        _free_bytes(file)
    st.session_state[_WRONG] = ""
    st.session_state[_UPLOAD] = Upload(name, uploads.clean_title(file.name))
    st.session_state[_ASKED] += 1


def _free_bytes(file: Any) -> None:
    """Let Streamlit forget the bytes, which it would hold until the session ends."""
    context = get_script_run_ctx(suppress_warning=True)
    remove = getattr(context and context.uploaded_file_mgr, "remove_file", None)
    if context is not None and remove is not None:
        remove(context.session_id, file.file_id)


def _forget() -> None:
    st.session_state[_UPLOAD] = Upload(uploads.keep_file(example_csv()), "example.csv")


def _find_linked() -> Upload | None:
    """The upload of the dataset that the link names, with the choices that it was made by."""
    named = uploads.DATASET.search(widgets.read_request(links.DATASET) or "")
    if named is None:
        return None
    try:
        facts = uploads.read_facts(named[0])
    except DatasetError as error:
        st.warning(str(error), icon=":material/info:")
        return None
    return Upload(facts["upload"], facts["title"], facts["choices"])
