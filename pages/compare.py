"""LMM and COC side by side on one trained model: the landing page."""

import streamlit as st

from pages.shared import cache, choices, reference, shell, sides, words

shell.stand("Compare")
first = choices.row()
trained = reference.needed(choices.header(first))
with first:
    layer = reference.layer(trained)
st.markdown(words.reference(trained))
left, right = st.columns(2, gap="small", border=True)
with left:
    low_rank = cache.low_rank_curve(trained, reference.low_rank_method(trained))
    sides.low_rank(trained, layer, low_rank)
with right:
    constraint = reference.constraint()
    constrained = cache.constrained_curve(trained, constraint)
    sides.constrained(trained, layer, constraint, constrained)
sides.plane(trained, low_rank, constrained)
