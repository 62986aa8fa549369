"""How low-rank a layer is, which rank to take, and what a rank costs."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.ui import charts, widgets
from pages.views.low_rank import sections, text

begin_page("Low rank", "How low-rank the layers are, which rank to take, and what it costs.")
charts.begin()
first = widgets.row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    layer = controls.choose_layer(trained)
    method = controls.choose_low_rank_method(trained)
st.markdown(reference_line(trained))
chosen = sections.setting(trained, method)
job = sections.curve(trained, chosen)
sections.by_rank(trained, layer, chosen, job)
sections.compared(trained, chosen, job)
st.subheader("Which rank should I take?", anchor=False)
st.caption(text.CHOOSING)
if job.result is not None:
    sections.by_rules(trained, chosen, job.result)
if widgets.switch("folds", "Cross-validate the rank (trains five networks)"):
    sections.cross_validated(trained, chosen)
sections.sensitivity(trained, chosen)
st.subheader("A rank of its own for each layer", anchor=False)
if job.result is not None:
    sections.by_hand(trained, chosen, job.result)
if widgets.switch("share", "Share one budget among the layers, by six rules"):
    sections.budgets(trained, chosen)
st.divider()
charts.take_away("Low rank", text.name(trained, chosen), text.made_from(trained, chosen))
