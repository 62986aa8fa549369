"""Who computes: how many processes there are, with how many threads, and what ends one fit only."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
import torch

from compression import studies
from compression.studies import fit
from compression.studies.specification import find_family
from compression.studies.study_store import StudyStore

from .test_driver import STUDY

ROOM = 256 * 2**20  # bytes that a process may take beyond those that it has
TOO_MUCH = 2**30  # float32: four times as many bytes


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_for_the_driver(monkeypatch, cores, workers):
    """Of those that this process may use: a container often has fewer than its machine."""
    monkeypatch.setattr("loky.cpu_count", lambda: cores)
    assert studies.LocalProcesses().workers == workers
    assert studies.LocalProcesses(3).workers == 3


WORK = """
import sys
from compression import studies
from compression.studies import fit
curve = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1]})
study = studies.Study("one", ("iris",), ("mlp",), (0,), (curve,), 1)
reference = next(study.references())
file = fit.compute(reference).content
assert not any(fit.compute(each, file).sentence for each in study.curve_requests(reference))
print(*sorted(name for name in sys.modules if name.endswith(("store", "driver", "sqlalchemy"))))
"""


def test_a_worker_computes_without_a_store():
    """Only the driver writes: what a worker runs does not so much as load a database's library."""
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {each for each in loaded if each.startswith(("compression", "sqlalchemy"))}, loaded


def count_threads():
    torch_alone = torch.get_num_threads()
    return {torch_alone, *(pool["num_threads"] for pool in threadpoolctl.threadpool_info())}


def test_a_process_has_one_thread_for_torch_and_one_for_blas(monkeypatch):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "2")  # of the driver: its workers have their own
    executor = studies.LocalProcesses(1)
    assert executor.submit(count_threads).result() == {1}


def test_a_fit_has_one_torch_thread_wherever_it_is_computed():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert fit.compute(next(STUDY.references())).sentence == ""
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def fill_memory(library):
    """Until the system refuses, as it does in a container; the limit is taken back."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, limits[1]))
    try:
        return library.ones(TOO_MUCH, dtype=library.float32)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def compute_in_little_memory(library, request, *arguments):
    """A fit in a worker, of which the curves of rank 1 take more memory than there is."""
    if request.get("settings", {}).get("ranks") != [1]:
        return fit.compute(request, *arguments)
    with pytest.MonkeyPatch.context() as patch:
        own = find_family(request["family"]).where.replace(":", ".")
        patch.setattr(own, lambda *arguments, **settings: fill_memory(library))
        return fit.compute(request, *arguments)


class Tight(studies.LocalProcesses):
    """One process with little memory."""

    def __init__(self, library):
        super().__init__(1)
        self.library = library

    def submit(self, function, /, *arguments):
        return super().submit(compute_in_little_memory, self.library, *arguments)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells what is taken")
@pytest.mark.parametrize("library", [np, torch], ids=["numpy", "torch"])
def test_a_fit_that_runs_out_of_memory_says_so_and_the_rest_goes_on(library):
    curves = [
        studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [k]}, name=f"{k}")
        for k in (1, 2)
    ]
    study = studies.Study("tight", STUDY.datasets, STUDY.models, (0,), tuple(curves), 1)
    store = StudyStore("sqlite://")
    progress = studies.run(study, store, Tight(library))
    assert (progress.done, progress.failed) == (3, 1)
    failed = studies.failures(store, "tight")
    assert failed["label"].tolist() == ["1"]
    assert failed["sentence"].tolist() == ["memory ran out: choose a smaller model or fewer rows"]
