"""What a bound on the weights costs, which weights it holds, and whether that is the optimum."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.models import controls, requests
from pages.shared.models.text import reference_line
from pages.shared.ui import charts, widgets
from pages.views.constrained import sections, text

begin_page(
    "Constrained",
    "What a bound on the weights costs, which weights it holds, and whether it is the optimum.",
)
charts.begin()
first = widgets.row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    layer = controls.choose_layer(trained)
    constraint = controls.choose_constraint()
    way = sections.solver(trained, constraint) if trained.convex else sections.method(trained)
st.markdown(reference_line(trained))
way = sections.schedule(way)
job = requests.constrained_curve(trained, constraint, way)
sections.by_bound(trained, layer, constraint, trained.bounds[constraint], way, job)
sections.moves(trained, constraint, job)
sections.compared(trained, constraint, way, job)
sections.stored(trained, job)
if trained.convex:
    sections.plane(trained, constraint, job)
    sections.raced(trained, constraint, job)
else:
    sections.own_bounds(trained, constraint, way, job)
st.divider()
charts.take_away(
    "Constrained",
    text.name(trained, constraint, way.name),
    text.made_from(trained, constraint, way.name),
)
