"""Jobs: one for all who ask, watched, cancelled, and never silently lost."""

import numpy as np
import pytest

from pages.shared.jobs import pool as pool_module
from pages.shared.jobs import sessions, waiting_line
from pages.shared.jobs.pool import Pool
from tests.pages import tasks
from tests.pages.job_states import over, seconds_ago, until

TASKS = "tests.pages.tasks"


@pytest.fixture(scope="module")
def pool():
    pool = Pool(workers=1, kept_bytes=3_000_000, warm_up=f"{TASKS}:warm_up")
    yield pool
    pool.close()


@pytest.fixture
def as_session():
    """Be somebody from now on; None is a thread of no session, as at first."""

    def be(name):
        sessions.identify_sessions_by(lambda: name)

    before = sessions.identify_sessions_by(lambda: None)
    yield be
    sessions.identify_sessions_by(before)


@pytest.fixture
def busy(pool, as_session):
    """A job of no session that runs, so that what comes waits."""
    job = pool.submit(tasks.count, to=10**6, pause=0.0101)
    job.retry()
    until(lambda: job.status == "running")
    yield job
    as_session(None)
    job.cancel()
    over(job)


def test_a_job_ends_with_its_result(pool):
    job = over(pool.submit(tasks.count, to=3, pause=0.0))
    assert (job.status, job.progress, job.result["reached"]) == ("done", 1.0, 3)


def test_equal_arguments_are_one_job(pool):
    jobs = [pool.submit(tasks.numbers, size=12, seed=s) for s in (4, 4.0, np.int64(4))]
    assert jobs[0] is jobs[1] is jobs[2]
    assert pool.submit(tasks.numbers, size=12, seed=5) is not jobs[0]


def test_a_request_is_one_job_however_it_is_spelt(pool):
    jobs = [
        pool.submit(tasks.numbers, size=14),
        pool.submit(tasks.numbers, 14),
        pool.submit(tasks.numbers, 14, 0),
        pool.submit(tasks.numbers, 14, seed=0),
        pool.submit(tasks.numbers, seed=0, size=14),
    ]
    assert {id(job) for job in jobs} == {id(jobs[0])}


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
    assert "memory ran out; it was replaced: choose a smaller model or fewer rows" in job.error
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


def test_one_of_two_sessions_stops_a_job_for_itself_alone(pool, as_session):
    as_session("A")
    job = pool.submit(tasks.count, to=10**6, pause=0.0102)
    until(lambda: job.status == "running")
    as_session("B")
    assert pool.submit(tasks.count, to=10**6, pause=0.0102) is job
    job.cancel()
    assert job.withdrawn
    assert pool.submit(tasks.count, to=10**6, pause=0.0102) is job  # a page that runs again
    assert job.withdrawn
    as_session("A")
    assert not job.withdrawn
    assert not job.stop_by
    job.cancel()
    assert over(job).status == "cancelled"


def test_a_session_that_stopped_a_job_may_want_it_again(pool, as_session):
    as_session("A")
    job = pool.submit(tasks.count, to=10**6, pause=0.0103)
    as_session("B")
    job.look()
    job.cancel()
    job.retry()
    assert not job.withdrawn
    as_session("A")
    job.cancel()
    assert not job.stop_by  # B is there
    as_session("B")
    job.cancel()
    assert over(job).status == "cancelled"


def test_a_job_that_others_stopped_begins_again_for_who_asks_now(pool, busy, as_session):
    as_session("A")
    job = pool.submit(tasks.count, to=3, pause=0.0104)
    job.cancel()
    assert job.status == "cancelled"
    assert pool.submit(tasks.count, to=3, pause=0.0104).status == "cancelled"
    as_session("B")
    assert pool.submit(tasks.count, to=3, pause=0.0104) is job
    assert job.status == "waiting"


