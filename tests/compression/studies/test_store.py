"""What is put into a store comes back whole, or not at all."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sql

from compression.studies.store import BLOBS, FITS, Store, StoreError, identify
from compression.studies.study_store import StudyStore
from tests.databases import execute

PRAGMAS = {"journal_mode": "wal", "busy_timeout": 10_000, "synchronous": 1}


def test_a_fit_is_found_by_its_request_however_its_names_are_ordered(url):
    Store(url).put({"rank": 3, "seed": 0}, b"content", name="curve", seconds=1.5)
    fit = Store(url).get({"seed": 0, "rank": 3})
    assert (fit.content, fit.seconds, fit.sentence) == (b"content", 1.5, "")
    assert Store(url).get({"seed": 1, "rank": 3}) is None


def test_a_failed_fit_keeps_its_sentence(url):
    store = Store(url)
    store.put({"rank": 0}, None, sentence="rank 0 is not possible")
    assert store.get({"rank": 0}).content is None
    assert store.get({"rank": 0}).sentence == "rank 0 is not possible"
    assert store.table()["status"].tolist() == ["failed"]


def test_a_sentence_may_hold_any_character(url):
    store = Store(url)
    store.put({"rank": 0}, None, sentence="bad bytes: \0 \U0001f600 ' \x1b")
    assert (
        store.get({"rank": 0}).sentence == "bad bytes: \N{REPLACEMENT CHARACTER} \U0001f600 ' \x1b"
    )


def test_many_fits_are_deleted_at_once(url, monkeypatch):
    monkeypatch.setattr("compression.studies.store.AT_ONCE", 3)
    store = Store(url)
    for number in range(8):
        store.put({"number": number}, bytes([number]))
    store.delete(identify({"number": number}) for number in range(7))
    assert store.table()["request"].tolist() == ['{"number":7}']
    assert len(execute(url, sql.select(BLOBS.c.digest))) == 1


def test_an_empty_content_is_kept_without_a_blob_and_is_not_none(url):
    store = Store(url)
    store.put({"rank": 1}, b"")
    store.put({"rank": 2}, None)
    assert store.get({"rank": 1}).content == b""
    assert store.get({"rank": 2}).content is None
    assert execute(url, sql.select(BLOBS.c.digest)) == []
    assert not store.damaged


def test_the_first_fit_of_a_request_stays(url):
    store = Store(url)
    store.put({"rank": 3}, b"first")
    store.put({"rank": 3}, b"second")
    assert store.get({"rank": 3}).content == b"first"
    assert len(store.table()) == 1


@pytest.mark.parametrize("change", [bytes(7), b"", b"contenT", b"content and more"])
def test_a_damaged_content_is_dropped_and_can_be_kept_again(url, change, caplog):
    store = Store(url)
    store.put({"rank": 3}, b"content", name="curve")
    execute(url, BLOBS.update().values(content=change))
    assert store.get({"rank": 3}) is None
    assert "curve is damaged" in caplog.text
    store.put({"rank": 3}, b"content")
    assert store.get({"rank": 3}).content == b"content"


def test_one_flipped_bit_is_found(url):
    store = Store(url)
    store.put({"rank": 3}, bytes(100))
    execute(url, BLOBS.update().values(content=bytes(99) + b"\x01"))
    assert store.get({"rank": 3}) is None


def test_the_least_recently_used_go_first(url, monkeypatch):
    store, now = Store(url, max_bytes=250), [0.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for number in range(2):
        now[0] += 1
        store.put({"number": number}, bytes([number]) * 100)
    now[0] = 10_000
    assert store.get({"number": 0}) is not None  # used again
    now[0] += 1
    store.put({"number": 2}, b"2" * 100)
    assert [store.get({"number": number}) is None for number in range(3)] == [False, True, False]
    assert len(execute(url, sql.select(BLOBS.c.digest))) == 2


def test_the_newest_stays_however_large(url):
    store = Store(url, max_bytes=10)
    store.put({"number": 0}, b"0" * 100)
    store.put({"number": 1}, b"1" * 100)
    assert store.get({"number": 0}) is None
    assert store.get({"number": 1}) is not None


def test_a_fit_of_a_study_is_outside_the_bound_on_bytes(url):
    store = StudyStore(url, max_bytes=150)
    store.put_study("kept", "{}", [{"number": 0}])
    for number in range(4):
        store.put({"number": number}, bytes([number]) * 100)
    assert [number for number in range(4) if store.get({"number": number})] == [0, 3]


def test_sqlite_is_read_beside_a_writer_and_its_writers_wait(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'results.db'}")
    assert {name: store.read(sql.text(f"PRAGMA {name}"))[0][0] for name in PRAGMAS} == PRAGMAS


def test_a_writer_waits_for_the_one_before_it_and_readers_do_not(url):
    """Each counts first and then writes what it has counted: a transaction that begins as a reader
    would fail, or count what is not so any more."""
    first, second = Store(url), Store(url)
    begun, goes_on, waits = Event(), Event(), []

    def count_and_put(connection, name):
        count = connection.scalar(sql.select(sql.func.count()).select_from(BLOBS))
        if name == "first":
            begun.set()
            assert goes_on.wait(60)
        connection.execute(BLOBS.insert(), {"digest": f"{name} {count}", "content": b""})

    def write(store, name):
        store.write(lambda connection: count_and_put(connection, name))
        waits.append(name)

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(write, first, "first")]
        assert begun.wait(60)
        ends.append(pool.submit(write, second, "second"))
        assert second.table().empty
        time.sleep(0.5)  # in which the second would have failed, or written
        assert not any(end.done() for end in ends)
        goes_on.set()
        for end in ends:
            end.result(60)
    assert waits == ["first", "second"]
    written = execute(url, sql.select(BLOBS.c.digest).order_by(BLOBS.c.digest))
    assert [row.digest for row in written] == ["first 0", "second 1"]


def test_what_is_kept_says_where_and_when_it_was_computed(url):
    store, before = Store(url), time.time()
    store.put({"rank": 3}, b"content", seconds=2.0)
    row = store.table().iloc[0]
    assert (row["host"], row["status"], row["seconds"]) == (socket.gethostname(), "done", 2.0)
    assert before <= row["finished_at"] <= time.time()


def test_what_is_deleted_is_gone_and_what_shares_its_content_is_not(url):
    store = Store(url)
    for number in range(2):
        store.put({"number": number}, b"the same")
    store.delete([identify({"number": 0})])
    assert store.get({"number": 0}) is None
    assert store.get({"number": 1}).content == b"the same"


@pytest.mark.parametrize(
    "where",
    [
        "sqlite:////proc/no/such/file.db",
        "nonsense",
        "nosuch://x/y",
        "postgresql+psycopg://@/x?host=/nowhere",
    ],
)
def test_a_database_that_cannot_be_opened_is_a_sentence(where):
    with pytest.raises(StoreError, match="no store can be opened"):
        Store(where)


def test_other_databases_are_refused_and_a_missing_package_is_named(monkeypatch):
    with pytest.raises(StoreError, match="choose sqlite:///FILE or postgresql"):
        Store("mysql://user@host/name")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'psycopg\[binary\]"):
        Store("postgresql+psycopg://user@host/name")


def test_a_password_is_not_repeated():
    with pytest.raises(StoreError) as caught:
        Store("postgresql+nosuch://user:secret@host/name")
    assert "secret" not in str(caught.value)


def write_for_ever(url, first):
    store = Store(url)
    for number in range(first, first + 10_000):
        store.put({"number": number}, os.urandom(20_000))


def test_writers_that_are_killed_leave_only_whole_fits(url):
    store = Store(url)
    for round_ in range(4):
        writers = [
            multiprocessing.get_context("fork").Process(target=write_for_ever, args=(url, first))
            for first in (100_000 * round_, 100_000 * round_ + 50_000)
        ]
        for writer in writers:
            writer.start()
        before = len(store.table())
        while len(store.table()) < before + 5:
            time.sleep(0.01)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
    if url.startswith("sqlite"):
        assert execute(url, sql.text("PRAGMA integrity_check")) == [("ok",)]
    numbers = [row.request for row in execute(url, sql.select(FITS.c.request))]
    assert all(store.get({"number": int(text[10:-1])}).content for text in numbers)
