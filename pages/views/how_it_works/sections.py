"""The page's sections, in the order of the screen."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from compression.studies.atlas_files import Atlas, read_atlas, tabulate_errors
from compression.studies.claims import read_claims
from pages.shared import links
from pages.shared.glossary import GLOSSARY, explain
from pages.shared.jobs import Job
from pages.shared.models import requests
from pages.shared.models.results import TrainedReference
from pages.shared.models.text import CONSTRAINED_FORMULA, LOW_RANK_FORMULA
from pages.shared.ui import charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status

from . import examples, figures, text

EXPERIMENTS = (("iris", "softmax_regression", 0), ("synthetic", "mlp", 0))  # the article's own
Pair = tuple[Job[Any], Job[Any]]
BOUNDS = tuple(np.round(np.arange(0.05, 2.01, 0.05), 2).tolist())


def draw_methods() -> None:
    """Both side by side, as on Compare."""
    left, right = st.columns(2, gap="small", border=True)
    with left:
        _draw_low_rank()
    with right:
        _draw_constrained()


def _draw_low_rank() -> None:
    st.header("LMM: low-rank matrix decomposition", anchor="lmm")
    st.markdown(text.LOW_RANK)
    st.latex(LOW_RANK_FORMULA)
    _draw_shadow()


@st.fragment
def _draw_shadow() -> None:
    picture = examples.decompose_picture()
    ranks = range(1, len(picture.values) + 1)
    terms = explain("rank k", "energy", "break-even rank k*")
    rank = int(knobs.draw(links.EXAMPLE_RANK, "Rank k", ranks, 3, help=terms))
    st.markdown(text.describe_shadow(picture, rank))
    alt = f"A picture of a ring and a bar as a matrix, its nearest of rank {rank}, and its spectrum"
    charts.draw(figures.shadow(picture, rank), "shadow", alt)


def _draw_constrained() -> None:
    st.header("COC: compression by constrained optimisation", anchor="coc")
    st.markdown(text.CONSTRAINED)
    st.latex(CONSTRAINED_FORMULA)
    _draw_feasible()


@st.fragment
def _draw_feasible() -> None:
    problem = examples.solve_bounded()
    terms = explain("bound c", "pinned", "multiplier", "gap")
    bound = float(knobs.draw(links.EXAMPLE_BOUND, "Bound c", BOUNDS, 0.8, help=terms))
    weight, judged = problem.path.at(bound), problem.path.certificate_at(bound)
    st.markdown(text.describe_optimum(bound, weight, judged))
    alt = f"Contours of a loss over two weights, the box |θ| ≤ {bound:g}, and the optimum in it"
    charts.draw(figures.feasible_set(problem, bound), "feasible", alt)


def draw_measures() -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.header("What is measured", anchor="measures")
        st.table(text.MEASURES.set_index("measure"))
    with right:
        st.header("When to use which", anchor="advice")
        st.markdown(text.ADVICE)
        atlas = read_atlas()
        st.markdown(text.describe_standing(atlas.cells))
    with st.expander(text.EXAMPLE_TITLE):
        _draw_example(atlas)


def _draw_example(atlas: Atlas) -> None:
    """The table of one pair, and what it is the mean of."""
    dataset, model = text.EXAMPLE
    rows = atlas.rows.query("dataset == @dataset and model == @model and family == 'reference'")
    st.table(tabulate_errors(atlas, dataset, model).style.format("{:.2f}", na_rep="—"))
    reference = 100 * (1 - rows["score"].mean())
    st.caption(text.EXAMPLE_CAPTION.format(seeds=rows["seed"].nunique(), reference=reference))


def draw_article() -> None:
    st.header("What the article says, and what was measured", anchor="claims")
    st.table(text.CORRECTED.set_index("the article"))
    claims = read_claims(read_atlas().duels)
    st.table(claims.set_index("claim")[["verdict", "measured"]])
    st.caption(text.describe_claims(claims["command"].iloc[0], claims["date"].iloc[0]))
    if not widgets.switch(links.STATEMENTS, text.MEASURE):
        return
    references = [requests.reference(*choices) for choices in EXPERIMENTS]
    pairs = [None if job.result is None else _request_curves(job.result) for job in references]
    watched = [*references, *(job for pair in pairs if pair is not None for job in pair)]
    follow(partial(_draw_statements, references, pairs), *watched)


def _request_curves(trained: TrainedReference) -> Pair:
    low_rank = requests.low_rank_curve(trained, "truncated_svd")
    return low_rank, requests.constrained_curve(trained, "box")


def _draw_statements(
    references: Sequence[Job[TrainedReference]], pairs: Sequence[Pair | None]
) -> None:
    measured = []
    for reference, pair in zip(references, pairs, strict=True):
        show_status(reference, "Training a reference")
        if pair is None or reference.result is None:
            continue
        for job, what in zip(pair, ("Judging every rank", "Judging every bound"), strict=True):
            show_status(job, what)
        low_rank, constrained = pair[0].result, pair[1].result
        if low_rank is not None and constrained is not None:
            measured.append((reference.result, low_rank, constrained))
    if measured:
        statements = pd.DataFrame(text.list_statements(measured))
        st.table(statements.set_index("the article says"))
        st.caption(text.ORIGIN)


def draw_glossary() -> None:
    st.header("Glossary", anchor="glossary")
    lines = [f"- **{term}**: {meaning}" for term, meaning in GLOSSARY.items()]
    half = -(-len(lines) // 2)
    for column, part in zip(st.columns(2, gap="large"), (lines[:half], lines[half:]), strict=True):
        column.markdown("\n".join(part))
