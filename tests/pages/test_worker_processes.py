"""Worker processes that cannot be started, end or outlive: what a pool says of them and does."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from pages.shared.jobs import pool as pool_module
from pages.shared.jobs.pool import Pool
from tests.pages import tasks
from tests.pages.job_states import over, until

TASKS = "tests.pages.tasks"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def processes(monkeypatch):
    """Every worker process that is started from now on."""
    started = []

    class KeptProcess(pool_module.WorkerProcess):
        def __init__(self, warm_up):
            super().__init__(warm_up)
            started.append(self)

    monkeypatch.setattr(pool_module, "WorkerProcess", KeptProcess)
    return started


class NoProcess:
    """Stands for a process that the system has no memory or file handle for."""

    def __init__(self, warm_up):
        raise OSError(24, "Too many open files")


def test_a_pool_without_processes_says_so_and_works_again_when_there_are_some(
    monkeypatch, processes
):
    monkeypatch.setattr(pool_module, "FIRST_PAUSE", 0.05)
    real = pool_module.WorkerProcess
    monkeypatch.setattr(pool_module, "WorkerProcess", NoProcess)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    job = over(pool.submit(tasks.count, to=2, pause=0.0))
    assert (job.status, job.error) == ("failed", pool_module.NO_WORKER)
    assert not pool.health()["ok"]
    monkeypatch.setattr(pool_module, "WorkerProcess", real)
    until(lambda: pool.health()["processes"])
    job.retry()
    assert over(job).status == "done"
    health = pool.health()
    assert health["ok"]
    assert health["threads"] == 2
    # The same in the middle of its life: all are killed, and none can be had for a while.
    monkeypatch.setattr(pool_module, "WorkerProcess", NoProcess)
    for process in processes:
        process.kill()
    until(lambda: not any(process.is_alive() for process in processes))
    assert over(pool.submit(tasks.count, to=3, pause=0.0)).error == pool_module.NO_WORKER
    monkeypatch.setattr(pool_module, "WorkerProcess", real)
    until(lambda: pool.health()["ok"])
    assert over(pool.submit(tasks.count, to=4, pause=0.0)).status == "done"
    pool.close()


def test_a_job_says_what_it_waits_for_the_first_process_or_its_turn():
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    first, second = (pool.submit(tasks.count, to=to, pause=0.1) for to in (30, 31))
    assert first.message == second.message == pool_module.STARTING
    until(lambda: first.status == "running")
    assert (second.status, second.message) == ("waiting", "")
    pool.close()


class EndsWithTheApp:
    """Stands for a process that is ended, with the app, while it imports what it needs."""

    def __init__(self, warm_up):
        pass

    def wait_until_warm(self, is_closed):
        until(is_closed)
        raise EOFError

    def end(self):
        return "killed"


def test_a_worker_that_ends_with_the_app_is_no_error(monkeypatch, caplog):
    monkeypatch.setattr(pool_module, "WorkerProcess", EndsWithTheApp)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    pool.close()
    until(lambda: not pool.health()["threads"])
    assert not caplog.records


class NeverReady(EndsWithTheApp):
    """Stands for a process that imports for too long, on a machine where others are at work."""

    def wait_until_warm(self, is_closed):
        raise TimeoutError


def test_a_process_that_is_not_ready_in_time_is_called_slow(monkeypatch):
    monkeypatch.setattr(pool_module, "WorkerProcess", NeverReady)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    job = over(pool.submit(tasks.count, to=2, pause=0.0))
    assert (job.status, job.error) == ("failed", pool_module.TOO_SLOW)
    pool.close()


def test_a_process_that_does_not_start_leaves_no_file_open(monkeypatch):
    from loky.backend import get_context

    def start(self):
        raise MemoryError

    monkeypatch.setattr(get_context("loky").Process, "start", start)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(MemoryError):
            pool_module.WorkerProcess("")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_pool_ends_what_waits_and_what_runs(processes):
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    running, waiting = (pool.submit(tasks.sleep, seconds=s) for s in (60, 61))
    until(lambda: running.status == "running")
    assert any(process.is_alive() for process in processes)
    pool.close()
    for job in (running, waiting, pool.submit(tasks.sleep, seconds=62)):
        assert over(job).error.startswith(pool_module.CLOSED)
    until(lambda: not any(process.is_alive() for process in processes))
    assert not pool.health()["ok"]
    until(lambda: not pool.health()["threads"])


class EndsItsThread:
    """Stands for a process whose start ends the thread that asked for it."""

    def __init__(self, warm_up):
        raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_health_is_bad_when_a_thread_has_gone(monkeypatch):
    monkeypatch.setattr(pool_module, "WorkerProcess", EndsItsThread)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    until(lambda: pool.health()["threads"] == 1)  # the spare worker's
    assert not pool.health()["ok"]
    pool.close()


@pytest.mark.parametrize(
    ("setting", "cores", "workers"),
    [("", 1, 1), ("", 3, 3), ("", 64, 4), ("6", 2, 6), ("0", 2, 2), ("many", 2, 2)],
)
def test_workers_follow_the_cores_or_the_setting(setting, cores, workers, monkeypatch):
    monkeypatch.setenv("COMPRESS_WORKERS", setting)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert pool_module.default_workers() == workers


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_app(how):
    script = textwrap.dedent(
        f"""
        import time
        from pages.shared.jobs import Pool
        from tests.pages import tasks
        pool = Pool(workers=1, warm_up="{TASKS}:warm_up")
        job = pool.submit(tasks.count, to=1, pause=0.0)
        job.wait()
        print(job.result["worker"], flush=True)
        pool.submit(tasks.count, to=10**6, pause=0.01)
        time.sleep(60)
        """
    )
    app = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    worker = int(app.stdout.readline())
    app.send_signal(how)
    app.wait(10)

    def has_gone():
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z"

    until(has_gone, 10)


def test_no_process_starts_before_a_job_or_the_quiet_beginning_s_end(processes, monkeypatch):
    """What loads PyTorch would take the cores from a first page whose results are all kept."""
    monkeypatch.setattr(pool_module, "QUIET_SECONDS", 3600.0)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    over(pool.submit(tasks.count, to=1, pause=0.0))  # starts one by itself
    assert len(processes) == 1
    pool.close()
    idle = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    time.sleep(0.5)
    assert len(processes) == 1
    idle.close()


def test_a_process_is_there_soon_though_nobody_has_asked_for_anything(processes, monkeypatch):
    monkeypatch.setattr(pool_module, "QUIET_SECONDS", 0.2)
    pool = Pool(workers=1, warm_up=f"{TASKS}:warm_up")
    until(lambda: pool.health()["processes"])
    assert len(processes) == 1
    pool.close()
