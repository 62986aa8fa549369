"""A person's own model: which layers can shrink, why others cannot, and the smaller file."""

import streamlit as st

from compression.adapters.layouts import are_adapter
from pages.shared.app_shell import begin_page
from pages.shared.ui import blocks, charts
from pages.views.your_model import text
from pages.views.your_model.adapter import draw_adapter
from pages.views.your_model.bounds import draw_bounds
from pages.views.your_model.budget import choose_method, draw_budget
from pages.views.your_model.head import draw_head
from pages.views.your_model.judging import choose_judging, is_text_model
from pages.views.your_model.latency import draw_latency
from pages.views.your_model.layers import draw_layers
from pages.views.your_model.scores import draw_scores, judge_both
from pages.views.your_model.section_titles import list_sections
from pages.views.your_model.sentences import draw_sentences
from pages.views.your_model.smallest import JudgedFiles, draw_smallest
from pages.views.your_model.upload import choose_files, require_model

begin_page(
    "Your model", "Bring a trained file; see which layers can shrink; leave with a smaller one."
)
charts.begin()
files = choose_files()
if are_adapter(dict(files)):
    origin = text.describe_adapter(draw_adapter(files))
else:
    view = require_model(files)
    origin = text.describe_origin(view)
    st.markdown(text.describe_model(view))
    places = st.container()
    draw_layers(view)
    judging = choose_judging(view, files)
    shown = choose_method(view, files, judging)
    speaks = is_text_model(files)
    with places:
        judged = judging is not None
        blocks.link_sections(
            list_sections(of_text=speaks, planned=shown is not None, judged=judged)
        )
    if shown is not None:
        row = draw_budget(shown, files, judging is not None or speaks)
        if speaks:
            draw_sentences(shown, row)
        if judging is not None:
            origin = f"{origin} {text.describe_judging(judging)}"
            both = judge_both(view, files, judging)
            draw_scores(both, shown.method, row, files, judging)
            bounds = draw_bounds(view, files, judging)
            draw_smallest(JudgedFiles(both, bounds), files, judging)
            draw_latency(shown, files, row, judging)
            draw_head(files, judging)
    st.caption(text.CHAIN)
st.divider()
charts.take_away("Your model", "your-model", origin)
