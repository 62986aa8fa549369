"""A study on Dask: workers come, go and lose what they hold."""

import asyncio
import ctypes
import os
import resource
import signal
import time
from concurrent.futures import CancelledError
from threading import Thread
from types import SimpleNamespace

import dask
import distributed
import numpy as np
import pytest

import compression
from compression import studies
from compression.studies.study_store import StudyStore

from .test_driver import STUDY, assert_same_table, run


def test_a_dask_cluster_that_gives_up_a_worker_gives_the_same_table(url, monkeypatch):
    """Workers are threads here, which costs less than processes; they are not counted each fit."""
    retired, counts, count = [], [], distributed.Client.nthreads

    def note_count(client):
        counts.append(time.monotonic())
        return count(client)

    monkeypatch.setattr(distributed.Client, "nthreads", note_count)
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:

        def retire_one(progress):
            if progress.done and not retired:
                retired.append(cluster.workers[0].address)
                client.retire_workers(retired)
            return True

        with (
            distributed.Client(cluster) as client,
            studies.DaskExecutor(cluster.scheduler_address) as executor,
        ):
            assert executor.workers == 2
            progress = studies.run(STUDY, url, executor, report=retire_one)
            assert retired[0] not in client.scheduler_info(n_workers=-1)["workers"]
    assert (progress.done, progress.failed) == (6, 0)
    assert np.all(np.diff(counts) >= 1)
    run(whole := StudyStore("sqlite://"))
    assert_same_table(StudyStore(url), whole)


def test_a_dask_worker_that_is_killed_in_mid_study_changes_nothing(tmp_path):
    """Workers are processes. Dask gives its fits up at once, so that the driver has them again."""
    killed = []
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
    ):

        def kill_one(progress):
            busy = [worker for worker, keys in client.processing().items() if keys]
            if progress.done and busy and not killed:
                killed.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
                os.kill(killed[0], signal.SIGKILL)
            return True

        with (
            distributed.Client(cluster) as client,
            studies.DaskExecutor(cluster.scheduler_address) as executor,
        ):
            store = StudyStore(f"sqlite:///{tmp_path / 'studies.db'}")
            progress = studies.run(STUDY, store, executor, report=kill_one)
            assert killed[0] not in client.run(os.getpid).values()
    assert (progress.done, progress.failed) == (6, 0)
    run(whole := StudyStore("sqlite://"))
    assert_same_table(store, whole)


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "mallopt"), reason="glibc's malloc only")
def test_a_dask_worker_keeps_the_memory_of_arrays_that_it_frees():
    """Dask's own workers do not: fits took 1.6 times as long."""

    def count_page_faults() -> int:
        """Of filling an array of 1 MB 100 times: 256 each where its memory is not kept."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            np.ones(2**17)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        studies.DaskExecutor(cluster.scheduler_address) as executor,
    ):
        assert client.submit(count_page_faults, pure=False).result() > 10_000
        assert executor.submit(count_page_faults).result() < 2_560


class StandInClient:
    """Dask's client: each result is lost once before it comes, in a way that the error says."""

    def __init__(self, error, status="running"):
        self.error, self.status, self.lost, self.loop = error, status, 0, self

    def submit(self, function, *arguments, pure):
        assert pure is False  # Dask would take a fit that is tried again for the lost one
        return SimpleNamespace(status="pending", make=lambda: function(*arguments))

    def add_callback(self, function, *arguments):
        thread = Thread(
            target=asyncio.run, args=(function(*arguments),)
        )  # browsers have a loop here
        thread.start()
        thread.join()

    def nthreads(self):
        return {"here": 1}

    async def gather(self, remote, asynchronous):
        if self.lost < 3:
            self.lost += 1
            raise self.error
        return remote.make()


@pytest.mark.parametrize("error", [CancelledError("already forgotten"), AttributeError("None")])
def test_a_result_that_is_lost_with_its_dask_worker_is_computed_again(monkeypatch, error):
    """Dask's own executor would leave its future pending: the study waited for ever."""
    store = StudyStore("sqlite://")
    client = StandInClient(error)
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: client)
    progress = run(store, studies.DaskExecutor("tcp://somewhere"))
    assert (progress.done, progress.failed, client.lost) == (6, 0, 3)


def test_a_dask_client_that_is_gone_ends_the_study(monkeypatch):
    store = StudyStore("sqlite://")
    client = StandInClient(CancelledError(), "closed")
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: client)
    with pytest.raises(compression.CompressionError, match="run the study again"):
        run(store, studies.DaskExecutor("tcp://somewhere"))
    assert not store.list_done("small")


def test_where_no_scheduler_answers_a_sentence_says_so(monkeypatch):
    monkeypatch.setattr("compression.studies.executors.CONNECT_SECONDS", 0.5)
    with pytest.raises(compression.CompressionError, match="no Dask scheduler answers at tcp"):
        studies.DaskExecutor("tcp://127.0.0.1:1")
    with pytest.raises(compression.CompressionError, match="no Dask scheduler answers at nonsense"):
        studies.DaskExecutor("nonsense")
