"""Which rank the study's validation scores choose, and a link to that rank."""

import streamlit as st

import data
from compression.studies.specification import Curves, Study
from pages.shared import links
from pages.shared.ui import charts, widgets

from . import figures, text
from .results import StudyResults


def draw_ranks(study: Study, results: StudyResults) -> None:
    st.header(text.SECTIONS["ranks"], anchor="ranks")
    ranks = results.overview.ranks
    pairs = list(ranks.groupby(["dataset", "model"], sort=False).groups)
    if not pairs:
        st.info(text.NO_RANKS, icon=":material/info:")
        return
    titles = {":".join(pair): text.name_pair(*pair) for pair in pairs}
    chosen = next(iter(titles))
    if len(pairs) > 1:
        chosen = widgets.pick(links.STUDY_PAIR, "Dataset and model", titles, chosen, titles=titles)
        widgets.draw_remarks(links.STUDY_PAIR)
    dataset, model = chosen.split(":")
    ranks = ranks[(ranks["dataset"] == dataset) & (ranks["model"] == model)]
    curves = {each.label: each for each in study.curves}
    styles = {label: figures.style_of(each) for label, each in curves.items()}
    task = data.find(dataset).task
    taken = ", ".join(f"{rank:.0f}" for rank in ranks["rank"][ranks["chosen"]])
    charts.draw(
        figures.ranks(ranks, titles[chosen], task, styles),
        "study_ranks",
        f"Mean validation score by rank over the splits of {titles[chosen]}; to take: {taken}",
    )
    for (label, _), curve in ranks.groupby(["label", "bits"], sort=False):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(text.describe_rank(curve, task), width="content")
            _draw_link(curves[label], int(curve["rank"][curve["chosen"]].iloc[0]), dataset, model)
    st.caption(text.describe_rule(study))


def _draw_link(curves: Curves, rank: int, dataset: str, model: str) -> None:
    link = links.to_low_rank(method=curves.settings["method"], rank=rank)
    where = {links.DATASET: dataset, links.MODEL: model}
    st.page_link(
        link.page,
        label=f"Rank {rank} on Low rank",
        icon=":material/arrow_forward:",
        query_params=where | link.texts(),
    )
