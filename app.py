"""Page config and navigation."""

import streamlit as st

from pages.shared import jobs, shell

st.set_page_config(page_title="Compress", page_icon=shell.ICON, layout="wide")
st.logo(shell.ICON, size="medium")
jobs.start()
page = st.navigation(
    [
        st.Page("pages/compare.py", title="Compare", url_path="compare", default=True),
        st.Page("pages/train.py", title="Train"),
        st.Page("pages/low_rank.py", title="Low rank"),
        st.Page("pages/constrained.py", title="Constrained"),
    ],
    position="top",
)
shell.arrive()
page.run()
