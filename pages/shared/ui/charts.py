"""Charts as pages draw them, and all of a page's charts as one file to take away."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import plotly.graph_objects as go
import streamlit as st

from pages.shared.plots.export import figures_page
from pages.shared.plots.layout import CAMERA, CONFIG

from . import blocks

DRAWN = "_charts"  # in the session: key -> alt text and figure of what stands on the page


def begin() -> None:
    """Forget what the last run of a page drew; a page calls it before its first chart."""
    st.session_state[DRAWN] = {}


def preload() -> None:
    """Have the browser load Plotly, a second's work, while a page waits for its first numbers."""
    with st.container(key="preload"):
        st.plotly_chart(go.Figure())


def draw(
    figure: go.Figure,
    key: str,
    alt: str,
    *,
    on_select: Callable[[], None] | Literal["ignore"] = "ignore",
    selection_mode: Sequence[Literal["points", "box", "lasso"]] = ("points",),
    config: Mapping[str, Any] = CONFIG,
    wide: bool = False,
) -> None:
    """Draw a figure, and keep it for the file.

    Parameters
    ----------
    figure : go.Figure
    key : str
        Of the chart; also the name of the picture that its camera takes.
    alt : str
        What it shows, in words.
    on_select : callable, optional
        Called when somebody selects points, before anything is drawn again.
    selection_mode : sequence of str
        How they may.
    config : mapping
        Plotly's, of the buttons above the figure.
    wide : bool
        Its words need their room: on a narrow screen it scrolls by itself.
    """
    camera = CAMERA | {"filename": key.replace("_", "-")}
    with st.container(key=f"wide_{key}") if wide else contextlib.nullcontext():
        st.plotly_chart(
            figure,
            key=key,
            alt=alt,
            on_select=on_select,
            selection_mode=selection_mode,
            config={**config, "toImageButtonOptions": camera},
        )
    st.session_state.setdefault(DRAWN, {})[key] = (alt, figure)


def take_away(title: str, name: str, remark: str = "") -> None:
    """A button for the figures that stand on the page now; the file is built when asked for.

    Parameters
    ----------
    title : str
        Of the file's page.
    name : str
        Of the file, without its ending.
    remark : str
        What the figures were made from.
    """
    # All fragments of a run share this dictionary, and replace in it what they redraw.
    drawn = st.session_state.setdefault(DRAWN, {})
    blocks.download(
        "Figures as HTML",
        lambda: figures_page(drawn.values(), title, remark),
        f"{name}.html",
        "figures_html",
        "All figures of this page as they are now, in one file that needs no network. "
        "The camera above a figure takes a PNG here and an SVG in the file.",
        "text/html",
    )
