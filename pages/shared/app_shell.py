"""What every page begins with, and the detour of a visitor who came straight to a page."""

import json
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import links
from pages.shared.ui.widgets import URL_TEXT

_PAGE = "_page"  # the page that was drawn last
# In the session: whether app.py has run, and the page to go to then.
SHELL, WANTED = "_shell", "_want"
ICON = str(Path(__file__).parents[2] / ".streamlit" / "icon.svg")
_FOLDER = Path(__file__).parent / "ui"
CHARTS = "static/js/PlotlyChart.*.js"  # Streamlit's script that a browser loads for the first chart


def _script_style(css: str) -> str:
    """A script that gives the document a style once, for as long as its tab is open.

    An element of Streamlit's that holds a style takes it along when it goes.
    """
    return f"""<script>
        if (!document.getElementById("compress-style")) {{
            const style = document.createElement("style");
            style.id = "compress-style";
            style.textContent = {json.dumps(css)};
            document.body.append(style);
        }}
    </script>"""


SCRIPTS = _script_style((_FOLDER / "page.css").read_text(encoding="utf-8")) + (
    _FOLDER / "history.html"
).read_text(encoding="utf-8")


def preload_charts() -> None:
    """Have the browser load what draws charts while the page's own imports go on.

    It is 5 MB to read, and otherwise asked for when the first chart arrives. Where Streamlit names
    it otherwise nothing is asked for, and all is as without.
    """
    folder = Path(st.__file__).parent / "static"
    for file in folder.glob(CHARTS):
        script = f"""<script>
            const own = document.querySelector("script[type=module][src]");
            if (own) import(new URL("{file.name}", own.src)).catch(() => undefined);
        </script>"""
        st.html(script, unsafe_allow_javascript=True)


def begin_page(title: str, sentence: str = "") -> None:
    """Begin a page: what it answers, below the title that app.py has drawn.

    A folder named ``pages`` is also Streamlit's own older mechanism: on a server that has just
    started, a link straight to a page runs that file alone. Such a visitor is sent through app.py.

    Parameters
    ----------
    title : str
        As in the menu; "Low rank" is pages/low_rank.py.
    sentence : str
    """
    if SHELL not in st.session_state:
        st.session_state[WANTED] = links.to_page(title).page
        st.switch_page("app.py", query_params=_read_query())
    if sentence:
        st.caption(sentence)


def resume_page() -> None:
    """Take a visitor who came through ``begin_page``'s detour to the page that was asked for."""
    st.session_state[SHELL] = True
    if (page := st.session_state.pop(WANTED, None)) is not None:
        st.switch_page(page, query_params=_read_query())


def keep_choices(page: str) -> None:
    """Let a page that was left, and is come back to, find the choices that it left.

    Streamlit takes all choices out of the URL when the page changes and puts them back one by
    one: each is an entry of the browser's history, and Back to one of those would undo choices
    that nobody undid. Here those of the reference go back at once, and an entry without any
    choice changes none.
    """
    context, last = get_script_run_ctx(), st.session_state.get(_PAGE)
    st.session_state[_PAGE] = page
    if context is None:
        return
    moved = last not in (None, page)
    context.is_history_navigation &= not moved and bool(st.query_params)
    if moved:
        texts = {name: st.session_state.get(f"{URL_TEXT}{name}") for name in links.REFERENCE}
        given = {name: text for name, text in texts.items() if text and name not in st.query_params}
        with context.session_state.query_params() as url:
            for name, text in given.items():
                url.set_with_no_forward_msg(name, text)
            url.set_initial_query_params_from_current()
            for name, text in list(given.items())[-1:]:
                # Sends the whole URL to the browser.
                url.set_corrected_value(name, text, "string_value")


def _read_query() -> dict[str, list[str]]:
    """The URL's parameters, those given several times too."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
