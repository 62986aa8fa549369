"""What other tools are given of a study is what they give back, to the last digit."""

import json
import math
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import mlflow
import numpy as np
import optuna
import optuna_dashboard
import pandas as pd
import pytest

from compression.errors import CompressionError
from compression.studies import export_mlflow, export_optuna, export_parquet
from compression.studies.store import NUMBERS


@pytest.fixture
def table():
    """Two curves of two seeds: one with whole knobs, one without; numbers of every size."""
    random, found = np.random.default_rng(0), []
    for seed in range(2):
        for family, label, knobs in (
            ("reference", "reference", [math.nan]),
            ("low_rank", "truncated_svd", [1.0, 2.0, 4.0]),
            ("constrained", "box", [0.1, 0.30000000000000004]),
        ):
            for position, knob in enumerate(knobs):
                numbers = dict(zip(NUMBERS, random.normal(size=len(NUMBERS)), strict=True))
                numbers |= {"knob": knob, "bytes": 1000.0 + position, "rank": math.nan}
                found.append(("iris", "mlp", seed, 0, seed, family, label, *numbers.values()))
    return pd.DataFrame(
        found, columns=["dataset", "model", "seed", "fold", "split", "family", "label", *NUMBERS]
    )


def test_parquet_gives_the_same_table_and_says_what_it_was(table, tmp_path):
    export_parquet(table, tmp_path / "study.parquet", '{"name": "small"}')
    back = pd.read_parquet(tmp_path / "study.parquet")
    assert back.attrs == {"study": '{"name": "small"}'}
    pd.testing.assert_frame_equal(back, table, check_exact=True)
    assert table.attrs == {}


def test_mlflow_gives_the_same_numbers_and_nothing_is_there_twice(table, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "runs").as_uri()
    assert export_mlflow(table, uri, "small") == 6 + 1
    assert export_mlflow(table, uri, "small") == 0
    client = mlflow.tracking.MlflowClient(uri)
    experiment = client.get_experiment_by_name("small").experiment_id
    runs = {run.info.run_name: run for run in client.search_runs([experiment])}
    for (seed, label), rows in table.groupby(["seed", "label"]):
        run = runs[f"{label}: iris, mlp, seed {seed}"]
        assert run.data.params["label"] == label
        knobs = label == "truncated_svd"
        assert run.data.tags["step"] == ("knob" if knobs else "position")
        for name in NUMBERS:
            history = client.get_metric_history(run.info.run_id, name)
            wanted = rows[name].dropna()
            steps = wanted.index - rows.index[0] if not knobs else rows.loc[wanted.index, "knob"]
            assert {each.step: each.value for each in history} == dict(
                zip(steps.astype(int), wanted, strict=True)
            )
    kept = client.download_artifacts(runs["table"].info.run_id, "study.parquet", str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_parquet(kept), table, check_exact=True)
    report = "<p>– what was found</p>"
    assert export_mlflow(table, uri, "small", report) == 1  # beside the table, which has none yet
    assert export_mlflow(table, uri, "small", report) == 0
    (whole,) = client.search_runs([experiment], "attributes.run_name = 'table'")
    page = client.download_artifacts(whole.info.run_id, "report.html", str(tmp_path))
    assert Path(page).read_text(encoding="utf-8") == report
    kept = client.download_artifacts(whole.info.run_id, "study.parquet", str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_parquet(kept), table, check_exact=True)
    table.loc[table["seed"] == 1, "score"] += 1
    assert export_mlflow(table, uri, "small") == 3 + 1
    assert len(client.search_runs([experiment])) == 6 + 1


