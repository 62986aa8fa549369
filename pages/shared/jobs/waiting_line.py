"""Whose turn it is: the order in which waiting jobs begin.

Sessions take turns: next is the one that has had nothing running for longest, less twice the
seconds that its job is expected to take, so that short jobs go before long ones and nobody waits
for ever. Jobs that somebody looks at go first. What a session asks for right after its job has
ended belongs to the same turn: a curve follows its reference, before another session's turn.

``workers`` jobs run at a time, and one more on a spare worker: for a session that has nothing
running while another session holds several workers, or runs jobs that nobody looks at, or for a
short job that would wait for long ones. A session alone may so use all workers at full speed, and
a newcomer still begins at once; nothing is preempted.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .durations import Durations, Key
from .sessions import Session

J = TypeVar("J", bound=Hashable)

SESSION_LIMIT, TOTAL_LIMIT = 40, 400  # jobs that may wait
WATCHED_SECONDS = (
    10.0  # since the last check; pages check twice a second, on a busy server less often
)
ABANDONED_SECONDS = 90.0  # a browser lets a hidden tab check once a minute
CHAIN_SECONDS = 10.0  # for a page to ask for its next job
SHORT_SECONDS = 2.0
DELAY_PER_SECOND = 2.0  # of waiting that an expected second of work costs a job


class LineFullError(Exception):
    """Too much is waiting: the sentence says how much."""


@dataclass
class _SessionWish:
    request_time: float
    looked: float


@dataclass(eq=False)
class _WaitingJob(Generic[J]):
    job: J
    key: Key
    number: int
    wishes: dict[Session, _SessionWish] = field(default_factory=dict)
    owner: Session = None  # the session in whose turn it runs
    began: float = 0.0
    expected: float | None = None


@dataclass
class _Turn:
    """A session's turn: when its last job ended, and how many longer jobs it has had."""

    ended: float = float("-inf")
    jobs: int = 0


