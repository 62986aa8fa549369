"""Jobs: one for all who ask, watched, cancelled, and never silently lost."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from pages.shared.jobs import pool as pool_module
from pages.shared.jobs.pool import Pool
from tests.pages import tasks

TASKS = "tests.pages.tasks"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pool():
    pool = Pool(workers=1, kept_bytes=3_000_000, warm_up=f"{TASKS}:count")
    yield pool
    pool.close()


def over(job, seconds=30):
    assert job.wait(seconds)
    return job


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_ends_with_its_result(pool):
    job = over(pool.submit(tasks.count, to=3, pause=0.0))
    assert (job.status, job.progress, job.result["reached"]) == ("done", 1.0, 3)


def test_equal_arguments_are_one_job(pool):
    jobs = [pool.submit(tasks.numbers, size=12, seed=s) for s in (4, 4.0, np.int64(4))]
    assert jobs[0] is jobs[1] is jobs[2]
    assert pool.submit(tasks.numbers, size=12, seed=5) is not jobs[0]


def test_results_cannot_be_written_to(pool):
    job = over(pool.submit(tasks.numbers, size=10_000, seed=1))
    with pytest.raises(ValueError, match="read-only"):
        job.result[0] = 1.0


def test_news_is_the_first_partial_result_or_the_end(pool):
    job = pool.submit(tasks.count, to=1000, pause=0.01)
    assert job.wait_for_news(30)
    assert job.status == "running"
    assert job.partial is not None
    job.cancel()
    over(job)
    silent = pool.submit(tasks.sleep, seconds=0.2)
    assert not silent.wait_for_news(0.01)
    assert silent.wait_for_news(30)
    assert silent.status == "done"


def test_a_partial_result_comes_on_the_way_and_stays_when_cancelled(pool):
    job = pool.submit(tasks.count, to=1000, pause=0.02)
    until(lambda: job.partial is not None)
    assert job.status == "running"
    assert 0 < job.progress < 1
    job.cancel()
    assert over(job).status == "cancelled"
    assert job.partial["reached"] >= 1


def test_a_waiting_job_is_cancelled_at_once(pool):
    first = pool.submit(tasks.count, to=1000, pause=0.021)
    second = pool.submit(tasks.count, to=1000, pause=0.022)
    assert second.status == "waiting"
    second.cancel()
    assert second.status == "cancelled"
    first.cancel()
    over(first)


def test_an_error_that_a_person_can_act_on_is_told_as_it_is(pool):
    job = over(pool.submit(tasks.refuse))
    assert (job.status, job.error) == ("failed", "the data are too few: give at least 10 rows")


def test_a_bug_is_told_without_its_text(pool):
    job = over(pool.submit(tasks.break_down))
    assert (job.status, job.error) == ("failed", pool_module.WENT_WRONG)


def test_a_killed_worker_is_reported_and_replaced(pool):
    job = over(pool.submit(tasks.die))
    assert job.status == "failed"
    assert "it was replaced" in job.error
    assert over(pool.submit(tasks.count, to=2, pause=0.0)).status == "done"


def test_a_failed_job_can_be_tried_again(pool):
    job = over(pool.submit(tasks.refuse))
    job.retry()
    assert pool.submit(tasks.refuse) is job
    assert over(job).status == "failed"


def test_a_task_that_does_not_listen_is_ended(pool, monkeypatch):
    monkeypatch.setattr(pool_module, "CANCEL_GRACE_SECONDS", 0.2)
    job = pool.submit(tasks.sleep, seconds=60)
    until(lambda: job.status == "running")
    job.cancel()
    assert over(job, 10).status == "cancelled"
    assert over(pool.submit(tasks.count, to=4, pause=0.0)).status == "done"


def test_the_least_recently_asked_for_goes_when_memory_is_needed(pool):
    size = 100_000  # 800 kB each, of 3 MB
    made = [over(pool.submit(tasks.numbers, size=size, seed=s)) for s in (10, 11, 12)]
    assert pool.submit(tasks.numbers, size=size, seed=10) is made[0]
    over(pool.submit(tasks.numbers, size=size, seed=13))
    over(pool.submit(tasks.count, to=5, pause=0.0))  # its room is made after the one before
    assert pool.submit(tasks.numbers, size=size, seed=10) is made[0]
    assert pool.submit(tasks.numbers, size=size, seed=11) is not made[1]


@pytest.mark.parametrize("value", [float("nan"), {"a": 1}, np.zeros(3)])
def test_what_cannot_name_a_job_is_refused(pool, value):
    with pytest.raises((ValueError, TypeError), match="seed is"):
        pool.submit(tasks.numbers, size=1, seed=value)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_app(how):
    script = textwrap.dedent(
        f"""
        import time
        from pages.shared.jobs import Pool
        from tests.pages import tasks
        pool = Pool(workers=1, warm_up="{TASKS}:count")
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

    def gone():
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{worker}/stat").read_text().split()[2] == "Z"

    until(gone, 10)
