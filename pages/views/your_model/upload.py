"""Which model is shown: the files that were brought, or the example."""

import streamlit as st

from compression.graphs import example
from compression.graphs.limits import MAX_FILE_BYTES
from pages.shared import jobs, links
from pages.shared.jobs import Job
from pages.shared.ui import widgets
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import ModelView
from .tasks import Files

_ENDINGS = ["onnx", "data", "safetensors", "pt", "pth", "bin", "ckpt", "json"]


def choose_files() -> Files:
    """The uploaded files by name; the example while there are none."""
    uploaded = st.file_uploader(
        "Your model",
        type=_ENDINGS,
        accept_multiple_files=True,
        key="your_model_files",
        help=text.UPLOAD_HELP,
        max_upload_size=MAX_FILE_BYTES // 2**20,
    )
    if not uploaded:
        return _choose_example()
    return tuple(sorted((file.name, file.getvalue()) for file in uploaded))


def _choose_example() -> Files:
    """Ours; or, where its package is installed, a real text model."""
    path = example.find_text_model()
    titles = {example.NAME: example.TITLE}
    if path is not None:
        titles[example.TEXT_MODEL_NAME] = example.TEXT_MODEL_TITLE
        with st.container(width=420):
            chosen = widgets.pick(
                links.EXAMPLE_MODEL,
                "Shown until you bring a file",
                titles,
                example.NAME,
                titles=titles,
            )
        widgets.draw_remarks(links.EXAMPLE_MODEL)
        if chosen == example.TEXT_MODEL_NAME:
            return ((chosen, example.read_text_model(path)),)
    else:
        st.caption(f"Shown until you bring a file: an example, {example.TITLE}, as ONNX.")
    return ((example.NAME, example.content()),)


def require_model(files: Files) -> ModelView:
    """The model in the files; what stands in the way of it ends the page."""
    job: Job[ModelView] = jobs.submit(tasks.read, files)
    view = wait_for(job, "Reading the model")
    if view is None:
        st.stop()
    return view
