"""The waiting line: turns by session, simulated on a clock that only the tests move."""

import gc
import heapq
import weakref
from itertools import count

import pytest

from pages.shared.jobs import waiting_line
from pages.shared.jobs.durations import Durations
from pages.shared.jobs.waiting_line import LineFullError, WaitingLine


class Room:
    """Workers, a line and a clock: what sessions ask for takes the seconds that it is given."""

    def __init__(self, workers=2):
        self.now, self.workers = 0.0, workers
        self.line = WaitingLine(workers, clock=lambda: self.now)
        self.began, self.ended = {}, {}
        self.numbers = count()
        self.events = []  # (when, number, what to do)
        self.seconds, self.present = {}, {}
        self.then = {}

    def at(self, when, act):
        heapq.heappush(self.events, (when, next(self.numbers), act))

    def ask(self, session, task, seconds, *arguments, then=None, present=True):
        job = f"{session}: {task} {' '.join(map(str, arguments))}".strip()
        self.seconds[job], self.then[job] = seconds, then
        if present:
            self.present[job] = session
        self.line.add(job, (task, *arguments), session)
        return job

    def begin(self):
        """Free workers, the spare one too, take what they may."""
        for job, session in self.present.items():
            self.line.look(job, session)
        while len(self.line.running) <= self.workers and (job := self.line.take()) is not None:
            self.began[job] = self.now
            self.at(self.now + self.seconds[job], lambda job=job: self.end(job))

    def end(self, job):
        self.ended[job] = self.now
        self.line.finish(job, self.seconds[job])
        if self.then[job] is not None:
            self.then[job]()

    def run(self, until=float("inf")):
        self.begin()
        while self.events and self.events[0][0] <= until:
            self.now, _, act = heapq.heappop(self.events)
            act()
            if not self.events or self.events[0][0] > self.now:
                self.begin()
        self.now = max(self.now, until) if until < float("inf") else self.now


UNIT = 5.0


def visit(room, session, pause):
    """A page asks for a reference, and once that is there for two curves."""

    def go_on():
        for side in ("low rank", "constrained"):
            room.ask(session, "curve", UNIT, side, session)

    room.ask(session, "reference", UNIT, session, then=lambda: room.at(room.now + pause, go_on))


def first_number(room, session):
    return min(when for job, when in room.ended.items() if job.startswith(f"{session}: curve"))


@pytest.mark.parametrize("pause", [0.0, 0.7])
def test_25_sessions_get_their_first_numbers_one_after_the_other(pause):
    alone = Room()
    visit(alone, "A", pause)
    alone.run()
    room, sessions = Room(), [f"S{number:02}" for number in range(25)]
    for session in sessions:
        visit(room, session, pause)
    room.run()
    assert len(room.ended) == 75
    numbers = [first_number(room, session) for session in sessions]
    work = 75 * UNIT
    assert max(numbers) <= 1.3 * work / room.workers
    assert min(numbers) <= 1.5 * first_number(alone, "A")
    # Nobody's second curve goes before another's first: every turn is two jobs.
    assert max(numbers) <= 2 * 25 * UNIT / room.workers + 3 * UNIT
    assert sorted(numbers) == numbers  # in the order in which they came


def test_a_session_alone_uses_every_worker_and_no_more():
    room = Room()
    for number in range(4):
        room.ask("A", "heavy", 100, number)
    room.begin()
    assert len(room.line.running) == room.workers


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("known", [False, True])
def test_a_light_job_begins_at_once_whatever_one_other_session_has_queued(workers, known):
    room = Room(workers)
    if known:
        room.ask("A", "heavy", 100, "before")
        room.run()
    start = room.now
    for number in range(waiting_line.SESSION_LIMIT):
        room.ask("A", "heavy", 100, number)
    for arrival in (0.5, 50.0, 150.0, 1000.0):
        room.run(until=start + arrival)
        light = room.ask(f"B{arrival}", "light", 1)
        asked = room.now
        room.run(until=asked + 2)
        assert room.began[light] - asked <= 2


