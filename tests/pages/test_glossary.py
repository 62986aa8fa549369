"""Where a page uses a term its meaning comes with the mouse."""

import pytest

from pages.shared.glossary import GLOSSARY
from tests.pages.rendering import render

# What each page explains where it uses it; "How it works" explains all, and is not asked.
EXPLAINED = {
    "compare.py": ["rank k", "energy", "bound c", "pinned", "score", "file", "baseline", "box"],
    "low_rank.py": ["rank k", "singular values", "energy", "break-even rank k*", "reference"],
    "constrained.py": [
        "bound c",
        "pinned",
        "multiplier",
        "gap",
        "certificate",
        "KKT residual",
        "path",
        "seed",
    ],
    "combine.py": ["rank k", "relative bound ρ", "pinned"],
    "decide.py": ["validation part", "test part", "Pareto front", "baseline"],
}


def read_helps(page):
    """Every help text of a page, one after the other."""
    app = render(page, dataset="iris", model="softmax_regression", baselines="none")
    return "\n".join(getattr(part.proto, "help", "") for part in app.main if hasattr(part, "proto"))


@pytest.fixture(scope="module")
def helps():
    return {page: read_helps(page) for page in EXPLAINED}


@pytest.mark.parametrize("page", EXPLAINED)
def test_the_terms_of_a_page_are_explained_where_they_stand(page, helps):
    for term in EXPLAINED[page]:
        assert f"**{term}**: {GLOSSARY[term]}" in helps[page], term


def test_every_term_is_explained_where_some_page_uses_it(helps):
    for term, meaning in GLOSSARY.items():
        assert any(f"**{term}**: {meaning}" in own for own in helps.values()), term
