"""Low rank and bounds together: what both give that neither gives alone."""

import streamlit as st

from pages.shared import charts, choices, combine_sections, combine_words, reference, shell, words

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
