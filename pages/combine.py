"""Low rank and bounds together: what both give that neither gives alone."""

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.glossary import explain
from pages.shared.models import controls
from pages.shared.models.text import reference_line
from pages.shared.ui import charts
from pages.views.combine import few_bits, pairs, text
from pages.views.combine.controls import choose_setting

begin_page("Combine", "Low rank and bounds together, compared with each alone at equal bytes.")
charts.begin()
trained = controls.require_reference(controls.choose_reference())
st.markdown(reference_line(trained), help=explain("reference", "test part"))
setting = choose_setting(trained)
pairs.draw_pairs(trained, setting)
few_bits.draw_few_bits(trained, setting)
st.divider()
charts.take_away(
    "Combine",
    text.file_name(trained, setting.method),
    text.describe_origin(trained, setting),
)
