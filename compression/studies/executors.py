"""Who computes a study's fits, all by the interface of ``concurrent.futures``."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from functools import cache
from typing import Any

from compression.errors import ArgumentError, CompressionError

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CONNECT_SECONDS = 20.0
COUNT_SECONDS = 1.0  # a cluster's workers are counted again after this time
PARENT_SECONDS = 1.0  # between a worker's checks that its driver is alive
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
MOST_KEPT_BYTES = 32 * 2**20  # glibc keeps freed blocks up to this size by itself
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class SerialExecutor(Executor):
    """Computes a fit when it is submitted, in the calling thread: for callers that are workers."""

    workers = 1

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalProcesses(Executor):
    """Processes of this machine with one BLAS thread each; lost ones are replaced.

    Parameters
    ----------
    workers : int, optional
        As many as cores that this process may use, a container's limit too, less one, at least
        one, when left out.
    """

    bundle_seconds = 0.5  # of short fits in one call, which costs the driver 4 ms of a core

    def __init__(self, workers: int | None = None) -> None:
        import loky

        self.workers = max(loky.cpu_count() - 1, 1) if workers is None else workers
        if self.workers < 1:
            raise ArgumentError(f"{workers} workers compute nothing: choose 1 or more")
        self._pool: Executor | None = None

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        import loky

        self._pool = loky.get_reusable_executor(
            max_workers=self.workers,
            timeout=60,
            env=dict.fromkeys(_ONE_THREAD, "1"),
            initializer=_prepare_worker,
            initargs=(os.getpid(),),
        )
        return self._pool.submit(function, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With ``cancel_futures`` kill the processes: what is not over is dropped.

        Otherwise nothing: the next study uses them, and idle ones end by themselves.
        """
        pool: Any = self._pool
        if cancel_futures and pool is not None:
            pool.shutdown(wait=wait, kill_workers=True)


class DaskExecutor(Executor):
    """Workers of a Dask cluster that is running already; each needs this project on its path.

    Start them with ``DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED=False``: their profiler looks at
    each fit a hundred times a second, and small ones take longer by it.

    A call costs the driver and the scheduler 9 ms of a core, as much as a tenth of a small fit:
    ``bundle_seconds`` says up to how many seconds of short fits a study hands out as one call.

    Parameters
    ----------
    address : str, optional
        Of the scheduler, "tcp://host:8786"; the environment's ``DASK_SCHEDULER_ADDRESS`` when left
        out.

    Raises
    ------
    CompressionError
        ``distributed`` is not installed, no address is given, or nobody answers there.
    """

    bundle_seconds = 0.5

    def __init__(self, address: str | None = None) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError:
            raise CompressionError(
                "Dask needs its package: python -m pip install distributed==2026.8.0"
            ) from None
        address = address or os.environ.get(ADDRESS)
        if not address:
            raise ArgumentError(f"say where Dask's scheduler is: {ADDRESS}=tcp://HOST:8786")
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise CompressionError(f"no Dask scheduler answers at {address}: {error}") from None
        self._counted, self._threads = float("-inf"), 1

    @property
    def workers(self) -> int:
        """Threads of the cluster, counted once a second: workers come and go.

        The scheduler is asked, which costs a driver that asks for every fit 3 to 5 ms of each.
        """
        if time.monotonic() - self._counted > COUNT_SECONDS:
            self._threads = max(sum(self._client.nthreads().values()), 1)
            self._counted = time.monotonic()
        return self._threads

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        remote = self._client.submit(_call, function, *args, pure=False, **kwargs)
        loop: Any = self._client.loop
        loop.add_callback(self._pass_on, remote, future)
        return future

    async def _pass_on(self, remote: Any, future: Future[Any]) -> None:
        """End the future, whatever becomes of the remote one.

        Dask's own executor leaves its future pending for ever where fetching fails: when the worker
        that holds a result is closed, and its key was forgotten or has failed meanwhile.
        """
        try:
            result = await self._client.gather(remote, asynchronous=True)
        except BaseException as error:
            if remote.status == "error":  # raises the function's error, or that its workers died
                future.set_exception(error)
            elif self._client.status != "running":
                future.set_exception(CancelledError())
            else:
                future.set_exception(BrokenExecutor(f"its result is lost: {error!r}"))
        else:
            future.set_result(result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster: what is not over is dropped."""
        self._client.close()


def is_lost(error: BaseException) -> bool:
    """Whether an error says that a worker is gone, and not that its function failed."""
    of_dask = type(error).__module__.partition(".")[0] == "distributed"
    return of_dask or isinstance(error, (BrokenExecutor, OSError, EOFError))


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a Dask worker runs."""
    _keep_freed_memory()
    return function(*args, **kwargs)


@cache
def _keep_freed_memory() -> None:
    """Have this process keep the memory of arrays that it frees, as processes do by themselves.

    Dask sets MALLOC_TRIM_THRESHOLD_ for its workers, and in who starts them for good, which ends
    glibc's own adjustment: each array over 128 kB is then mapped, zeroed and unmapped anew, and
    fits took 1.3 to 1.6 times as long.
    """
    set_option = getattr(ctypes.pythonapi, "mallopt", None)
    if set_option is not None:
        set_option(M_MMAP_THRESHOLD, MOST_KEPT_BYTES)
        set_option(M_TRIM_THRESHOLD, 2 * MOST_KEPT_BYTES)


def _prepare_worker(driver: int) -> None:
    """Ctrl-C reaches every process of a terminal: a fit in flight is finished all the same."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_freed_memory()
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: int) -> None:
    """End this process soon after its driver: no other process keeps the results."""
    while os.getppid() == driver:
        time.sleep(PARENT_SECONDS)
    os._exit(1)
