"""Page config, navigation and title: all that paints before a page's own imports."""

import streamlit as st

from pages.shared.app_shell import ICON, SCRIPTS, keep_choices, preload_charts, resume_page

st.set_page_config(layout="wide")
st.html(SCRIPTS, unsafe_allow_javascript=True)
page = st.navigation(
    [
        st.Page("pages/compare.py", title="Compare", url_path="start", default=True),
        st.Page("pages/how_it_works.py", title="How it works"),
        st.Page("pages/train.py", title="Train"),
        st.Page("pages/low_rank.py", title="Low rank"),
        st.Page("pages/constrained.py", title="Constrained"),
        st.Page("pages/combine.py", title="Combine"),
        st.Page("pages/decide.py", title="Decide"),
        st.Page("pages/studies.py", title="Studies"),
        st.Page("pages/atlas.py", title="Atlas"),
        st.Page("pages/your_data.py", title="Your data"),
        st.Page("pages/your_model.py", title="Your model"),
        # Streamlit knows the default page as / alone; a link to /compare is as good.
        st.Page("pages/compare.py", title="Compare", url_path="compare", visibility="hidden"),
    ],
    position="top",
)
st.set_page_config(page_title=f"{page.title} · Compress")
keep_choices(page.title)
resume_page()
st.title(page.title, anchor=False)
preload_charts()
st.set_page_config(page_icon=ICON)  # Streamlit imports NumPy and PIL for it: the title paints first
st.logo(ICON, size="medium")

from pages.shared import jobs  # noqa: E402  here, and not above: the title paints first

jobs.start()
page.run()
