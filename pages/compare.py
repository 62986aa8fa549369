"""LMM and COC side by side on one trained model: the landing page."""

import streamlit as st

from pages.shared import app_shell as shell
from pages.shared.models import controls as reference
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.ui import widgets as choices
from pages.views.compare import sections as compare_sections
from pages.views.compare import side as sides

shell.stand("Compare")
first = choices.row()
trained = reference.needed(choices.header(first))
with first:
    layer = reference.layer(trained)
st.markdown(words.reference(trained))
bar = st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute")
left, right = st.columns(2, gap="small", border=True)
with left:
    low_rank = requests.low_rank_curve(trained, reference.low_rank_method(trained))
with right:
    constraint = reference.constraint()
    constrained = requests.constrained_curve(trained, constraint)
both = (sides.LMM, low_rank), (sides.COC, constrained)
with bar:
    ties = compare_sections.ties(low_rank, constrained)
redraw = compare_sections.redrawn(ties)
with left:
    sides.low_rank(trained, layer, low_rank, redraw=redraw, then=ties.get(sides.LMM.key))
with right:
    then = ties.get(sides.COC.key)
    sides.constrained(trained, layer, constraint, constrained, redraw=redraw, then=then)
sides.plane(
    trained,
    low_rank,
    constrained,
    redraw=redraw,
    ties=ties,
    pins=compare_sections.pins_of(trained.dataset),
)
compare_sections.pinned(trained, both)
if choices.switch("differences", "Show where the two differ"):
    compare_sections.difference(trained, low_rank, constrained)
if choices.switch("scrub", "Scrub in the browser, without the server"):
    compare_sections.scrubbed(trained, layer, low_rank, constrained)
compare_sections.take_away(trained, layer, low_rank, constrained)
with bar:
    compare_sections.bar(trained, both)
