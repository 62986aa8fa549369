"""Many fits instead of one: what holds over seeds, datasets and models."""

from functools import partial

import streamlit as st

from pages.shared.app_shell import begin_page
from pages.shared.ui import blocks, charts
from pages.views.studies import text
from pages.views.studies.comparison import draw_comparison, draw_so_far
from pages.views.studies.define import define_study
from pages.views.studies.every_row import draw_every_row
from pages.views.studies.kept import draw_kept
from pages.views.studies.ranks import draw_ranks
from pages.views.studies.run import require_results

begin_page("Studies", "One split proves little: the same question over many seeds, with intervals.")
charts.begin()
main, kept = st.container(), st.container()
with kept:  # draw it first, though it stands below: an unfinished study ends the page
    draw_kept()
with main:
    study = define_study()
    results = require_results(study, partial(draw_so_far, study))
    blocks.link_sections(text.list_sections(results))
    draw_comparison(study, results)
    draw_ranks(study, results)
    draw_every_row(study, results)
    charts.take_away("Studies", "study", study.name)