class WaitingLine(Generic[J]):
    """Jobs that wait and run, and the sessions that want them. Not safe between threads.

    Parameters
    ----------
    workers : int
        Jobs that run at a time; there is one spare worker beside them.
    clock : callable
        Seconds.
    """

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic):
        self._workers, self._clock = workers, clock
        self._waiting: dict[J, _WaitingJob[J]] = {}
        self._running: dict[J, _WaitingJob[J]] = {}
        self._turns: defaultdict[Session, _Turn] = defaultdict(_Turn)
        self._durations = Durations()
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> list[J]:
        return list(self._waiting)

    @property
    def running(self) -> list[J]:
        return list(self._running)

    def add(self, job: J, key: Key, session: Session) -> None:
        """Let a job wait for a session's turn; ``key`` is its task and arguments.

        Raises
        ------
        LineFullError
        """
        if len(self._waiting) >= TOTAL_LIMIT:
            raise LineFullError(f"too much is waiting already ({TOTAL_LIMIT} jobs)")
        if sum(session in entry.wishes for entry in self._waiting.values()) >= SESSION_LIMIT:
            raise LineFullError(f"too much is waiting already ({SESSION_LIMIT} jobs of yours)")
        self._numbers += 1
        self._waiting[job] = _WaitingJob(
            job, key, self._numbers, expected=self._durations.estimate(key)
        )
        self.look(job, session)

    def look(self, job: J, session: Session) -> None:
        """Note that a session wants a job and is still there."""
        if (entry := self._find_entry(job)) is not None:
            now = self._clock()
            entry.wishes.setdefault(session, _SessionWish(now, now)).looked = now

    def withdraw(self, job: J, session: Session) -> bool:
        """Take back a session's wish; whether somebody else still looks at the job."""
        entry = self._find_entry(job)
        if entry is None:
            return False
        entry.wishes.pop(session, None)
        if entry.owner == session and entry.wishes:
            entry.owner = next(iter(entry.wishes))
        return self._is_watched(entry)

    def list_watchers(self, job: J) -> list[Session]:
        """The sessions that want a job that waits or runs, and are still there."""
        entry = self._find_entry(job)
        return [] if entry is None else [s for s in entry.wishes if self._is_watching(entry, s)]

    def find_next(self) -> tuple[_WaitingJob[J], Session] | None:
        """The job that may begin now, and in whose turn; None while none may."""
        candidates = (
            (entry, who)
            for entry, who, rank in self._rank_entries()
            if self._may_begin(entry, rank)
        )
        return next(candidates, None)

    def take(self) -> J | None:
        """The job that begins now; None while none may."""
        if (candidate := self.find_next()) is None:
            return None
        entry, session = candidate
        if not self._follows(entry, session):
            self._turns[session].jobs = 0
        entry.owner, entry.began = session, self._clock()
        self._running[entry.job] = self._waiting.pop(entry.job)
        return entry.job

    def finish(self, job: J, seconds: float | None = None) -> None:
        """A job has ended; with ``seconds``, well: equal tasks are expected to take as long."""
        entry = self._running.pop(job)
        now = self._clock()
        for session in {entry.owner, *entry.wishes}:
            turn = self._turns[session]
            turn.ended = now
            turn.jobs += now - entry.began > SHORT_SECONDS
        if seconds is not None:
            self._durations.note(entry.key, seconds)
            for other in self._waiting.values():
                if other.key[0] == entry.key[0]:
                    other.expected = self._durations.estimate(other.key)

    def remove(self, job: J) -> None:
        """Take a waiting job out."""
        self._waiting.pop(job, None)

    def drop_abandoned(self) -> list[J]:
        """Take out the waiting jobs that nobody has looked at for long, and say which."""
        dropped = [
            job for job, e in self._waiting.items() if not self._is_watched(e, ABANDONED_SECONDS)
        ]
        for job in dropped:
            del self._waiting[job]
        known = {e.owner for e in self._running.values()}
        known.update(session for e in self._waiting.values() for session in e.wishes)
        since = self._clock() - CHAIN_SECONDS
        for session, turn in list(self._turns.items()):
            if session not in known and turn.ended < since:
                del self._turns[session]
        return dropped

    def find_position(self, job: J) -> int | None:
        """Its place among the waiting ones, from 1."""
        return {entry.job: n for n, entry in enumerate(self._list_in_order(), 1)}.get(job)

    def estimate(self, job: J) -> float | None:
        """Seconds until a waiting job is done, where it is known how long all before it take."""
        total = [self._estimate_remaining(entry) for entry in self._running.values()]
        for entry in self._list_in_order():
            if entry.job == job:
                known = [max(seconds, 0.0) for seconds in total if seconds is not None]
                if entry.expected is None or len(known) < len(total):
                    return None
                return sum(known) / self._workers + entry.expected
            total.append(entry.expected)
        return None

    def _find_entry(self, job: J) -> _WaitingJob[J] | None:
        return self._waiting.get(job) or self._running.get(job)

    def _list_in_order(self) -> list[_WaitingJob[J]]:
        return list(dict.fromkeys(entry for entry, *_ in self._rank_entries()))

    def _rank_entries(self) -> list[tuple[_WaitingJob[J], Session, int]]:
        """Waiting jobs, each for every session that wants it, and its rank among that session's."""
        wanted: defaultdict[Session, list[_WaitingJob[J]]] = defaultdict(list)
        for entry in self._waiting.values():
            for session in entry.wishes:
                wanted[session].append(entry)
        running = Counter(entry.owner for entry in self._running.values())
        places = []
        for session, entries in wanted.items():
            ended = self._turns[session].ended if session in self._turns else float("-inf")
            since = max(ended, min(entry.wishes[session].request_time for entry in entries))
            ordered = sorted(
                (
                    not self._is_watching(entry, session),
                    entry.expected or 0.0,
                    entry.number,
                    entry.job,
                )
                for entry in entries
            )
            for rank, (unwatched, seconds, number, job) in enumerate(ordered, running[session]):
                entry = self._waiting[job]
                follows = rank == 0 and self._follows(entry, session)
                due = since + DELAY_PER_SECOND * seconds
                places.append(((unwatched, not follows, rank, due, number), entry, session, rank))
        return [place[1:] for place in sorted(places, key=lambda place: place[0])]

    def _follows(self, entry: _WaitingJob[J], session: Session) -> bool:
        """Whether a session asked for it right after the first longer job of its turn."""
        turn = self._turns.get(session)
        waited = -1.0 if turn is None else entry.wishes[session].request_time - turn.ended
        return turn is not None and 0 <= waited <= CHAIN_SECONDS and turn.jobs <= 1

    def _may_begin(self, entry: _WaitingJob[J], rank: int) -> bool:
        busy = list(self._running.values())
        if len(busy) != self._workers:
            return len(busy) < self._workers
        if rank > 0:  # its session has a running job
            return False
        watched = {other.owner for other in busy if self._is_watched(other)}
        short = entry.expected is not None and entry.expected <= SHORT_SECONDS
        left = [
            seconds for other in busy if (seconds := self._estimate_remaining(other)) is not None
        ]
        soon = any(abs(seconds) <= SHORT_SECONDS for seconds in left)
        return len(watched) < self._workers or (short and not soon)

    def _estimate_remaining(self, entry: _WaitingJob[J]) -> float | None:
        """Expected seconds to go of a running job; below 0 when it takes longer."""
        elapsed = self._clock() - entry.began
        return None if entry.expected is None else entry.expected - elapsed

    def _is_watching(
        self, entry: _WaitingJob[J], session: Session, within: float = WATCHED_SECONDS
    ) -> bool:
        """Whether a session is there still; what has no session is taken to be."""
        return session is None or self._clock() - entry.wishes[session].looked <= within

    def _is_watched(self, entry: _WaitingJob[J], within: float = WATCHED_SECONDS) -> bool:
        return any(self._is_watching(entry, session, within) for session in entry.wishes)
