"""The fits of a study that are to come, and which of them one call computes next."""

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from .fit import name_shared_work
from .store import identify

TRIES = 3  # of a fit whose worker was lost


class PendingFits:
    """Fits that nobody computes yet, in the order of their turns.

    A fit whose worker was lost is suspect: it may have ended the worker, or have been there when
    another did. It is computed again alone, when nothing else flies.

    Parameters
    ----------
    requests : mapping
        A study's fits by their keys.
    keys : iterable of str
        Those that are pending, in the order of their turns.
    """

    def __init__(self, requests: Mapping[str, Mapping[str, Any]], keys: Iterable[str]) -> None:
        self._requests = requests
        self._waiting = deque(keys)
        self._suspects: deque[str] = deque()
        self._losses: dict[str, int] = {}
        self._seconds: dict[tuple[str, ...], float] = {}  # that the last fit of a kind took
        self._leased_by_others: set[str] = set()  # by other drivers

    def __len__(self) -> int:
        return len(self._waiting) + len(self._suspects)

    @property
    def has_fits_of_others(self) -> bool:
        """Whether other drivers are known to compute some of them."""
        return bool(self._leased_by_others)

    def choose_call(
        self, done: Collection[str], flying: Collection[str], workers: int, seconds: float
    ) -> list[str]:
        """Fits for one call: the next one, and those behind it that share its work or are short.

        A short curve may follow its reference in the same call. None joins for being short whose
        kind was never computed, and none at all that is suspect. The last fits are spread over all
        workers.

        Parameters
        ----------
        done, flying : collection of str
            Keys of the fits that are over, and of those that somebody computes for this driver.
        workers : int
        seconds : float
            That fits of one call may take when they share no work.
        """
        most = max(len(self._waiting) // (2 * workers), 1)
        call: list[str] = []
        for key in self._list_free(flying):
            reference = self._identify_reference(key)
            if not (reference is None or reference in done or reference in call):
                continue
            took = self._seconds.get(_find_kind(self._requests[key]), float("inf"))
            joins = self._shares_work(key, call) or took <= seconds
            if call and (key in self._losses or not joins):
                break
            seconds -= took
            call.append(key)
            if len(call) == most or key in self._losses:
                break
        return call

    def _list_free(self, flying: Collection[str]) -> Iterator[str]:
        """Those that no other driver has; suspects when nothing else flies or is ready."""
        if any(key in self._losses for key in flying):
            return iter(())  # If a worker is lost now, it is known which fit it was.
        candidates = self._waiting if flying else chain(self._waiting, self._suspects)
        return (key for key in candidates if key not in self._leased_by_others)

    def _identify_reference(self, key: str) -> str | None:
        """Key of a curve's reference; None for a reference."""
        reference = self._requests[key].get("reference")
        return None if reference is None else identify(reference)

    def _shares_work(self, key: str, call: Sequence[str]) -> bool:
        """Whether a fit has work in common with those of a call."""
        work = name_shared_work(self._requests[key])
        return (
            bool(call) and work is not None and work == name_shared_work(self._requests[call[-1]])
        )

    def take(self, key: str) -> None:
        """A fit waits no more."""
        (self._suspects if key in self._losses else self._waiting).remove(key)

    def put_first(self, *keys: str) -> None:
        """Let fits wait that are to be computed before all others, in this order."""
        self._waiting.extendleft(reversed(keys))

    def suspect(self, key: str) -> bool:
        """Let a fit wait whose worker was lost; whether it is tried once more at all."""
        self._losses[key] = self._losses.get(key, 0) + 1
        if tried_again := self._losses[key] < TRIES:
            self._suspects.append(key)
        return tried_again

    def note_seconds(self, key: str, seconds: float) -> None:
        """What a fit took: others of its kind are expected to take as long."""
        self._seconds[_find_kind(self._requests[key])] = seconds

    def leave(self, key: str) -> None:
        """Leave a fit to the driver that has its lease."""
        self._leased_by_others.add(key)

    def forget_others(self, done: Collection[str]) -> None:
        """Ask for all leases anew, but not for what is over by now."""
        self._leased_by_others.clear()
        self._waiting = deque(key for key in self._waiting if key not in done)
        self._suspects = deque(key for key in self._suspects if key not in done)


def group_by_split(references: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those on the same rows one after the other: a worker keeps the few splits it loaded last."""
    return _group(references, lambda each: (each["dataset"], each["seed"], each.get("fold")))


def group_by_work(curves: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that share work one after the other: one call may have them all."""
    return _group(curves, name_shared_work)


def _group(
    requests: Iterable[dict[str, Any]], find_group: Callable[[dict[str, Any]], Hashable]
) -> list[dict[str, Any]]:
    """The groups in the order of their first members, each in its members' order."""
    groups: dict[Hashable, list[dict[str, Any]]] = {}
    for request in requests:
        groups.setdefault(find_group(request), []).append(request)
    return [request for group in groups.values() for request in group]


def name_curves(request: Mapping[str, Any]) -> str:
    """What tables of what is kept call a fit: "reference", or its curves' family."""
    name: str = request["stage"] if request["stage"] == "reference" else request["family"]
    return name


def _find_kind(request: Mapping[str, Any]) -> tuple[str, ...]:
    """What fits of about the same time have in common: what is computed, of which network."""
    reference, settings = request.get("reference", request), str(request.get("settings"))
    return name_curves(request), settings, reference["dataset"], reference["model"]
