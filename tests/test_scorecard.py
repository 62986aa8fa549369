"""The scorecard's command, and what it gives to the benchmarks that it runs; none of them runs."""

import inspect
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks.reliability import BENCHMARKS, SUITES
from benchmarks.server import ROOT


@pytest.mark.parametrize("command", [["benchmarks.reliability"], ["benchmarks", "reliability"]])
def test_both_commands_read_their_arguments(command):
    run = subprocess.run(
        [sys.executable, "-m", *command, "nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 1
    assert "no benchmark named nothing: choose from" in run.stderr
    assert "reliability" in run.stderr


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_takes_what_the_scorecard_gives_it(name):
    signature = inspect.signature(import_module(f"benchmarks.{name}").rows)
    signature.bind(**BENCHMARKS[name])
    if "seed" in signature.parameters:  # None: the scorecard's own
        assert BENCHMARKS[name]["seed"] is None


@pytest.mark.parametrize("name", ["hostile_links", "hostile_models", "tables_scale"])
def test_hostile_links_models_and_tables_are_in_the_scorecard_with_its_seed(name):
    assert BENCHMARKS[name]["seed"] is None


def test_other_seeds_mutate_model_files_otherwise():
    from benchmarks.hostile_models import mutate

    found = [mutate(120, seed) for seed in (0, 0, 1, 2)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert all(other == 0 for other, _ in found)


def test_the_scorecard_s_suites_are_there():
    assert all((ROOT / path).exists() for paths in SUITES.values() for path in paths)


def test_benchmarks_keep_their_results_apart_until_they_end():
    code = "from benchmarks.__main__ import keep_results_apart; keep_results_apart(); "
    code += "from compression.studies.location import default_url; print(default_url())"
    own = {name: value for name, value in os.environ.items() if name != "COMPRESS_STORE"}

    def read_url(**settings):
        command = [sys.executable, "-c", code]
        run = subprocess.run(
            command, cwd=ROOT, env=own | settings, capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    url = read_url()
    assert url.startswith(f"sqlite:///{tempfile.gettempdir()}/compress_benchmarks_")
    assert not Path(url.removeprefix("sqlite:///")).parent.exists()
    assert read_url(COMPRESS_STORE="sqlite:////own.db") == "sqlite:////own.db"
