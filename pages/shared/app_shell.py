"""What every page begins with, and the detour of a visitor who came straight to a page."""

from pathlib import Path

import streamlit as st

ICON = str(Path(__file__).parents[2] / ".streamlit" / "icon.svg")
STYLE = Path(__file__).parent / "ui" / "page.css"


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
    if "_shell" not in st.session_state:
        st.session_state["_want"] = f"pages/{title.lower().replace(' ', '_')}.py"
        st.switch_page("app.py", query_params=_query())
    if sentence:
        st.caption(sentence)


def resume_page() -> None:
    """Take a visitor who came through ``begin_page``'s detour to the page that was asked for."""
    st.session_state["_shell"] = True
    if (page := st.session_state.pop("_want", None)) is not None:
        st.switch_page(page, query_params=_query())


def _query() -> dict[str, list[str]]:
    """The URL's parameters, those given several times too."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