def test_a_session_with_a_running_job_waits_while_another_has_none():
    room = Room(workers=2)
    room.ask("A", "heavy", 100, 1)
    room.ask("A", "heavy", 100, 2)
    room.ask("B", "heavy", 100, 3)
    room.ask("C", "heavy", 100, 4)
    room.begin()
    assert set(room.line.running) == {"A: heavy 1", "B: heavy 3"}
    room.run(until=100)
    assert "C: heavy 4" in room.line.running


def test_a_running_job_that_nobody_looks_at_holds_no_newcomer_back():
    room = Room(workers=2)
    room.ask("A", "heavy", 100, 1, present=False)
    room.ask("B", "heavy", 100, 2, present=False)
    room.begin()
    room.now = 5.0
    third = room.ask("C", "heavy", 100, 3)
    room.begin()
    assert third not in room.began  # they may still be there
    room.run(until=11.0)
    room.begin()
    assert room.began[third] == 11.0


def test_a_short_job_does_not_wait_for_long_ones_of_two_sessions():
    room = Room(workers=2)
    room.ask("X", "light", 1, "before")
    room.run()
    room.ask("A", "heavy", 100, 1)
    room.ask("B", "heavy", 100, 2)
    room.ask("C", "heavy", 100, 3)
    room.begin()
    light = room.ask("D", "light", 1)
    asked = room.now
    room.begin()
    assert room.began[light] == asked
    assert "C: heavy 3" not in room.began


def test_what_follows_a_session_s_job_goes_before_another_session_s_turn_but_once():
    room = Room(workers=1)
    room.ask("A", "step", 10, 1, then=lambda: room.ask("A", "step", 10, 2, then=again))

    def again():
        room.ask("A", "step", 10, 3)

    room.ask("B", "step", 10, 1)
    room.ask("C", "step", 10, 1)
    room.run()
    assert list(room.began) == ["A: step 1", "A: step 2", "B: step 1", "C: step 1", "A: step 3"]


def test_short_jobs_go_before_long_ones_which_still_get_their_turn():
    room = Room(workers=1)
    for task, seconds in (("short", 1), ("long", 20)):
        room.ask("X", task, seconds, "before")
    room.run()
    start = room.now

    def keep_asking(number=0):
        if room.now < start + 200:
            room.ask(f"B{number}", "short", 1.0, number)
            room.at(room.now + 0.9, lambda: keep_asking(number + 1))

    room.ask("0", "running", 3)
    room.begin()
    long = room.ask("A", "long", 20)
    keep_asking()
    assert room.line.find_position("B0: short 0") == 1  # though it came later
    room.run()
    assert room.began[long] - start < 100  # though short ones never cease to come


def test_a_job_that_somebody_looks_at_goes_before_one_that_nobody_does():
    room = Room(workers=1)
    room.ask("0", "running", 30)
    room.begin()
    gone = room.ask("A", "job", 1, present=False)
    there = room.ask("B", "job", 1)
    room.run(until=15.0)
    room.begin()
    assert room.line.find_position(gone) == 2
    assert room.line.find_position(there) == 1


def test_what_nobody_has_looked_at_for_long_is_dropped_and_what_runs_is_not():
    room = Room(workers=1)
    running = room.ask("A", "job", 500, 1, present=False)
    room.begin()
    gone = room.ask("A", "job", 500, 2, present=False)
    there = room.ask("B", "job", 500, 3)
    download = room.ask(None, "file", 500, present=False)
    room.now = waiting_line.ABANDONED_SECONDS
    assert room.line.drop_abandoned() == []
    room.line.look(there, "B")
    room.now += 0.1
    assert room.line.drop_abandoned() == [gone]
    assert set(room.line.waiting) == {there, download}
    assert room.line.running == [running]


def test_a_shared_job_has_the_best_of_its_sessions_places():
    room = Room(workers=1)
    room.ask("0", "running", 30)
    room.begin()
    room.ask("A", "job", 1, 1)
    room.ask("A", "job", 1, 2)
    shared = room.ask("A", "job", 1, 3)
    room.now = 1.0
    room.ask("C", "job", 1, 4)
    assert room.line.find_position(shared) == 4
    room.now = 2.0
    room.line.look(shared, "B")
    assert room.line.find_position(shared) == 3  # B's first, though C came before
    assert room.line.find_position("C: job 4") == 2


