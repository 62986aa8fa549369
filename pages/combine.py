"""Low rank and bounds together: what both give that neither gives alone."""

import streamlit as st

from pages.shared import app_shell as shell
from pages.shared.models import controls as reference
from pages.shared.models import text as words
from pages.shared.ui import charts
from pages.shared.ui import widgets as choices
from pages.views.combine import sections as combine_sections
from pages.views.combine import text as combine_words

shell.stand("Combine", "Low rank and bounds together, held against each alone at equal bytes.")
charts.begin()
trained = reference.needed(choices.header())
st.markdown(words.reference(trained))
chosen = combine_sections.setting(trained)
combine_sections.pairs(trained, chosen)
st.divider()
charts.take_away(
    "Combine",
    combine_words.name(trained, chosen.method),
    combine_words.made_from(trained, chosen.method, chosen.constraint, chosen.epochs),
)
