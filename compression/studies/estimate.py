"""How long what a study lacks will take, from kept fits like it."""

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from .contents import guess_contents
from .specification import FAMILIES, Study, read_curve_settings
from .store import AT_ONCE, FITS, identify
from .study_store import StudyStore

if TYPE_CHECKING:
    from .driver import Progress

LOOKED_AT = 5000  # newest of the kept fits


@dataclass(frozen=True)
class Estimate:
    """What is to come of a study.

    Attributes
    ----------
    fits : int
        That are not there yet.
    alike : int
        Of them those that a kept fit is like: of the same dataset, model and method.
    seconds : float
        Of the alike ones, one after the other: medians of what such fits took.
    """

    fits: int
    alike: int
    seconds: float


def estimate_time(study: Study, store: StudyStore) -> Estimate:
    """What a study still costs, as far as it is known. Raises StoreError."""
    contents = guess_contents(study.datasets, store)
    requests = [
        request
        for reference in study.references(contents)
        for request in (reference, *study.curve_requests(reference))
    ]
    keys = [identify(request) for request in requests]
    over: set[str] = set()
    for first in range(0, len(keys), AT_ONCE):
        over |= store.find_over(keys[first : first + AT_ONCE])
    pending = [each for key, each in zip(keys, requests, strict=True) if key not in over]
    known = _measure_kinds(store) if pending else {}
    estimates = [
        next((known[kind] for kind in _list_kinds(request) if kind in known), None)
        for request in pending
    ]
    alike = [seconds for seconds in estimates if seconds is not None]
    return Estimate(len(pending), len(alike), sum(alike))


def describe_estimate(estimate: Estimate) -> str:
    """Fits to come and their time, in a sentence; the time is one processor's."""
    if not estimate.fits:
        return "every fit is there already"
    if not estimate.alike:
        return (
            f"{estimate.fits:,} fits to compute; how long is not known yet: nothing like them has "
            "run here"
        )
    time = f"about {describe_seconds(estimate.seconds)} of one core"
    if (rest := estimate.fits - estimate.alike) == 0:
        return f"{estimate.fits:,} fits to compute, {time}, as fits like them took here"
    return (
        f"{estimate.fits:,} fits to compute: {estimate.alike:,} of them {time}, as fits like them "
        f"took here; nothing like the other {rest:,} has run here yet"
    )


def share_of_time(progress: "Progress", spent: float) -> float:
    """How much of a run's time is over, 0 to 1, after so many seconds of it.

    What was kept before took no time of this run: a study that is resumed near its end is not near
    the end of its run.
    """
    if progress.done == progress.total:
        return 1.0
    if progress.seconds_left is None or spent <= 0:
        return 0.0
    return spent / (spent + progress.seconds_left)


def describe_seconds(seconds: float) -> str:
    """A duration as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _measure_kinds(store: StudyStore) -> dict[Hashable, float]:
    """Median seconds of the kept fits of each kind."""
    query = (
        sql.select(FITS.c.request, FITS.c.seconds)
        .where(FITS.c.name.in_(("reference", *FAMILIES)), FITS.c.status == "done")
        .order_by(FITS.c.finished_at.desc())
        .limit(LOOKED_AT)
    )
    taken = defaultdict(list)
    for request, seconds in store.read(query):
        for kind in _list_kinds(json.loads(request)):
            taken[kind].append(seconds)
    return {kind: median(values) for kind, values in taken.items()}


def _list_kinds(request: Mapping[str, Any]) -> list[Hashable]:
    """What a fit's seconds depend on, the narrowest first; not its seed, fold and version."""
    where = request.get("reference", request)
    place = (where["dataset"], where["model"], where["epochs"])
    if request["stage"] == "reference":
        return [("reference", *place)]
    settings = request["settings"]
    names = (request["family"], settings.get("method"), settings.get("constraint"))
    return [
        (*place[:2], json.dumps(read_curve_settings(request), sort_keys=True)),
        (*place[:2], *names),
    ]
