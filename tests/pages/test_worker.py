"""The worker's end of the pipe: what goes out, how often, and how a task can end."""

import logging
from itertools import count

import numpy as np
import pytest

from pages.shared.jobs import worker

TASKS = "tests.pages.tasks"


class Pipe(list):
    """Keeps what is sent."""

    send = list.append


class Clock:
    """Stands still unless it is moved."""

    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    return clock


def perform(task, cancelled=(), **arguments):
    pipe = Pipe()
    return worker.perform(pipe, 1, f"{TASKS}:{task}", arguments, set(cancelled)), pipe


def test_a_packed_value_comes_back_equal_and_read_only():
    value = {"numbers": np.arange(6.0).reshape(2, 3), "names": ("a", "b"), "nothing": None}
    again = worker.unpack(worker.pack(value))
    assert again["names"] == ("a", "b")
    assert again["nothing"] is None
    np.testing.assert_array_equal(again["numbers"], value["numbers"])
    with pytest.raises(ValueError, match="read-only"):
        again["numbers"][0, 0] = 1.0


def test_a_packed_size_is_that_of_its_arrays_and_little_more():
    numbers = np.zeros(50_000)
    assert numbers.nbytes < worker.count_bytes(worker.pack(numbers)) < numbers.nbytes + 1000
    assert worker.count_bytes(None) == 0


def test_reports_are_sent_four_times_a_second_at_most(clock):
    pipe = Pipe()
    report = worker.PipeReport(pipe, 1, set())
    for step in range(100):  # of a hundredth of a second
        assert report(step, 100)
        clock.now += 0.01
    assert len(pipe) == 4
    assert pipe[0] == ("progress", 0, 100, "", None)


def test_a_partial_result_is_made_only_when_it_is_sent(clock):
    made = count()
    pipe = Pipe()
    report = worker.PipeReport(pipe, 1, set())
    for step in range(100):
        report(step, 100, lambda: next(made))
        clock.now += 0.01
    assert [worker.unpack(packed) for *_, packed in pipe] == [0, 1, 2, 3]


def test_dear_partial_results_take_a_tenth_of_the_time(clock):
    def dear():
        clock.now += 0.5
        return "so far"

    pipe = Pipe()
    report = worker.PipeReport(pipe, 1, set())
    start = clock.now
    while clock.now < start + 50:
        report(0, 1, dear)
        clock.now += 0.01
    assert len(pipe) * 0.5 <= worker.SHARE_FOR_PARTIALS * 50 + 0.5


def test_a_cancelled_task_is_told_at_its_next_report_and_sends_what_it_has(clock):
    pipe, cancelled = Pipe(), set()
    report = worker.PipeReport(pipe, 7, cancelled)
    assert report(1, 10)
    cancelled.add(7)
    assert not report(2, 10, "so far")
    assert report.stopped
    assert worker.unpack(pipe[-1][-1]) == "so far"


def test_a_task_ends_with_its_result():
    (kind, packed), pipe = perform("count", to=3, pause=0.0)
    assert kind == "done"
    assert worker.unpack(packed)["reached"] == 3
    assert [message[:3] for message in pipe] == [("progress", 1, 3)]


@pytest.mark.parametrize("raises", [False, True])
def test_a_task_that_stops_when_told_is_cancelled(raises, monkeypatch):
    monkeypatch.setattr(
        worker.PipeReport, "__call__", lambda self, *_: self.__dict__.update(stopped=True)
    )
    assert perform("count", to=3, pause=0.0, raises=raises)[0] == ("cancelled",)


def test_a_task_cancelled_before_it_began_is_not_begun():
    assert perform("break_down", cancelled={1})[0] == ("cancelled",)


def test_an_error_for_a_person_comes_without_a_trace_and_a_bug_with_one():
    assert perform("refuse")[0] == ("failed", "the data are too few: give at least 10 rows", None)
    kind, name, trace = perform("break_down")[0]
    assert (kind, name) == ("failed", "RuntimeError")
    assert "a secret" in trace


@pytest.mark.parametrize("how", ["numpy", "torch", "python"])
def test_a_task_whose_memory_ran_out_says_what_to_choose(how):
    assert perform("hoard", how=how)[0] == (
        "failed",
        "memory ran out: choose a smaller model or fewer rows",
        None,
    )


def test_a_result_that_cannot_leave_its_process_is_a_bug_of_the_task():
    kind, _, trace = perform("unsendable")[0]
    assert kind == "failed"
    assert "pickle" in trace


@pytest.mark.parametrize("task", ["no_such_module:f", f"{TASKS}:no_such_function"])
def test_a_worker_that_cannot_warm_up_says_so_and_works(task, caplog):
    with caplog.at_level(logging.WARNING):
        worker.call_warm_up(task)
    assert "could not warm up" in caplog.text


def test_a_worker_without_anything_to_warm_up_says_nothing(caplog):
    with caplog.at_level(logging.WARNING):
        worker.call_warm_up("")
    assert not caplog.text
