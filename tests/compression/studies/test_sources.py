"""What a seed chooses: split, initialisation and order of rows, all of them or one alone."""

import numpy as np
import pytest
from scipy import stats

import compression
import data
from compression import studies
from compression.errors import ArgumentError
from compression.studies.specification import SOURCES, read_study
from compression.studies.store import identify

CURVES = (
    studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [2], "epochs": 1}),
    studies.Curves("baseline", {"method": "smaller_network", "knobs": [0.3], "epochs": 1}),
)


def study_of(*vary, seeds=(0, 1), curves=CURVES):
    return studies.Study("sources", ("wine",), ("mlp",), seeds, curves, 1, vary=vary or SOURCES)


@pytest.mark.parametrize("source", SOURCES)
def test_one_source_varies_and_the_others_are_seed_zeros(source):
    store = studies.StudyStore("sqlite://")
    studies.run(study_of(source, curves=CURVES), store, studies.SerialExecutor())
    table = studies.table(store, "sources").set_index(["seed", "label"])
    chosen = dict.fromkeys(SOURCES, 0) | {source: 1}
    dataset = data.load("wine", seed=chosen["split"])
    reference = compression.train(
        dataset, seed=chosen["initialisation"], order=chosen["order"], epochs=1
    )
    curves = {
        "reference": None,
        "truncated_svd, epochs 1": compression.low_rank_curve(
            reference, dataset, "truncated_svd", [2], epochs=1
        ),
        "smaller_network, epochs 1": compression.baseline_curve(
            reference, dataset, "smaller_network", [0.3], epochs=1
        ),
    }
    for label, curve in curves.items():
        row = table.loc[(1, label)]
        if curve is None:
            assert row["score"] == reference.score
        else:
            assert row["test_loss"] == curve.table["test_loss"][0]
        assert row["test_loss"] != table.loc[(0, label), "test_loss"]
        assert row["split"] == chosen["split"]


def test_a_source_of_its_own_changes_the_network_and_seeds_are_the_default():
    dataset = data.load("wine", seed=0)

    def weight(**seeds):
        return compression.train(dataset, epochs=1, **seeds).network[0].weight.detach().numpy()

    plain = weight(seed=3)
    np.testing.assert_array_equal(plain, weight(seed=3, order=3))
    assert np.abs(plain - weight(seed=3, order=4)).max() > 0
    assert np.abs(plain - weight(seed=4, order=3)).max() > 0.01
    with pytest.raises(ArgumentError, match="seed -1 is not possible"):
        weight(order=-1)


def test_what_varies_is_told_apart_by_keys_and_what_stores_know_keeps_its_own():
    plain = list(study_of().references())
    assert [set(each) for each in plain] == [
        {"stage", "dataset", "content", "model", "seed", "epochs", "version"}
    ] * 2
    keys = {
        each: [identify(reference) for reference in study_of(each).references()] for each in SOURCES
    }
    first = identify(plain[0])  # seed 0 is the same, whatever varies: one fit serves all
    assert {each[0] for each in keys.values()} == {first}
    assert len({each[1] for each in keys.values()} | {identify(plain[1])}) == 4


def test_seeds_of_one_split_are_independent_and_their_interval_is_students():
    store = studies.StudyStore("sqlite://")
    studies.run(
        study_of("initialisation", "order", seeds=(0, 1, 2)), store, studies.SerialExecutor()
    )
    rows = studies.table(store, "sources")
    (line,) = (
        studies.changes_at_shares(rows, [1.0]).query("label == 'smaller_network, epochs 1'")
    ).to_dict("records")
    own = rows[rows["label"] == line["label"]]
    expected = stats.ttest_1samp(own["score"] - own["reference_score"], 0)
    interval = expected.confidence_interval(0.95)
    assert (line["low"], line["high"]) == pytest.approx((interval.low, interval.high))
    rows["split"] = rows["seed"]  # as if each had its own: wider by the rows that they share
    (wider,) = (
        studies.changes_at_shares(rows, [1.0]).query("label == 'smaller_network, epochs 1'")
    ).to_dict("records")
    assert wider["high"] - wider["low"] > 1.2 * (line["high"] - line["low"]) > 0


def test_a_text_says_what_varies():
    text = 'name = "s"\ndatasets = ["iris"]\nmodels = ["mlp"]\nseeds = 2\nvary = ["order"]\n'
    text += '[[curves]]\nfamily = "baseline"\nmethod = "rounding"\n'
    assert read_study(text).vary == ("order",)
    for bad in ('["orders"]', "[]", '["order", "order"]'):
        with pytest.raises(ArgumentError, match="choose of split, initialisation, order"):
            read_study(text.replace('["order"]', bad))
