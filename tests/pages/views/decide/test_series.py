"""The page's candidates: what its worker hands over, names and links."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import promise
from compression import (
    BASELINES,
    COMBINED_METHODS,
    CONSTRAINTS,
    LOW_RANK_METHODS,
    storage,
)
from compression.latency import REFERENCE, RankLatencies
from data import load
from pages.shared import jobs, links
from pages.shared.models import tasks as work
from pages.shared.models.requests import EQUAL_EPOCHS
from pages.shared.plots.palette import CONSTRAINED, style
from pages.views.decide.candidates import add_latency, stack_rows
from pages.views.decide.series import (
    LAST,
    QUICK,
    is_series_due,
    is_unasked,
    list_possible_series,
    submit_series,
)
from pages.views.decide.tasks import DENSE
from tests.pages.views.decide.examples import EPOCHS, IN_FEW_BITS, SERIES, go_on, with_copy


def accuracy(file, part="test"):
    import torch

    dataset = load("iris", seed=0)
    x, y = dataset.x_test, dataset.y_test
    if part == "validation":
        rows = dataset.validation_rows
        x, y = dataset.x_train[rows], dataset.y_train[rows]
    with torch.inference_mode():
        outputs = storage.from_bytes(file)(torch.from_numpy(x))
    return float(np.mean(outputs.argmax(1).numpy() == y))


NEW = (
    "fine_tuned",
    "budgets",
    "refit",
    "quantized",
    "low_rank_then_constrained",
)


@pytest.mark.parametrize("name", NEW)
def test_every_row_of_the_page_s_own_jobs_is_what_its_file_is_worth(results, name):
    found = results[name]
    assert len(found.files) == len(found.table)
    for row in (0, len(found.table) - 1):
        line = found.table.iloc[row]
        assert len(found.files[row]) == line["bytes"]
        assert accuracy(found.files[row]) == line["score"]
        assert accuracy(found.files[row], "validation") == line["validation_score"]


def test_a_tuned_rank_s_file_is_worth_what_its_row_says(trained, results):
    for _, line in results["truncated_svd_tuned"].table.iterrows():
        file = work.low_rank_file(
            go_on, trained.origin, ("truncated_svd", None), int(line["knob"]), epochs=EPOCHS
        )
        assert len(file) == line["bytes"]
        assert accuracy(file) == line["score"]
        assert accuracy(file, "validation") == line["validation_score"]


def test_every_choice_has_a_name_of_its_own_and_none_is_the_reference(table):
    assert table["id"].is_unique
    assert (table["series"] == "reference").sum() == 1
    costs = ["bytes", "parameters", "macs", "validation_score", "score"]
    same = (table[costs] == table.iloc[0][costs]).all(axis=1)
    assert table.loc[same, "family"].eq("baseline").all()


def test_a_choice_leads_to_where_its_row_is(results, table):
    for _, line in table[table["series"].isin(["truncated_svd", "box"])].iterrows():
        row = results[line["series"]].table.iloc[line["place"]]
        knob = "rank" if line["series"] == "truncated_svd" else "bound"
        assert line["link"].query[knob] == row["knob"]
        assert line["link"].page == "pages/compare.py"
        assert line["bytes"] == row["bytes"]
    combined = table.loc[table["family"] == "combined", "link"]
    assert {link.page for link in combined} == {"pages/combine.py"}


def test_latency_counts_macs_as_the_factors_do_and_knows_what_runs_dense(trained, measured):
    rows, columns = trained.layers[0].shape
    ranks = measured.ranks.drop_duplicates("rank").set_index("rank")["counted"]
    assert list(ranks.index) == [1]  # 1 · 7 < 12, 2 · 7 > 12
    assert ranks[1] == pytest.approx(rows * columns / (rows + columns))
    assert {(1, "counted"), (256, "measured")} <= set(measured.break_even)
    assert measured.break_even[1, "counted"] == 1
    assert set(measured.table["model"]) == {REFERENCE, DENSE, "rank 1"}


def test_a_choice_takes_the_time_of_what_it_runs_as(table):
    seconds = {REFERENCE: (3e-6, 1, 1), DENSE: (3.1e-6, 0.9, 1.05), "rank 1": (2e-6, 1.4, 1.6)}
    lines = [
        {
            "model": name,
            "batch": batch,
            "latency": time * batch,
            "ratio_low": low,
            "ratio_high": high,
        }
        for name, (time, low, high) in seconds.items()
        for batch in (1, 256)
    ]
    timed = add_latency(table, RankLatencies(pd.DataFrame(lines), pd.DataFrame(), {}))
    of = timed.set_index("id")["latency_1"]
    assert of["reference: as trained"] == pytest.approx(3e-3)
    assert of["truncated_svd: rank 1"] == pytest.approx(2e-3)
    # A constrained network's ratio may be 1: its time is the reference's, not noise around it.
    for family, expected in (("constrained", 3e-3), ("combined", 2e-3)):
        own = timed[(timed["family"] == family) & ~timed["id"].str.contains("rank [23]")]
        assert np.allclose(own["latency_1"], expected)
    assert np.allclose(timed["latency_256"], 256 * timed["latency_1"], equal_nan=True)


def test_every_series_has_a_style_and_a_title_of_its_own():
    styles = {(series.style.colour, series.style.symbol) for series in SERIES.values()}
    assert len(styles) == len(SERIES)
    titles = {series.title for series in SERIES.values()}
    assert len(titles) == len(SERIES)
    assert not any("," in title for title in titles)
    assert SERIES["box"].style.colour == CONSTRAINED


def test_a_new_low_rank_method_has_a_title_a_spare_style_and_links(monkeypatch, results):
    new = with_copy(monkeypatch, "LOW_RANK_METHODS", "truncated_svd", title="A new method")
    assert (new.title, new.style) == ("A new method", style("low_rank", "new"))
    choices = new.list_choices(results["truncated_svd"])
    assert choices[1].text == choices[1].architecture == "rank 2"
    assert choices[1].link == links.to_compare(method="new", rank=2)


def test_a_new_set_has_a_title_a_spare_style_a_letter_and_links(monkeypatch, box):
    new = with_copy(monkeypatch, "CONSTRAINTS", "cardinality", title="A new set", knob="size z")
    assert (new.title, new.style) == ("A new set", style("constraint", "new"))
    bound = box.table["knob"][3]
    choice = new.list_choices(box)[3]
    assert (choice.text, choice.architecture) == (f"z = {bound:.3g}", DENSE)
    assert choice.link == links.to_compare(constraint="new", bound=bound)


def test_a_new_combined_method_has_a_title_a_spare_style_and_links(monkeypatch, results):
    curve = results["low_rank_then_constrained"]
    rank, bound = int(curve.table["rank"][2]), curve.table["bound"][2]
    entries = ("low_rank_then_constrained", "low_rank_plus_sparse")
    texts = f"rank {rank}, ρ = {bound:g}", f"rank {rank} + {100 * bound:g} % sparse"
    for name, text, chosen in zip(entries, texts, ("box", None), strict=True):
        new = with_copy(monkeypatch, "COMBINED_METHODS", name, title="Both, but new")
        assert (new.title, new.style) == ("Both but new", style("combined", "new"))
        choice = new.list_choices(curve)[2]
        assert choice.text == text
        assert choice.link == links.to_combine(
            method="new", constraint=chosen, epochs=EPOCHS, rank=rank, bound=bound
        )


@pytest.mark.parametrize("name", IN_FEW_BITS)
def test_a_row_in_few_bits_names_them_and_opens_its_page(everyone, name):
    trained, table = everyone
    rows = table[table["series"] == name]
    assert len(rows)
    assert rows["choice"].str.fullmatch(r".*, \d bits").all()
    assert rows["choice"].is_unique
    combined = SERIES[name].family == "combined"
    page = "pages/combine.py" if combined else "pages/compare.py"
    assert {link.page for link in rows["link"]} == {page}
    if not combined:
        assert {link.query["baselines"] for link in rows["link"]} == {"few_bits"}
    # The best bits at each size: a longer file is there because it scores better.
    ordered = rows.sort_values(["bytes", "validation_score"])
    assert ordered["validation_score"].is_monotonic_increasing
    job = SERIES[name].submit(trained)
    for place in rows["place"]:
        line = job.result.table.iloc[int(place)]
        file = SERIES[name].model_file(trained, job.result, int(place))()
        assert len(file) == line["bytes"]
        assert accuracy(file) == line["score"]
        assert accuracy(file, "validation") == line["validation_score"]
        optimum = trained.convex and name.startswith("cardinality")  # solved, not trained
        assert line["epochs"] == (5 if optimum else 10)


def test_all_that_is_trained_on_has_equal_epochs_unless_bounds_are_met_as_a_path(everyone):
    trained, table = everyone
    # A network from scratch has epochs of its own, a baseline or few bits ten.
    own = table["series"].isin([*BASELINES, "reference", *IN_FEW_BITS])
    beside = {EQUAL_EPOCHS} if trained.convex else set()  # other ways than the optimum
    assert set(table.loc[~own, "epochs"]) <= {0, EPOCHS} | beside
    found = {one.name: one for one in list_possible_series(trained, path=True)}
    job = found["box"].submit(trained)
    assert job.wait(60)
    count = len(job.result.table)
    path = range(3 * count, 0, -3)
    assert job.result.table["epochs"].tolist() == ([0] * count if trained.convex else [*path])
    links = [choice.link for choice in found["box"].list_choices(job.result)]
    assert {link.page for link in links} == {"pages/compare.py"}
    boxes = {link.page for link in table.loc[table["series"] == "box", "link"]}
    assert boxes == {"pages/compare.py" if trained.convex else "pages/constrained.py"}


def test_rows_of_the_curves_are_stacked_as_the_candidates_are(results, table):
    curves = {SERIES[name]: curve for name, curve in results.items()}
    gains, predictions = (stack_rows(table, curves, name) for name in ("gains", "predictions"))
    change = table["validation_score"] - table["validation_score"].iloc[0]
    np.testing.assert_allclose(gains.mean(axis=1), change, atol=1e-12)
    target = load("iris", seed=0).y_test
    np.testing.assert_allclose((predictions[1:] == target).mean(axis=1), table["score"][1:])


def test_few_bits_of_a_low_rank_and_of_a_count_are_asked_for_last_of_all(monkeypatch, trained):
    """One at a time, when everything else that is computed unasked is over."""
    known = {}

    def submit(task, *arguments, **named):
        key = task, arguments, *named.items()
        return known.setdefault(key, SimpleNamespace(pending=True, result=None))

    monkeypatch.setattr(jobs, "submit", submit)
    rounds = []
    while True:
        found = submit_series(trained, [])
        before = {name for names in rounds for name in names}
        rounds.append([one.name for one in found if one.name not in before])
        assert not is_series_due(trained, found)  # what was asked for is still going on
        for job in found.values():
            job.pending = False
        if not is_series_due(trained, found):
            break
    assert set(rounds[0]) == {*QUICK}
    assert rounds[-2:] == [[name] for name in LAST]
    unasked = {one.name for one in list_possible_series(trained) if is_unasked(one)}
    assert {name for names in rounds for name in names} == unasked
    assert set(LAST) <= {f"{name}_few_bits" for name in (*LOW_RANK_METHODS, "cardinality")}


def test_every_method_set_and_combination_can_be_had_in_few_bits():
    families = *LOW_RANK_METHODS, *CONSTRAINTS, *COMBINED_METHODS
    assert {f"{name}_few_bits" for name in families} <= set(SERIES)
    of_sets = {f"{name}_few_bits" for name in ("box", "upper", "l1", "l2", "cardinality")}
    assert of_sets <= set(SERIES)


def test_shared_bytes_have_the_best_rule_first_of_every_budget(everyone):
    """Where other rules share the bytes alike, its row is the one that stays."""
    trained, candidates = everyone
    job = SERIES["budgets"].submit(trained)
    assert job.wait(60)
    table = job.result.table
    first = table.groupby("knob", sort=False)["rule"].first()
    assert set(first) == {"best"}
    assert len(first) == (1 if trained.convex else 10)
    shown = candidates[candidates["series"] == "budgets"]
    costs = ["bytes", "parameters", "macs", "validation_score", "score"]
    reference = candidates.iloc[0]
    for _, line in table[table["rule"] == "best"].iterrows():
        same = (shown[costs] == line[costs]).all(axis=1)
        assert same.any() or (line[costs] == reference[costs]).all()


def test_no_promise_at_all_is_no_promise_kept():
    lucky = promise.PromiseOutcome(naive=0.0, corrected=0.0, promised=float("nan"))
    *_, together = promise.judge({"wine:mlp": [lucky, lucky]})
    assert together.measured.startswith("0 of 0")
    assert together.met is False
    kept = promise.PromiseOutcome(naive=0.0, corrected=0.0, promised=-0.005)
    *_, together = promise.judge({"wine:mlp": [kept]})
    assert together.met is True


def test_a_promise_is_measured_on_what_the_page_computes_unasked(everyone):
    trained, table = everyone
    found, gains = promise.list_unasked(trained)
    unasked = table["series"].isin([*QUICK, *BASELINES, *LAST])
    expected = table[unasked & (table["bytes"] < trained.bytes)]
    assert sorted(found["id"]) == sorted(expected["id"])
    change = found["validation_score"] - table["validation_score"].iloc[0]
    np.testing.assert_allclose(gains.mean(axis=1), change.astype(float), atol=1e-9)
