"""What a bound on the weights costs, which weights it holds, and whether that is the optimum."""

import streamlit as st

from pages.shared import app_shell as shell
from pages.shared.models import controls as reference
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.ui import charts
from pages.shared.ui import widgets as choices
from pages.views.constrained import sections as constrained_sections
from pages.views.constrained import text as constrained_words

shell.stand(
    "Constrained",
    "What a bound on the weights costs, which weights it holds, and whether it is the optimum.",
)
charts.begin()
first = choices.row()
trained = reference.needed(choices.header(first))
with first:
    layer = reference.layer(trained)
    constraint = reference.constraint()
    if trained.convex:
        way = constrained_sections.solver(trained, constraint)
    else:
        way = constrained_sections.method(trained)
st.markdown(words.reference(trained))
way = constrained_sections.schedule(way)
job = requests.constrained_curve(trained, constraint, way)
constrained_sections.by_bound(trained, layer, constraint, trained.bounds[constraint], way, job)
constrained_sections.moves(trained, constraint, job)
constrained_sections.compared(trained, constraint, way, job)
constrained_sections.stored(trained, job)
if trained.convex:
    constrained_sections.plane(trained, constraint, job)
    constrained_sections.raced(trained, constraint, job)
else:
    constrained_sections.own_bounds(trained, constraint, way, job)
st.divider()
charts.take_away(
    "Constrained",
    constrained_words.name(trained, constraint, way.name),
    constrained_words.made_from(trained, constraint, way.name),
)
