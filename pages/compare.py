"""LMM and COC side by side on one trained model: the landing page."""

from functools import partial

import streamlit as st

from pages.shared import links
from pages.shared.app_shell import begin_page
from pages.shared.glossary import explain
from pages.shared.models import controls, requests
from pages.shared.models.results import LowRankSetting
from pages.shared.models.text import reference_line
from pages.shared.ui import widgets
from pages.views.compare import (
    animation,
    baselines,
    exercise,
    linking,
    network,
    plane,
    presets,
    toolbar,
    tour,
    visits,
)
from pages.views.compare.side import choose_epochs, draw_columns, request_sides
from pages.views.compare.text import EQUAL_COURSE, TRAINING

begin_page("Compare")
visits.restore()
first = widgets.open_row()
chosen = controls.choose_reference(first)
exercise.check_link()
tour.check_link()
widgets.draw_remarks(links.VISIT)
summary, top = st.empty(), st.container()
columns = draw_columns()
if requests.reference(*chosen).result is None:
    # Draw the same above the sides as later, so that their headings do not move.
    summary.markdown(TRAINING)
    with top:
        toolbar.draw(None)
    controls.require_reference(chosen)
    st.rerun()
trained = controls.require_reference(chosen)
with first:
    layer = controls.choose_layer(trained)
    network.draw(trained, layer)
    epochs = choose_epochs(trained)
said = reference_line(trained) + (f"\n\n{EQUAL_COURSE}" if epochs else "")
summary.markdown(said, help=explain("reference", "test part"))
if exercise.is_open():
    exercise.ask(trained, layer)
    st.stop()
with columns[0]:
    method = controls.choose_low_rank_method(trained)
    setting = LowRankSetting(method, controls.choose_layers(trained, method))
with columns[1]:
    constraint = controls.choose_constraint()
sides = request_sides(trained, layer, setting, constraint, epochs)
for column, side in zip(columns, sides, strict=True):
    with column:
        side.draw(partial(linking.slide, sides, side))
baseline = presets.request_baseline(trained)
behind = plane.draw(sides, presets.list_ghosts(trained, baseline))
if widgets.switch(links.ANIMATION, "Scrub in the browser, without the server"):
    animation.draw(sides, baselines.list_thin(baselines.curves_of(behind)))
with top:
    toolbar.draw(sides, baseline)
baselines.look_again(sides, behind)
