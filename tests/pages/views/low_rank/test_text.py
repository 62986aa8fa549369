"""Sentences of the low-rank page."""

import numpy as np

from compression import LOW_RANK_METHODS
from compression.low_rank.approximations import LayerRanks
from pages.shared.models.results import Layer
from pages.views.low_rank import text


def test_the_network_s_caption_says_what_becomes_of_each_layer():
    class Convolutional:
        layers = tuple(
            Layer(name, "conv2d", (2, 2), 1) for name in ("conv1", "conv2", "conv3", "fc1")
        )

    layers = [
        LayerRanks("conv1", np.array([0, 2, 4]), 9, np.array([0, 3, 2])),
        LayerRanks("conv2", np.array([0, 2, 4, 6, 8, 10]), 7, np.array([0, 2, 2, 2, 2, 2])),
        LayerRanks("conv3", np.array([0, 1, 2, 3, 4, 5]), 9, np.array([0, 2, 2, 2, 2, 2])),
    ]
    assert text.describe_network(Convolutional, layers, 5) == (
        "Rank 5 in conv1 (2 smaller layers, its largest rank 2), conv3 (2 smaller layers). "
        "It would make conv2 larger: kept dense. Not compressed here: fc1."
    )


def test_an_unfolding_is_described_by_the_sides_that_a_method_gives_it():
    said = text.describe_unfolding("spatial_svd", (12, 30))
    assert "12 × 30: a row for each input channel and row of the kernel" in said
    said = text.describe_unfolding("truncated_svd", (6, 60))
    assert "6 × 60: a row for each output channel" in said
    assert said == text.describe_unfolding("activation_aware_svd", (6, 60))


def test_what_takes_no_matrix_is_not_said_to_be_two_convolutions():
    own = [name for name, entry in LOW_RANK_METHODS.items() if "linear" not in entry.layers]
    assert {"tucker2", "cp"} <= set(own)
    for name in own:
        assert "one that mixes them" not in text.describe_unfolding(name, (6, 60))


def test_every_rule_says_what_it_asks_for_and_its_ranks():
    said = [
        text.describe_rule(rule, amount, "classification")
        for rule, amount in (("energy", 0.95), ("loss", 0.01), ("loss", 0.005))
    ]
    assert said == [
        "95 % of each layer's energy",
        "at most 1 point lost on validation",
        "at most 0.5 points lost on validation",
    ]
    assert "variational Bayes" in text.describe_rule("variational", float("nan"), "regression")
    assert text.list_ranks({"fc1": 3, "fc2": None}) == "fc1 3, fc2 dense"
    said = text.describe_rule("loss", 0.01, "regression")
    assert said == "at most 0.01 of R² lost on validation"


def test_rules_that_starve_a_layer_are_named_with_it():
    told = text.describe_starved(["Exact", "Greedy", "Uniform k"], ["fc1 has 1", "fc1 has 1", ""])
    assert told == "Exact, Greedy: fc1 has 1."
    assert text.describe_starved(["Exact"], [""]) == ""
