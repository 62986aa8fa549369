"""What a bound on the weights costs, which weights it holds, and whether that is the optimum."""

import streamlit as st

from pages.shared import (
    charts,
    choices,
    constrained_sections,
    constrained_words,
    reference,
    shell,
    words,
)

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
bounds = constrained_sections.bounds(trained, constraint)
job = constrained_sections.curve_of(trained, constraint, way)
constrained_sections.by_bound(trained, layer, constraint, bounds, way, job)
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
