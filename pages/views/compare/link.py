"""What a link says of choices that have no widget."""

from collections.abc import Callable

import streamlit as st

from pages.shared.format import quote
from pages.shared.ui import widgets


def drop_unknown(
    key: str, label: str, possible: str, is_known: Callable[[str], bool] = lambda text: True
) -> None:
    """Take what means nothing out of a link, and say so: for choices that have no widget.

    ``possible``: in words.
    """
    given = st.query_params.get_all(key)
    if len(given) > 1 or not all(map(is_known, given)):
        del st.query_params[key]
        widgets.add_remark(key, f"{label} = {quote(given[-1])} is not known; possible: {possible}.")
    widgets.draw_remarks(key)
