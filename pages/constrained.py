"""What a bound on the weights costs, which weights it holds, and whether that is the optimum."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.glossary import explain
from pages.shared.models import controls, requests
from pages.shared.models.text import reference_line
from pages.shared.ui import blocks, charts, widgets
from pages.views.constrained import text
from pages.views.constrained.bits import draw_bits
from pages.views.constrained.bound import draw_bound
from pages.views.constrained.controls import choose_penalties, choose_way
from pages.views.constrained.layer_bounds import draw_layer_bounds
from pages.views.constrained.loss_plane import draw_loss_plane
from pages.views.constrained.methods import draw_methods
from pages.views.constrained.path import draw_path
from pages.views.constrained.race import draw_race

begin_page(
    "Constrained",
    "What a bound on the weights costs, which weights it holds, and whether it is the optimum.",
)
charts.begin()
first = widgets.open_row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    layer = controls.choose_layer(trained)
    constraint = controls.choose_constraint()
    way = choose_way(trained, constraint)
st.markdown(reference_line(trained), help=explain("reference", "test part"))
way = choose_penalties(way)
job = requests.constrained_curve(trained, constraint, way)
blocks.link_sections(text.list_sections(trained.convex))
draw_bound(trained, layer, constraint, way, job)
draw_path(trained, constraint, job)
draw_methods(trained, constraint, way, job)
draw_bits(trained, job)
if trained.convex:
    draw_loss_plane(trained, constraint, job)
    draw_race(trained, constraint, job)
else:
    draw_layer_bounds(trained, constraint, way, job)
st.divider()
charts.take_away(
    "Constrained",
    text.name_file(trained, constraint, way.name),
    text.describe_choices(trained, constraint, way.name),
)
