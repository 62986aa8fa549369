"""How low-rank a layer is, which rank to take, and what a rank costs."""

import streamlit as st

from pages.shared import app_shell as shell
from pages.shared.models import controls as reference
from pages.shared.models import text as words
from pages.shared.ui import charts
from pages.shared.ui import widgets as choices
from pages.views.low_rank import sections as low_rank_sections
from pages.views.low_rank import text as low_rank_words

shell.stand("Low rank", "How low-rank the layers are, which rank to take, and what it costs.")
charts.begin()
first = choices.row()
trained = reference.needed(choices.header(first))
with first:
    layer = reference.layer(trained)
    method = reference.low_rank_method(trained)
st.markdown(words.reference(trained))
chosen = low_rank_sections.setting(trained, method)
job = low_rank_sections.curve(trained, chosen)
low_rank_sections.by_rank(trained, layer, chosen, job)
low_rank_sections.compared(trained, chosen, job)
st.subheader("Which rank should I take?", anchor=False)
st.caption(low_rank_words.CHOOSING)
if job.result is not None:
    low_rank_sections.by_rules(trained, chosen, job.result)
if choices.switch("folds", "Cross-validate the rank (trains five networks)"):
    low_rank_sections.cross_validated(trained, chosen)
low_rank_sections.sensitivity(trained, chosen)
st.subheader("A rank of its own for each layer", anchor=False)
if job.result is not None:
    low_rank_sections.by_hand(trained, chosen, job.result)
if choices.switch("share", "Share one budget among the layers, by five rules"):
    low_rank_sections.budgets(trained, chosen)
st.divider()
charts.take_away(
    "Low rank", low_rank_words.name(trained, chosen), low_rank_words.made_from(trained, chosen)
)
