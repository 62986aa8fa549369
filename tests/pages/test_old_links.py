"""Links of 24 November 2026, before each page had a package, still show what they meant."""

import pytest

from pages.shared import links

from .rendering import render

ON_ALL = {"dataset": "wine", "model": "mlp", "seed": "1"}
# Page -> what its links said, as the menus of that day put it, and the name that it means.
LINKS = [
    (
        "compare.py",
        ON_ALL,
        {
            "layer": ("fc2", "fc2"),
            "method": ("Covariance eigenvectors (not optimal)", "covariance_eigenvectors"),
            "set": ("L1 ball ‖θ‖₁ ≤ c", "l1"),
            "rank": ("4", 4),
            "bound": ("0.0393", 0.0393),
            "cost": ("MACs per sample", "macs"),
            "differences": ("true", True),
            "scrub": ("true", True),
        },
    ),
    ("compare.py", ON_ALL, {"tie": ("Validation score", "validation_score")}),
    (
        "low_rank.py",
        ON_ALL,
        {
            "method": ("Randomised SVD", "randomized_svd"),
            "scale": ("Logarithmic", "log"),
            "methods": ("This one and its baseline", "tuned"),
            "epochs": ("3", 3),
            "against": ("File size (bytes)", "bytes"),
            "share": ("true", True),
            "unit": ("MACs per sample", "macs"),
        },
    ),
    (
        "constrained.py",
        ON_ALL,
        {
            "way": ("Layer-wise refit", "refit"),
            "bound": ("0.284", 0.284),
            "ways": ("With the baselines", "baselines"),
            "bound_against": ("File size (bytes)", "bytes"),
            "few_bits": ("true", True),
            "bits": ("4", 4),
            "own_bounds": ("true", True),
            "bound_fc1": ("0.0393", 0.0393),
        },
    ),
    (
        "constrained.py",
        ON_ALL | {"model": "softmax_regression"},
        {
            "solver": ("Interior point (cvxpy and Clarabel)", "cvxpy"),
            "race": ("true", True),
            "plane": ("true", True),
        },
    ),
    (
        "combine.py",
        ON_ALL | {"model": "softmax_regression"},
        {
            "together": ("Low rank plus sparse", "low_rank_plus_sparse"),
            "pair_epochs": ("3", 3),
            "cost": ("File size (bytes)", "bytes"),
        },
    ),
    (
        "decide.py",
        ON_ALL | {"model": "softmax_regression"},
        {
            "lose": ("2.0", 2.0),
            "kb": ("0.5", 0.5),
            "by": ("Parameters", "parameters"),
            "part": ("Validation", "validation"),
        },
    ),
]


@pytest.mark.parametrize(("page", "reference", "choices"), LINKS)
def test_a_link_of_before_shows_what_it_meant(page, reference, choices):
    app = render(page, **reference, **{key: text for key, (text, _) in choices.items()})
    shown = {key: app.session_state[key] for key in choices}
    assert shown == {key: name for key, (_, name) in choices.items()}
    assert not [each.value for each in app.warning if "hown instead" in each.value]


def test_decide_s_menu_of_further_series_knows_what_its_links_said():
    texts = ["Covariance eigenvectors (not optimal)", "Bytes shared among layers"]
    app = render("decide.py", **ON_ALL | {"model": "softmax_regression"}, more=texts)
    assert app.multiselect(key="more").value == ["covariance_eigenvectors", "budgets"]
    assert not [each.value for each in app.warning if "there is no" in each.value]


def test_every_former_text_means_a_name_of_its_own_menu():
    for parameter, texts in links.FORMER_TEXTS.items():
        for text, name in texts.items():
            assert links.find_name(parameter, text) == name != text
    assert links.find_name("method", "truncated_svd") == "truncated_svd"
