"""The uploads that a session works with: its own, and the one that its link names."""

import streamlit as st

import data
from data import DatasetError, uploads

_OWN = "_own_datasets"


def remember(name: str) -> None:
    """Let the menu list a dataset from now on, in this session only."""
    names = st.session_state.setdefault(_OWN, [])
    if name not in names:
        names.append(name)


def list_own_titles(request: str | None) -> dict[str, str]:
    """Name -> title of the uploads that the menu lists: those of the session that are kept.

    ``request``: what the link or the menu says now; uploads that it names join them.
    """
    for named in uploads.DATASET.findall(request or ""):
        if explain_gone(named) is None:
            remember(named)
    return {
        name: data.find(name).title
        for name in st.session_state.get(_OWN, [])
        if explain_gone(name) is None
    }


def explain_gone(name: str) -> str | None:
    """Why an upload cannot be shown; None for one that is kept, and for any other name."""
    named = uploads.DATASET.search(name)
    if named is None:
        return None
    try:
        data.find(named[0])
    except DatasetError as error:
        said = str(error)
        return said[0].upper() + said[1:]
    return None
