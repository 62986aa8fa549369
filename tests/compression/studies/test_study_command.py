"""``python -m compression study``: run, paused, resumed, looked at and exported from a shell."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from distributed import LocalCluster

import compression
from compression import studies
from compression.command_line.parser import main
from compression.studies import StudyStore, fit, read_study
from compression.studies.store import LEASES

from .test_driver import Inline

TEXT = """
name = "small"
datasets = ["iris"]
models = ["softmax_regression"]
seeds = 2
epochs = 3
[[curves]]
family = "low_rank"
method = "truncated_svd"
ranks = [1, 2]
[[curves]]
family = "low_rank"
method = "truncated_svd"
ranks = [99]
name = "too large"
"""


@pytest.fixture
def call(url, tmp_path, monkeypatch, capsys):
    """Run the command in a folder with the study's file; its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMPRESS_STORE", url)
    (tmp_path / "small.toml").write_text(TEXT)

    def run(*words):
        code = main(["study", *words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def whole(call, url):
    """The study is kept, computed in this process."""
    studies.run(read_study(TEXT), url, studies.SerialExecutor())


def test_ctrl_c_pauses_a_study_and_resume_goes_on(call, url, monkeypatch):
    put_each = StudyStore.put_each

    def put_and_interrupt(store, fits):
        put_each(store, fits)
        monkeypatch.setattr(StudyStore, "put_each", put_each)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(StudyStore, "put_each", put_and_interrupt)
    before = signal.getsignal(signal.SIGINT)
    code, _, said = call("run", "small.toml", "--workers", "1")
    assert code == 3
    assert "pausing" in said
    assert "resume 'small'" in said
    assert signal.getsignal(signal.SIGINT) is before
    done = len(StudyStore(url).list_done("small"))
    assert 1 <= done < 6

    code, out, said = call("resume", "small", "--workers", "1", "--json")
    assert code == 1  # the ranks that cannot be
    assert json.loads(out) == {"study": "small", "fits": 6, "done": 6, "failed": 2}
    assert f"small: {done} of 6" in said
    assert "2 failed" in said


SLOW = """
name = "slow"
datasets = ["iris"]
models = ["mlp"]
seeds = [0, 1]
epochs = 2
[[curves]]
family = "low_rank"
method = "truncated_svd"
epochs = 100000
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_second_signal_ends_a_study_at_once_and_what_is_kept_stays(tmp_path, number):
    """The references are quick; each curve would train for an hour."""
    (tmp_path / "slow.toml").write_text(SLOW)
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    words = ["study", "run", str(tmp_path / "slow.toml"), "--store", url, "--workers", "2"]
    store = StudyStore(url)
    command = subprocess.Popen(
        [sys.executable, "-m", "compression", *words],
        cwd=Path(compression.__file__).parents[1],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: len(store.list_done("slow")) == 2 and count_pending(store) == 2)
        command.send_signal(number)
        assert any("pausing" in line for line in command.stderr)
        time.sleep(1)
        assert command.poll() is None  # it waits for what is in flight
        command.send_signal(number)
        began = time.monotonic()
        said = command.communicate(timeout=60)[1]
        assert time.monotonic() - began < 10
    finally:
        command.kill()
    assert command.returncode == 2
    assert said.splitlines()[-1] == "stopped"
    assert "Traceback" not in said
    assert store.list_studies()["done"].tolist() == [2]
    assert not store.read(LEASES.select())


def count_pending(store):
    """Fits that a driver has leased and that are not over."""
    return len({row.fit for row in store.read(LEASES.select())} - store.list_done("slow"))


def wait_until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_run_says_what_it_will_take_and_then_what_is_left(call, tmp_path, monkeypatch):
    """With a computer that takes 40 s a fit, by its word, and two fits at a time."""
    monkeypatch.setattr(
        "compression.studies.driver.LocalProcesses", lambda workers: Inline(take_forty_seconds)
    )
    code, _, said = call("run", "small.toml", "--workers", "2")
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith("small: 6 fits to compute; how long is not known yet")
    assert lines[1] == "small: 0 of 6"
    assert "small: 2 of 6, about 80 s left" in lines
    assert "small: 5 of 6, about 20 s left" in lines
    assert lines[-1] == "small: 6 of 6"
    text = TEXT.replace("seeds = 2", "seeds = [0, 1, 2, 3]").replace('"small"', '"larger"')
    (tmp_path / "larger.toml").write_text(text)
    said = call("run", "larger.toml", "--workers", "2")[2]
    expected = "larger: 6 fits to compute, about 4 min of one core, as fits like them took here"
    assert said.splitlines()[0] == expected


def take_forty_seconds(request, *rest):
    return fit.FitOutcome(pd.DataFrame([{"bytes": 1.0, "score": 1.0}]), b"", "", 40.0)


def test_status_lists_studies_and_says_why_fits_failed(call, whole):
    code, out, _ = call("status")
    assert code == 0
    assert out.splitlines()[1].split()[:4] == ["small", "6", "6", "2"]
    _, out, _ = call("status", "small.toml", "--json")
    facts = json.loads(out)
    assert (facts["done"], facts["failed"]) == (6, 2)
    assert {each["label"] for each in facts["failures"]} == {"too large"}
    assert "rank 99 is not possible" in facts["failures"][0]["sentence"]


def test_failed_fits_are_tried_again_on_request_alone(call, whole, monkeypatch):
    asked = []

    class Counting(studies.SerialExecutor):
        def submit(self, function, request, *rest):
            asked.append(request)
            return super().submit(function, request, *rest)

    monkeypatch.setattr("compression.studies.driver.LocalProcesses", lambda workers: Counting())
    assert call("run", "small.toml")[0] == 1
    assert not asked
    assert call("run", "small.toml", "--retry-failed")[0] == 1
    assert [each["settings"]["ranks"] for each in asked] == [[99], [99]]


def test_export_writes_the_table(call, url, whole, tmp_path):
    code, out, _ = call(
        *("export", "small", "--parquet", "out.parquet", "--report", "out.html"),
        *("--optuna", "sqlite:///optuna.db"),
    )
    assert code == 0
    assert "out.parquet: 6 rows" in out
    assert "rank 99 is not possible" in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "Optuna: 6 new trials" in out
    table = studies.table(url, "small")
    back = pd.read_parquet("out.parquet")
    pd.testing.assert_frame_equal(back, table)
    assert json.loads(back.attrs["study"])["name"] == "small"


def test_export_writes_into_an_mlflow_database_and_adds_nothing_twice(call, url, whole, tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"  # MLflow keeps a database open by its URI
    words = ("export", "small", "--mlflow", uri, "--json")
    code, out, _ = call(*words)
    assert code == 0
    assert json.loads(out)["exported"] == ["MLflow: 5 new runs"]
    assert json.loads(call(*words)[1])["exported"] == ["MLflow: 0 new runs"]
    client = mlflow.tracking.MlflowClient(uri)
    experiment = client.get_experiment_by_name("small").experiment_id
    runs = {run.info.run_name: run.info.run_id for run in client.search_runs([experiment])}
    assert len(runs) == 5
    table = studies.table(url, "small")
    for seed, rows in table[table["label"] == "truncated_svd"].groupby("seed"):
        run = runs[f"truncated_svd: iris, softmax_regression, seed {seed}"]
        scores = {each.step: each.value for each in client.get_metric_history(run, "score")}
        assert scores == dict(zip(rows["knob"], rows["score"], strict=True))
    kept = client.download_artifacts(runs["table"], "", str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_parquet(f"{kept}/study.parquet"), table)
    assert "rank 99 is not possible" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_dask_computes_where_the_environment_names_its_scheduler(call, url, tmp_path, monkeypatch):
    def refuse(workers):
        raise AssertionError("processes of this machine were asked for")

    monkeypatch.setattr("compression.studies.driver.LocalProcesses", refuse)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        code, out, _ = call("run", "small.toml", "--dask", "--json")
    assert code == 1  # the ranks that cannot be
    assert json.loads(out) == {"study": "small", "fits": 6, "done": 6, "failed": 2}
    studies.run(read_study(TEXT), "sqlite:///here.db", studies.SerialExecutor())
    pd.testing.assert_frame_equal(
        studies.table(url, "small"), studies.table("sqlite:///here.db", "small")
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "nothing.toml"), "No such file"),
        (("run", "small"), "neither a TOML file nor a kept study"),
        (("status", "other"), "there are none yet"),
        (("status", "small.toml"), "has not been run yet"),
        (("export", "small.toml"), "no study named 'small'"),
        (("run", "small.toml", "--workers", "0"), "choose 1 or more"),
        (("run", "small.toml", "--dask"), "DASK_SCHEDULER_ADDRESS"),
        (("run", "small.toml", "--store", "mysql://x/y"), "choose sqlite"),
        (("run", "bad.toml"), "no TOML"),
        (("run", "bytes.toml"), "UTF-8"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2(call, tmp_path, monkeypatch, words, said):
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)
    (tmp_path / "bad.toml").write_text("name name")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_without_a_store_it_says_what_to_give(call, monkeypatch):
    monkeypatch.setenv("COMPRESS_STORE", "none")
    assert "--store URL" in call("status")[2]
