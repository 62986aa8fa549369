"""One dataset and model at one size: every family, and a button that computes it here."""

import numpy as np
import pandas as pd
import streamlit as st

import data
from compression.errors import CompressionError
from compression.studies.atlas_files import Atlas
from compression.studies.location import default_url
from compression.studies.protocol import read_protocol
from pages.shared import jobs, links
from pages.shared.format import escape_markdown
from pages.shared.ui import charts, knobs, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tables, tasks, text
from .results import RecomputedPair

FIRST = "digits:mlp"
_STARTED = "_atlas_started"  # pairs and seeds whose computation was requested


def draw_cell(atlas: Atlas, share: float) -> None:
    st.header("One cell", anchor="cell")
    pairs = [":".join(pair) for pair in read_protocol().pairs()]
    titles = {pair: text.name_pair(*pair.split(":")) for pair in pairs}
    pair = widgets.pick(links.ATLAS_CELL, "Dataset and model", pairs, FIRST, titles=titles)
    widgets.draw_remarks(links.ATLAS_CELL)
    dataset, model = pair.split(":")
    place = (dataset, model, share)
    (line,) = _find(atlas.cells, place).to_dict("records")
    st.markdown(text.describe_choice(line))
    families = _find(atlas.families, place)
    families = families[families["seeds"] == families["of"]].sort_values(
        ["validation_score", "bytes"], ascending=[False, True]
    )
    if len(families):
        title = f"{titles[pair]}; {text.name_share(share)}: change against the reference"
        alt = f"{title}, a point and a 95 % interval for each of {len(families)} families"
        charts.draw(figures.cell(families, title), "atlas_cell", alt)
        st.caption(text.CELL)
    comparisons = _find(atlas.against, place)
    if len(comparisons):
        st.dataframe(tables.tabulate_against(comparisons), hide_index=True)
        st.caption(text.AGAINST)
    _draw_recomputed(atlas, dataset, model, share)


def _draw_recomputed(atlas: Atlas, dataset: str, model: str, share: float) -> None:
    """On request the same pair computed here, with as many of the protocol's seeds as wished."""
    if not widgets.switch(links.ATLAS_HERE, text.HERE):
        return
    most = _count_seeds(dataset, model)
    seeds = int(knobs.draw(links.ATLAS_SEEDS, "Seeds", range(1, most + 1), most))
    started = st.session_state.setdefault(_STARTED, set())
    if (dataset, model, seeds) not in started:
        st.markdown(f"{_look_ahead(dataset, model, seeds)} {text.describe_pace(atlas.facts)}")
        label = f"Compute {text.count_seeds(seeds)} here"
        if not st.button(label, key="atlas_recompute", icon=":material/replay:"):
            return
        started.add((dataset, model, seeds))
    arguments = (dataset, model, seeds, default_url())
    job: jobs.Job[RecomputedPair] = jobs.submit(tasks.recompute_cell, *arguments)
    said = f"Computing {text.name_pair(dataset, model)}, {text.count_seeds(seeds)}"
    recomputed: RecomputedPair | None = wait_for(job, said)
    if recomputed is not None:
        _set_beside(atlas, recomputed, (dataset, model, share))


def _count_seeds(dataset: str, model: str) -> int:
    """How many seeds the protocol has for a pair: a part may have fewer than the others."""
    studies = read_protocol().studies()
    return next(len(each.seeds) for each in studies if (dataset, model) in each.pairs())


def _look_ahead(dataset: str, model: str, seeds: int) -> str:
    """What is to come and how long it may take, in a sentence; where the store fails, why."""
    from compression.studies import StudyStore, describe_estimate, estimate_time

    try:
        store = StudyStore(default_url() or "sqlite://")
        try:
            study = read_protocol().study_of(dataset, model, seeds)
            said = describe_estimate(estimate_time(study, store))
        finally:
            store.close()
    except CompressionError as error:
        return escape_markdown(f"{error}.")
    return f"{said[:1].upper()}{said[1:]}."


def _set_beside(atlas: Atlas, recomputed: RecomputedPair, place: tuple[str, str, float]) -> None:
    """Verdicts and rows of the seeds that were computed here, beside those that ship."""
    here, shipped = _find(recomputed.rows, place), _find(atlas.rows, place)
    shipped = shipped[shipped["seed"].isin(recomputed.rows["seed"])]
    both = shipped.merge(here, on=["family", "seed"], suffixes=("", "_here"))
    same = int(np.isclose(both["score"], both["score_here"], rtol=0, atol=1e-9).sum())
    if here.empty:
        st.markdown(text.describe_nothing_here(recomputed.rows["seed"].nunique()))
        return
    st.markdown(text.describe_recomputed(same, len(here), len(here) - len(both)))
    for line in _find(recomputed.cells, place).to_dict("records"):
        (ships,) = _find(atlas.cells, place).to_dict("records")
        st.markdown(text.compare_verdicts(line, ships))
    table = tables.set_beside(shipped, here, data.DATASETS[place[0]].task)
    st.dataframe(table, hide_index=True)
    st.caption(text.RECOMPUTED)


def _find(table: pd.DataFrame, place: tuple[str, str, float]) -> pd.DataFrame:
    """The rows of one dataset, model and share."""
    dataset, model, share = place
    return table[
        (table["dataset"] == dataset) & (table["model"] == model) & (table["share"] == share)
    ]