def test_who_asks_for_a_job_that_is_stopping_gets_it_again(pool, as_session):
    as_session("A")
    job = pool.submit(tasks.count, to=3, pause=0.51)
    until(lambda: job.status == "running")
    job.cancel()
    as_session("B")
    assert pool.submit(tasks.count, to=3, pause=0.51) is job
    assert over(job).status != "done"  # whoever waited for the first run is told
    until(lambda: job.status == "done")


def test_a_newcomer_begins_though_one_session_has_filled_the_pool(as_session):
    pool = Pool(workers=2, warm_up=f"{TASKS}:warm_up")
    as_session("A")
    heavy = [pool.submit(tasks.count, to=10**6, pause=0.02 + n / 1000) for n in range(4)]
    until(lambda: [job.status for job in heavy].count("running") == 2)
    as_session("B")
    assert over(pool.submit(tasks.count, to=2, pause=0.0)).status == "done"
    assert [job.status for job in heavy].count("running") == 2
    pool.close()


def test_a_job_too_many_fails_at_once_and_can_be_tried_again(pool, busy, as_session, monkeypatch):
    monkeypatch.setattr(waiting_line, "SESSION_LIMIT", 2)
    as_session("A")
    waiting = [pool.submit(tasks.numbers, size=1, seed=seed) for seed in (21, 22)]
    refused = pool.submit(tasks.numbers, size=1, seed=23)
    assert (refused.status, refused.error) == (
        "failed",
        "too much is waiting already (2 jobs of yours): try again later",
    )
    assert refused not in pool.jobs()
    as_session("B")
    assert pool.submit(tasks.numbers, size=1, seed=24).status == "waiting"
    as_session("A")
    waiting[0].cancel()
    refused.retry()
    assert refused.status == "waiting"
    assert pool.submit(tasks.numbers, size=1, seed=23) is refused


def test_what_waits_counts_in_the_memory_that_is_kept(pool, busy):
    megabyte = bytes(1_000_000)
    waiting = [pool.submit(tasks.count, to=megabyte, pause=seed) for seed in (1, 2)]
    assert [job.status for job in waiting] == ["waiting", "waiting"]
    refused = pool.submit(tasks.count, to=megabyte, pause=3)  # of 3 MB
    assert refused.status == "failed"
    assert refused.error.startswith("too much is waiting already (2 MB)")
    assert pool.health()["kept_bytes"] <= 3_000_000
    for job in waiting:
        job.cancel()


def test_what_nobody_waits_for_any_more_is_forgotten(pool, busy, as_session, monkeypatch):
    as_session("A")
    job = pool.submit(tasks.numbers, size=1, seed=31)
    monkeypatch.setattr(waiting_line, "ABANDONED_SECONDS", -1.0)
    assert over(job).status == "cancelled"
    assert job not in pool.jobs()
    monkeypatch.setattr(waiting_line, "ABANDONED_SECONDS", 90.0)
    again = pool.submit(tasks.numbers, size=1, seed=31)
    assert again is not job
    assert again.status == "waiting"
    again.cancel()


def test_health_counts_what_runs_and_waits(pool, busy):
    with seconds_ago(100):
        waiting = pool.submit(tasks.count, to=6, pause=0.0)
    health = pool.health()
    assert health["ok"]
    assert (health["workers"], health["running"], health["waiting"]) == (1, 1, 1)
    assert health["oldest_waiting_seconds"] == pytest.approx(100, abs=20)
    assert all(isinstance(value, (bool, int, float)) for value in health.values())
    waiting.cancel()


def test_health_is_bad_when_a_job_waits_for_nothing(pool, monkeypatch):
    until(lambda: pool.health()["processes"])
    assert pool.health()["ok"]
    monkeypatch.setattr(waiting_line.WaitingLine, "take", lambda line: None)
    with seconds_ago(100):
        waiting = pool.submit(tasks.count, to=7, pause=0.0)
    health = pool.health()
    waiting.cancel()
    assert (health["running"], health["waiting"]) == (0, 1)
    assert not health["ok"]