def test_places_count_whose_turn_comes_before():
    room = Room(workers=1)
    room.ask("0", "running", 30)
    room.begin()
    jobs = [room.ask(s, "job", 1, n) for s, n in (("A", 1), ("A", 2), ("B", 3), ("C", 4))]
    assert [room.line.find_position(job) for job in jobs] == [1, 4, 2, 3]
    assert room.line.find_position("0: running") is None


def test_an_estimate_adds_up_what_is_known_and_is_none_where_something_is_not():
    room = Room(workers=1)
    for task, seconds in (("ten", 10), ("four", 4)):
        room.ask("X", task, seconds, "before")
    room.run()
    start = room.now
    room.ask("A", "ten", 10)
    room.begin()
    room.now = start + 3
    first, second = room.ask("B", "four", 4, 1), room.ask("B", "four", 4, 2)
    assert room.line.estimate(first) == pytest.approx(7 + 4)
    assert room.line.estimate(second) == pytest.approx(7 + 4 + 4)
    unknown = room.ask("C", "new", 1)
    later = room.ask("B", "ten", 10, 3)
    assert room.line.estimate(unknown) is None
    assert room.line.find_position(later) > room.line.find_position(unknown)
    assert room.line.estimate(later) is None


def test_what_waits_learns_from_what_ends():
    room = Room(workers=1)
    room.ask("A", "job", 7, 1)
    second = room.ask("A", "job", 7, 2)
    room.begin()
    assert room.line.estimate(second) is None
    room.ask("B", "other", 9)
    room.run(until=7)
    assert "B: other" in room.line.running
    room.end("B: other")
    assert room.line.estimate(second) == pytest.approx(7)


def test_a_full_line_says_so():
    line = WaitingLine(1)
    for number in range(waiting_line.SESSION_LIMIT):
        line.add(("A", number), ("job", number), "A")
    with pytest.raises(LineFullError, match=r"too much is waiting already \(40 jobs of yours\)"):
        line.add("more", ("job", "more"), "A")
    for number in range(waiting_line.TOTAL_LIMIT - waiting_line.SESSION_LIMIT):
        line.add(number, ("job", number), f"session {number}")
    with pytest.raises(LineFullError, match=r"too much is waiting already \(400 jobs\)"):
        line.add("one more", ("job",), "a newcomer")


def test_a_wish_is_taken_back_by_one_session_alone():
    line = WaitingLine(1)
    line.add("job", ("task",), "A")
    line.look("job", "B")
    assert line.withdraw("job", "A")
    assert line.list_watchers("job") == ["B"]
    assert not line.withdraw("job", "B")


class Visitor:
    """Stands for a session's name; unlike a text, it is gone when nobody refers to it."""


def test_sessions_that_have_gone_leave_nothing_behind():
    room = Room()
    known = weakref.WeakSet()
    for _ in range(100):
        session = Visitor()
        known.add(session)
        room.ask(session, "job", 1)
    del session
    room.run()
    assert len(known) == 100
    room.present.clear()
    room.now += 1000
    room.line.drop_abandoned()
    gc.collect()
    assert not known


def test_a_task_is_expected_to_take_as_long_as_the_runs_most_like_it():
    durations = Durations()
    key = ("train", ("origin", (("bytes", b"1"), "digits", "mlp", 0)), ("epochs", 3))

    def spelt(dataset, seed):
        return ("train", ("origin", (("bytes", seed), dataset, "mlp", seed)), ("epochs", 3))

    assert durations.estimate(key) is None
    for seconds in (30.0, 90.0, 50.0):
        durations.note(spelt("mnist", seconds), seconds)
    assert durations.estimate(spelt("digits", 7)) == 50.0  # of the same task, the median
    durations.note(spelt("digits", 1), 4.0)
    assert durations.estimate(spelt("digits", 7)) == 4.0  # of the same dataset
    assert durations.estimate(("other",)) is None
    for seed in range(100, 200):
        durations.note(spelt("digits", seed), 8.0)
    assert durations.estimate(spelt("mnist", 7)) == 8.0  # the older ones are forgotten
