"""LMM and COC side by side on one trained model: the landing page."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.models import controls, requests
from pages.shared.models.text import reference_line
from pages.shared.ui import widgets
from pages.views.compare import sections
from pages.views.compare import side as sides

begin_page("Compare")
first = widgets.row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    layer = controls.choose_layer(trained)
st.markdown(reference_line(trained))
bar = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
told = st.container()
left, right = st.columns(2, gap="small", border=True)
with left:
    low_rank = requests.low_rank_curve(trained, controls.choose_low_rank_method(trained))
with right:
    constraint = controls.choose_constraint()
    constrained = requests.constrained_curve(trained, constraint)
both = (sides.LMM, low_rank), (sides.COC, constrained)
with bar:
    ties = sections.ties(low_rank, constrained)
redraw = sections.redrawn(ties)
with left:
    sides.low_rank(trained, layer, low_rank, redraw=redraw, then=ties.get(sides.LMM.key))
with right:
    then = ties.get(sides.COC.key)
    sides.constrained(trained, layer, constraint, constrained, redraw=redraw, then=then)
plain = sections.beside(trained)
sides.plane(
    trained,
    low_rank,
    constrained,
    redraw=redraw,
    ties=ties,
    pins=sections.pins_of(trained.dataset) + sections.ghosts(trained, plain),
)
with told:
    sections.preset(trained, low_rank, constrained, plain)
sections.pinned(trained, both)
if widgets.switch("differences", "Show where the two differ"):
    sections.difference(trained, low_rank, constrained)
if widgets.switch("scrub", "Scrub in the browser, without the server"):
    sections.scrubbed(trained, layer, low_rank, constrained)
sections.take_away(trained, layer, low_rank, constrained)
with bar:
    sections.bar(trained, both)
