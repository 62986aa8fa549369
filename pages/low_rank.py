"""How low-rank a layer is, which rank to take, and what a rank costs."""

import streamlit as st

from pages.shared import cache, choices, low_rank_sections, reference, shell, words

shell.stand("Low rank", "How low-rank the layers are, which rank to take, and what it costs.")
first = choices.row()
trained = reference.needed(choices.header(first))
with first:
    layer = reference.layer(trained)
    method = reference.low_rank_method(trained)
st.markdown(words.reference(trained))
job = cache.low_rank_curve(trained, method)
low_rank_sections.by_rank(trained, layer, method, job)
low_rank_sections.compared(trained, method, job)
low_rank_sections.chosen(trained, method)
if low_rank_sections.on_request("folds", "Cross-validate the rank (trains five networks)"):
    low_rank_sections.cross_validated(trained, method)
low_rank_sections.sensitivity(trained, method)
st.subheader("A rank of its own for each layer", anchor=False)
if job.result is not None:
    low_rank_sections.by_hand(trained, method, job.result)
if low_rank_sections.on_request("share", "Share one budget among the layers, by five rules"):
    low_rank_sections.budgets(trained, method)
