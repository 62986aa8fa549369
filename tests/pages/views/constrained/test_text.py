"""What the constrained page says."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from compression import CONSTRAINED_METHODS
from compression.constrained.convex.results import End, Race, Trajectories
from pages.shared.models import text as words
from pages.shared.models.requests import Way
from pages.views.constrained import bound, race, text


def test_a_way_that_ran_out_of_time_is_said_to_be_short_of_the_optimum():
    way = [np.zeros((3, 2), np.float32)]
    ends = {"cvxpy": {0: End(3, False)}, "quasi_newton": {0: End(3, True)}}
    found = Trajectories(np.ones(1), {"cvxpy": way, "quasi_newton": way}, 40, ends, 2.0)
    said = text.describe_plane(found, 0, "regression", has_outline=True)
    titles = text.title_solvers()
    assert f"Stopped after 2 s, short of the optimum: {titles['cvxpy']}." in said
    assert "Not there yet" not in said


def test_trajectories_that_are_missing_are_named_and_the_kept_iterates_counted():
    iterates = np.zeros((3, 2), np.float32)
    own = {"cvxpy": [iterates, None], "quasi_newton": [iterates, iterates]}
    found = Trajectories(np.ones(2), own, 6, {}, 2.0)
    said = text.describe_plane(found, 1, "regression", has_outline=True)
    assert f"Not there yet: {text.title_solvers()['cvxpy']}." in said
    assert "at most 6 iterates" in said


def fact(**changed):
    return pd.Series(
        {
            "objective": 0.3,
            "duality_gap": 2e-7,
            "kkt_residual": 1e-8,
            "certified": True,
            "inactive": False,
            "status": "",
            "swap_optimal": False,
            "price": 0.5,
            **changed,
        }
    )


@pytest.mark.parametrize(
    ("changed", "convex", "kind", "said"),
    [
        ({}, True, "success", "within 2e-7 of the optimum"),
        ({"inactive": True}, True, "success", "costs nothing"),
        ({"duality_gap": math.inf}, True, "success", "not bounded"),
        (
            {"certified": False, "status": "stopped at 60 s"},
            True,
            "warning",
            "gap 2.0e-07 reached",
        ),
        ({"certified": False}, False, "info", "gradient steps no longer leave"),
        ({"certified": False, "swap_optimal": True}, False, "info", "no exchange of one for"),
    ],
)
def test_a_certificate_claims_no_more_than_is_known(changed, convex, kind, said):
    found, sentence = text.describe_certificate(fact(**changed), convex)
    assert found == kind
    assert said in sentence


def test_prices_are_named_and_the_dearest_first():
    names = text.name_weights(["row 1, column 1", "x2"], 2, 2, ["a", "b"])
    assert names[0][0] == "row 1 column 1 → a"
    table = bound.rank_prices(
        np.array([[0.1, 0.0], [0.3, 0.2]]), np.array([[1, 1], [-1, 1]]), names
    )
    assert list(table["weight"]) == ["row 1 column 1 → b", "x2 → b", "row 1 column 1 → a"]
    assert list(table["bound"]) == ["−c", "+c", "+c"]


def test_prices_are_shown_with_the_same_decimals_and_the_dearest_with_four_digits():
    for prices, shown in (
        ([0.3132, 0.12, 0.02475], ["0.3132", "0.1200", "0.0248"]),
        ([123.456, 2.0], ["123.5", "2.0"]),
        ([2e-5, 1e-6], ["0.00002000", "0.00000100"]),
    ):
        table = bound.format_prices(pd.DataFrame({"price": prices}))
        assert list(table["price"]) == shown


def test_the_end_of_a_race_says_who_was_stopped_and_leaves_the_gap_to_its_own_column():
    line = {
        "solver": "cvxpy", "objective": 0.1, "duality_gap": 2e-6, "kkt_residual": 1e-5,
        "iterations": 1, "seconds": 30.2, "pinned": 0.0,
    }  # fmt: skip
    statuses = ["certified", "not certified: gap 2.0e-06 reached, stopped at 30 s"]
    shown = race.tabulate_race(pd.DataFrame([{**line, "status": said} for said in statuses]))
    assert list(shown["status"]) == ["certified", "stopped at 30 s"]


def test_a_race_is_answered_by_who_is_certified_and_who_is_first():
    table = pd.DataFrame(
        {
            "solver": ["cvxpy", "quasi_newton"],
            "status": ["certified", "certified"],
            "objective": [0.3, 0.3 + 2e-8],
            "seconds": [0.5, 0.02],
        }
    )
    titles = text.title_solvers()
    yes = text.answer_race(Race(table, {}), "c = 0.1")
    assert yes.startswith("**Yes**: all 2 solvers are certified at c = 0.1")
    assert "2e-8 of each other" in yes
    assert f"**{titles['quasi_newton']}** is there first, in 20 ms" in yes
    table.loc[0, "status"] = "not certified: gap 1e-3 reached, stopped at 30 s"
    some = text.answer_race(Race(table, {}), "c = 0.1")
    assert some.startswith("**1 of 2 solvers**")
    assert some.endswith(f"Not certified within their time: {titles['cvxpy']}.")
    table["status"] = "not certified: gap 1e-3 reached, stopped at 30 s"
    assert "No solver is certified" in text.answer_race(Race(table, {}), "c = 0.1")


def test_before_a_race_the_certificates_answer_where_there_are_any():
    facts = pd.DataFrame({"certified": [True, True, False], "duality_gap": [3e-8, 1e-9, 0.1]})
    said = text.answer_before_race(facts)
    assert "**2 of 3 bounds**" in said
    assert "some 3e-8." in said
    assert text.answer_before_race(None) == ""
    assert text.answer_before_race(facts.assign(certified=False)) == ""


def test_a_moment_is_not_no_time_at_all():
    for seconds, said in (
        (0.000214, "0.214 ms"),
        (0.09999, "100 ms"),
        (0.853, "0.85 s"),
        (34.23, "34.2 s"),
    ):
        assert text.format_duration(seconds) == said


def test_an_interior_point_is_not_offered_where_it_takes_minutes():
    reasons = {"cvxpy": None, "quasi_newton": None}
    assert text.rule_out_solvers(reasons, 100, 3, True)["cvxpy"] is None
    many = text.rule_out_solvers(reasons, 1200, 10, True)
    assert "minute" in many["cvxpy"]
    assert many["quasi_newton"] is None


def test_no_solver_is_offered_over_a_set_without_certificates():
    reasons = text.rule_out_solvers({"cvxpy": "no cone", "quasi_newton": None}, 100, 3, False)
    assert reasons["cvxpy"] == "no cone"
    assert "certificate" in reasons["quasi_newton"]


@pytest.mark.parametrize(
    ("way", "title"),
    [
        (Way("projected_training", 3), "Projected training, 3 epochs per bound"),
        (Way("projected_training", 1), "Projected training, 1 epoch per bound"),
        (Way("projected_training", 3, warm_start=False), "Projected training, 3 epochs"),
        (Way("clip", 3), CONSTRAINED_METHODS["clip"].title),
        (Way("path", 3), "Optimum"),
    ],
)
def test_a_way_s_epochs_are_those_of_each_bound_on_a_path(way, title):
    assert text.title_way(way) == title


def test_no_title_that_stands_in_a_url_has_a_comma():
    every = [text.title_solvers(), text.title_ways(), text.COMPARED]
    assert not any("," in title for titles in every for title in titles.values())


@pytest.mark.parametrize(
    ("task", "knob", "constraint", "way", "scaled"),
    [
        ("classification", "relative bound", "l1", "projected_training", True),
        ("classification", "relative bound", "cardinality", "projected_training", True),
        ("classification", "relative bound", "box", "projected_training", False),
        ("classification", "relative bound", "l1", "learning_compression", False),
        ("classification", "bound", "l1", "path", False),
        ("regression", "relative bound", "l1", "projected_training", False),
    ],
)
def test_a_loss_that_is_not_that_of_the_logits_themselves_is_told(
    task, knob, constraint, way, scaled
):
    trained = SimpleNamespace(task=task, history=[1, 2], feature_names=(), zero_one=())
    table = pd.DataFrame({"knob": [0.5], "epochs": [3]})
    curve = SimpleNamespace(knob=knob, method=constraint, table=table)
    said = words.bound_caption(trained, curve, 0, way)
    assert ("reference's scale" in said) == scaled


def test_the_ways_that_scale_the_loss_are_those_that_the_catalogue_names():
    scaling = {
        name
        for name, entry in CONSTRAINED_METHODS.items()
        if hasattr(entry.load()(), "reference_scale")
    }
    assert scaling == {name for name, entry in CONSTRAINED_METHODS.items() if entry.scales_loss}


LEVEL_POINTS = 1.5  # of test error: no more apart is "level"
EPOCHS = (10, 30, 100)


def read_errors(what):
    """Test errors in % that stand behind some words: learning–compression's, and the others'."""
    said = text.PENALTY[text.PENALTY.index(what) :]
    number = r"(\d+\.\d)"
    three = rf"{number}, {number} and {number}"
    found = re.search(rf"{three} % against {three}", said)
    values = [float(value) for value in found.groups()]
    return dict(zip(EPOCHS, zip(values[:3], values[3:], strict=True), strict=True))


@pytest.mark.parametrize(
    ("what", "verdicts"),
    [
        ("ρ = 0.1: ", ("ahead", "level", "behind")),
        ("level from 100 epochs at a κ of 8 %", ("behind", "behind", "level")),
        ("level from 100 epochs (", ("behind", "behind", "level")),
    ],
)
def test_learning_compression_is_level_where_its_figures_are(what, verdicts):
    for (ours, theirs), verdict in zip(read_errors(what).values(), verdicts, strict=True):
        far = abs(ours - theirs) > LEVEL_POINTS
        assert verdict == ("level" if not far else "ahead" if ours < theirs else "behind")


def test_learning_compression_is_said_to_be_level_of_these_cases_and_no_others():
    assert "ahead of projections in a box at 10 epochs, level at 30 and 5 points" in text.PENALTY
    assert text.PENALTY.count("level") == 3
    ours, theirs = read_errors("ρ = 0.1: ")[100]
    assert ours - theirs == pytest.approx(5)
    ours, theirs = map(float, re.search(r"\((\S+) against (\S+) at 100\)", text.PENALTY).groups())
    assert ours - theirs > LEVEL_POINTS  # a κ of 4 %: "not yet"
    more = [ours - theirs for ours, theirs in read_errors("ρ = 0.3: ").values()]
    assert (round(min(more)), round(max(more))) == (1, 3)  # "one to three points more"
