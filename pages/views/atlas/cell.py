"""One dataset and model at one size: every family, and a button that computes it here."""

import numpy as np
import pandas as pd
import streamlit as st

import data
from compression.studies.atlas_files import Atlas
from compression.studies.location import default_url
from compression.studies.protocol import read_protocol
from pages.shared import jobs, links
from pages.shared.ui import charts, widgets
from pages.shared.ui.progress import wait_for

from . import figures, tables, tasks, text
from .results import Recomputed

FIRST = "digits:mlp"
_STARTED = "_atlas_started"  # cells that somebody asked to compute here


def draw_cell(atlas: Atlas, share: float) -> None:
    st.header("One cell", anchor="cell")
    pairs = [":".join(pair) for pair in read_protocol().pairs()]
    titles = {pair: text.name_pair(*pair.split(":")) for pair in pairs}
    pair = widgets.pick(links.ATLAS_CELL, "Dataset and model", pairs, FIRST, titles=titles)
    widgets.remark(links.ATLAS_CELL)
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
    held = _find(atlas.against, place)
    if len(held):
        st.dataframe(tables.tabulate_against(held), hide_index=True)
        st.caption(text.AGAINST)
    _draw_recomputed(atlas, dataset, model, share)


def _draw_recomputed(atlas: Atlas, dataset: str, model: str, share: float) -> None:
    started = st.session_state.setdefault(_STARTED, set())
    if (dataset, model) not in started:
        if not st.button("Compute seed 0 here", key="atlas_recompute", icon=":material/replay:"):
            return
        started.add((dataset, model))
    job: jobs.Job[Recomputed] = jobs.submit(tasks.recompute_cell, dataset, model, default_url())
    found: Recomputed | None = wait_for(job, f"Computing {text.name_pair(dataset, model)}, seed 0")
    if found is None:
        return
    place = (dataset, model, share)
    shipped = _find(atlas.rows, place)
    shipped, here = shipped[shipped["seed"] == 0], _find(found.rows, place)
    both = shipped.merge(here, on="family", suffixes=("", "_here"))
    same = int(np.isclose(both["score"], both["score_here"], rtol=0, atol=1e-9).sum())
    st.markdown(text.describe_recomputed(same, len(here), len(here) - len(both)))
    task = data.DATASETS[dataset].task
    st.dataframe(tables.set_beside(shipped, here, task), hide_index=True)
    st.caption(text.RECOMPUTED)


def _find(table: pd.DataFrame, place: tuple[str, str, float]) -> pd.DataFrame:
    """The rows of one dataset, model and share."""
    dataset, model, share = place
    return table[
        (table["dataset"] == dataset) & (table["model"] == model) & (table["share"] == share)
    ]