def test_optuna_gives_the_same_numbers_and_a_front_on_validation(table, tmp_path):
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    assert export_optuna(table, url, "small") == len(table)
    assert export_optuna(table, url, "small") == 0
    study = optuna.load_study(study_name="small: iris, mlp", storage=url)
    assert [each.name for each in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    back = pd.DataFrame([trial.user_attrs for trial in study.trials])
    pd.testing.assert_frame_equal(
        back.reindex(columns=table.columns).astype(table.dtypes),
        table,
        check_dtype=False,
        check_exact=True,
    )
    for trial, row in zip(study.trials, table.to_dict("records"), strict=True):
        assert trial.state.is_finished()
        assert trial.values == [row["bytes"], row["validation_score"]]
        assert trial.params["curve"] == row["label"]
        assert repr(trial.params.get("knob", math.nan)) == repr(float(row["knob"]))
    table.loc[0, "score"] += 1
    assert export_optuna(table, url, "small") == len(table)
    assert len(optuna.load_study(study_name="small: iris, mlp", storage=url).trials) == len(table)


def test_the_trials_that_optuna_calls_best_are_the_rows_that_no_other_dominates(table, tmp_path):
    table["validation_score"] = table["validation_score"].round(1)  # ties too
    table.loc[7] = table.loc[1]  # two rows that are as good as each other
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    export_optuna(table, url, "small")
    best = optuna.load_study(study_name="small: iris, mlp", storage=url).best_trials
    costs, scores = table["bytes"].to_numpy(), table["validation_score"].to_numpy()
    front = [
        place
        for place, (cost, score) in enumerate(zip(costs, scores, strict=True))
        if not np.any((costs <= cost) & (scores >= score) & ((costs < cost) | (scores > score)))
    ]
    assert 0 < len(front) < len(table)
    assert sorted(trial.number for trial in best) == front


def test_optunas_front_and_parallel_coordinates_have_a_trial_a_row(table, tmp_path):
    """References too: they have no knob, which is a value of its own there."""
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    export_optuna(table, url, "small")
    study = optuna.load_study(study_name="small: iris, mlp", storage=url)
    front = optuna.visualization.plot_pareto_front(study)
    points = [point for trace in front.data for point in zip(trace.x, trace.y, strict=True)]
    rows = zip(table["bytes"], table["validation_score"], strict=True)
    assert sorted(points) == sorted(rows)
    drawn = optuna.visualization.plot_parallel_coordinate(study).data
    lines = [dict(each.customdata) for each in drawn if each.mode == "lines"]
    assert {"curve", "fold", "knob", "seed"} < set(lines[0])
    shown = sorted((each["curve"], each["knob"], each["seed"]) for each in lines)
    knobs = ["None" if math.isnan(knob) else f"{knob:.3g}" for knob in table["knob"]]
    assert shown == sorted(zip(table["label"], knobs, table["seed"].astype(str), strict=True))


def test_optuna_dashboard_has_the_objectives_the_front_and_the_axes(table, tmp_path):
    """What its Pareto front and its parallel coordinates are drawn from."""
    url = f"sqlite:///{tmp_path / 'optuna.db'}"
    export_optuna(table, url, "small")
    storage = optuna.storages.RDBStorage(url)
    dashboard = optuna_dashboard.wsgi(storage)
    (listed,) = ask(dashboard, "/api/studies")["study_summaries"]
    shown = ask(dashboard, f"/api/studies/{listed['study_id']}")
    assert shown["name"] == "small: iris, mlp"
    assert shown["directions"] == ["minimize", "maximize"]
    assert shown["objective_names"] == ["bytes", "validation score"]
    assert {each["name"] for each in shown["union_search_space"]} == {
        *("curve", "fold", "knob", "seed")
    }
    rows = zip(table["bytes"], table["validation_score"], strict=True)
    assert [tuple(trial["values"]) for trial in shown["trials"]] == list(rows)
    best = optuna.load_study(study_name=shown["name"], storage=url).best_trials
    assert {each["number"] for each in shown["best_trials"]} == {each.number for each in best}


def ask(application, path):
    """What a web application answers to a path, from JSON."""
    environment = {"PATH_INFO": path}
    setup_testing_defaults(environment)
    said = []
    body = b"".join(
        application(environment, lambda status, headers, error=None: said.append(status))
    )
    assert said == ["200 OK"]
    return json.loads(body)


@pytest.mark.parametrize(
    ("export", "where", "said"),
    [
        (export_optuna, "sqlite:////proc/no/such.db", "Optuna says no"),
        (export_mlflow, "nosuch://x", "MLflow says no"),
    ],
)
def test_a_place_that_takes_nothing_is_a_sentence(table, export, where, said):
    with pytest.raises(CompressionError, match=said):
        export(table, where, "small")


@pytest.mark.parametrize(
    ("export", "package"), [(export_mlflow, "mlflow"), (export_optuna, "optuna")]
)
def test_a_missing_package_is_named_with_its_version(table, export, package, monkeypatch):
    for module in (package, f"{package}.entities"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(CompressionError, match=rf"pip install {package}\S*==\d"):
        export(table, "sqlite:///x.db", "small")
