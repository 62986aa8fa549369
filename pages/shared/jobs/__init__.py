"""Long work off the script's thread: submit, watch, cancel.

Whatever needs torch or cvxpy runs in a worker process; the app's own process stays light. One job
serves every session that asks for the same thing; it goes on when a slider moves or a tab closes,
and its result is kept until memory is needed for newer ones, and in a database beyond the process.

    job = jobs.submit(tasks.reference, dataset="digits", model="mlp", seed=0)
    job.status, job.progress, job.partial, job.result

A task is a function ``task(report, ...)`` of a module that imports neither torch nor Streamlit at
its top; see ``report.py`` for what it calls on its way.

The pool is a module's own and no Streamlit resource: any client may clear those.
"""

import atexit
import threading
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from compression.studies.location import default_url

from .job import Job
from .pool import Pool
from .report import Report, measures_time
from .sessions import identify_sessions_by

__all__ = [
    "Job",
    "Pool",
    "Report",
    "health",
    "identify_sessions_by",
    "measures_time",
    "shared_pool",
    "start",
    "submit",
]

P = ParamSpec("P")
R = TypeVar("R")

_pool: Pool | None = None
_starting = threading.Lock()


def shared_pool() -> Pool:
    """The app's pool; started when first asked for."""
    global _pool
    with _starting:
        if _pool is None:
            _pool = Pool(store=default_url())
            # Runs before the workers end, so that their end is not logged.
            atexit.register(_pool.close)
        return _pool


def start() -> None:
    """Start the workers, if they are not there yet; comes back at once."""
    shared_pool()


def health() -> dict[str, float]:
    """Whether jobs can be done, ``ok``, and how many run and wait: see ``Pool.health``."""
    return shared_pool().health()


def submit(
    task: Callable[Concatenate[Report, P], R], /, *args: P.args, **kwargs: P.kwargs
) -> Job[R]:
    """The job of that task and those arguments: a new one, or the one that there is.

    Parameters
    ----------
    task : callable
        A module's function ``task(report, ...)``, importable in a worker.
    *args, **kwargs
        Names, numbers, bytes, and tuples of them. One request is one job however it is spelt:
        by position or name, with or without what is the default anyway, 12, 12.0 or
        np.int64(12). Bytes are recognised by their SHA-256.

    Returns
    -------
    Job
        In whatever state it is; a failed or cancelled one is started again by ``job.retry()``.
        One that could not be taken, since too much is waiting, has failed with that sentence.
    """
    return shared_pool().submit(task, *args, **kwargs)
