"""Low rank and bounds together: what both give that neither gives alone."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.ui import charts
from pages.views.combine import sections, text

begin_page("Combine", "Low rank and bounds together, held against each alone at equal bytes.")
charts.begin()
trained = controls.require_reference(controls.choose_reference())
st.markdown(reference_line(trained))
chosen = sections.setting(trained)
sections.pairs(trained, chosen)
st.divider()
charts.take_away(
    "Combine",
    text.name(trained, chosen.method),
    text.made_from(trained, chosen.method, chosen.constraint, chosen.epochs),
)
