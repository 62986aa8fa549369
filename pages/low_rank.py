"""How low-rank a layer is, which rank to take, and what a rank costs."""

import streamlit as st

from pages.shared import links
from pages.shared.app_shell import begin_page
from pages.shared.glossary import explain
from pages.shared.models import controls, requests
from pages.shared.models.text import reference_line
from pages.shared.ui import blocks, charts, widgets
from pages.views.low_rank import text
from pages.views.low_rank.budgets import draw_budgets
from pages.views.low_rank.controls import choose_setting
from pages.views.low_rank.layer_ranks import draw_layer_ranks
from pages.views.low_rank.methods import draw_methods
from pages.views.low_rank.rank import draw_layer, draw_rank
from pages.views.low_rank.selection import draw_selection
from pages.views.low_rank.sensitivity import draw_sensitivity

begin_page("Low rank", "How low-rank the layers are, which rank to take, and what it costs.")
charts.begin()
first = widgets.open_row()
trained = controls.require_reference(controls.choose_reference(first))
with first:
    layer = controls.choose_layer(trained)
    method = controls.choose_low_rank_method(trained)
st.markdown(reference_line(trained), help=explain("reference", "test part"))
setting = choose_setting(trained, method)
curve = requests.low_rank_curve(trained, setting)
blocks.link_sections(text.SECTIONS)
draw_rank(trained, curve)
draw_layer(trained, layer, setting, curve)
draw_methods(trained, setting, curve)
draw_selection(trained, setting, curve.result)
draw_sensitivity(trained, setting)
st.header("A rank of its own for each layer", anchor="layer-ranks")
if curve.result is not None:
    draw_layer_ranks(trained, setting, curve.result)
if widgets.switch(links.SHARE, "Share one budget among the layers, by six rules"):
    draw_budgets(trained, setting)
st.divider()
name, remark = text.file_name(trained, setting), text.describe_setting(trained, setting)
charts.take_away("Low rank", name, remark)
