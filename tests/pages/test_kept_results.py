"""What was computed is there again in the next process, and only where it is the same."""

import json
import logging
import os
import sqlite3

import numpy as np
import pytest
import sqlalchemy as sql

from compression.studies.location import default_url
from pages.shared import jobs
from pages.shared.jobs import kept_results
from pages.shared.jobs.kept_results import KeptResults
from pages.shared.jobs.pool import Pool
from pages.shared.jobs.report import measures_time
from pages.shared.ui.progress import describe_progress
from tests.databases import execute
from tests.pages import tasks
from tests.pages.job_states import until
from tests.pages.rendering import render


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'results.db'}"


@pytest.fixture
def restarted(url):
    """The app, started anew with the same store."""
    pools = []

    def start(url=url):
        pools.append(Pool(workers=1, warm_up="", store=url))
        return pools[-1]

    yield start
    for pool in pools:
        pool.close()


def list_kept(url):
    """Names of the tasks whose results are kept."""
    try:
        return [name for (name,) in execute(url, sql.text("SELECT name FROM fits"))]
    except sql.exc.DBAPIError:  # there is no database yet, or no table
        return []


def test_a_result_is_there_again_after_a_restart(restarted, each_database):
    first = restarted(each_database).submit(tasks.count, to=2, pause=0.1)
    assert first.wait(60)
    until(lambda: list_kept(each_database))
    again = restarted(each_database).submit(tasks.count, 2, 0.1)
    assert again.status == "done"  # at once: nobody was asked
    assert again.result == first.result
    assert again.result["worker"] != os.getpid()
    assert again.seconds == pytest.approx(first.seconds, abs=0.05)


def test_arrays_of_a_kept_result_are_read_only(restarted, url):
    job = restarted().submit(tasks.numbers, size=4)
    assert job.wait(60)
    until(lambda: list_kept(url))
    again = restarted().submit(tasks.numbers, size=4).result
    np.testing.assert_array_equal(again, np.zeros(4))
    assert not again.flags.writeable


def test_other_arguments_and_failures_are_computed(restarted, url):
    pool = restarted()
    for job in (pool.submit(tasks.count, to=1, pause=0), pool.submit(tasks.refuse)):
        assert job.wait(60)
    until(lambda: list_kept(url))
    pool = restarted()
    assert pool.submit(tasks.count, to=1, pause=0.01).pending
    assert pool.submit(tasks.refuse).pending
    assert list_kept(url) == ["tests.pages.tasks:count"]


def test_another_version_of_the_code_computes_again(restarted, url, monkeypatch):
    job = restarted().submit(tasks.count, to=1, pause=0)
    assert job.wait(60)
    until(lambda: list_kept(url))
    monkeypatch.setattr(kept_results, "SOURCES", ("data",))
    assert restarted().submit(tasks.count, to=1, pause=0).pending


def test_what_measures_time_is_measured_again(restarted, url):
    measures_time(tasks.sleep)
    pool = restarted()
    assert pool.submit(tasks.sleep, seconds=0.0).wait(60)
    assert pool.submit(tasks.count, to=1, pause=0).wait(60)
    until(lambda: list_kept(url))
    assert list_kept(url) == ["tests.pages.tasks:count"]


def test_a_damaged_result_is_computed_again(restarted, url):
    job = restarted().submit(tasks.count, to=1, pause=0)
    assert job.wait(60)
    until(lambda: list_kept(url))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE blobs SET content = zeroblob(3)")
    pool = restarted()
    again, other = pool.submit(tasks.count, to=1, pause=0), pool.submit(tasks.count, to=2, pause=0)
    assert again.pending
    assert again.damaged
    assert not other.damaged
    assert describe_progress(again, "Counting").endswith(" · what was kept of it was damaged")
    assert "damaged" not in describe_progress(other, "Counting")
    assert again.wait(60)
    assert again.result["reached"] == 1
    assert other.wait(60)
    until(lambda: len(list_kept(url)) == 2)
    assert not restarted().submit(tasks.count, to=1, pause=0).damaged


def test_above_a_bound_the_least_recently_used_result_goes(restarted, url, monkeypatch):
    """Two results of 8 kB, of which there is room for one."""
    monkeypatch.setattr(kept_results, "MAX_BYTES", 12_000)
    pool = restarted()
    for size in (1000, 1001):
        assert pool.submit(tasks.numbers, size=size).wait(60)
        until(lambda size=size: list_sizes(url) == [size])
    pool = restarted()
    assert pool.submit(tasks.numbers, size=1000).pending
    assert pool.submit(tasks.numbers, size=1001).status == "done"


def list_sizes(url):
    """Of the arrays whose results are kept."""
    if not list_kept(url):
        return []
    requests = execute(url, sql.text("SELECT request FROM fits"))
    return [json.loads(text)["arguments"]["size"] for (text,) in requests]


@pytest.mark.parametrize("url", ["sqlite:////proc/no/such.db", "nonsense"])
def test_without_a_database_the_work_is_done_all_the_same(restarted, url, caplog):
    caplog.set_level(logging.WARNING)
    job = restarted(url).submit(tasks.count, to=1, pause=0)
    assert job.wait(60)
    assert job.status == "done"
    assert "nothing is kept beyond this run" in caplog.text


def test_a_database_that_goes_away_costs_nothing_but_time(restarted, url):
    pool = restarted()
    assert pool.submit(tasks.count, to=1, pause=0).wait(60)
    until(lambda: list_kept(url))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TABLE fits")
    job = pool.submit(tasks.count, to=2, pause=0)
    assert job.wait(60)
    assert job.status == "done"


def test_arguments_that_are_equal_are_one_request(url):
    store = KeptResults(url)
    store.keep("task", {"rank": 12, "file": b"abc", "penalties": (0.5, float("inf"))}, "kept", 1)
    arguments = {"penalties": (0.5, float("inf")), "file": b"abc", "rank": 12.0}
    assert store.find("task", arguments) == ("kept", len("kept") + 1, 1.0)
    assert store.find("task", arguments | {"file": b"abd"}) is None
    store.close()


def test_the_environment_names_the_store(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPRESS_STORE", "none")
    assert default_url() is None
    monkeypatch.setenv("COMPRESS_STORE", "postgresql+psycopg://host/name")
    assert default_url() == "postgresql+psycopg://host/name"
    monkeypatch.delenv("COMPRESS_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_url() == f"sqlite:///{tmp_path / 'compress' / 'results.db'}"


PAGES = ["compare.py", "train.py", "low_rank.py", "constrained.py", "combine.py", "decide.py"]


def test_a_restarted_app_shows_every_page_without_computing(url, monkeypatch):
    """Every result that a page asks for can be kept, and is the same when it is read."""
    choices = {"dataset": "iris", "model": "softmax_regression"}

    def texts(app):
        return [element.value for element in (*app.metric, *app.caption, *app.markdown)]

    def show(pool):
        monkeypatch.setattr(jobs, "shared_pool", lambda: pool)
        return [texts(render(page, **choices)) for page in PAGES]

    before = show(Pool(workers=1, store=url))
    computed = {job.task for job in jobs.shared_pool().jobs()}
    until(lambda: set(list_kept(url)) == computed)
    jobs.shared_pool().close()
    after = show(Pool(workers=1, store=url))
    ran = [job.task for job in jobs.shared_pool().jobs() if job.number]
    jobs.shared_pool().close()
    assert not ran
    assert after == before
