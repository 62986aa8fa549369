"""What do the store and the driver of a study cost beside its fits?"""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from compression import studies
from compression.studies import fit
from compression.studies.overview import STAGE
from compression.studies.specification import build_study
from compression.studies.store import LEASES, NUMBERS
from compression.studies.study_store import StudyStore
from pages.views.studies import tasks

from .postgresql import find_programs, serve_postgresql
from .table import Row

FITS = int(os.environ.get("COMPRESS_FITS", "500"))
ROWS = int(os.environ.get("COMPRESS_ROWS", "1000000"))
FEWER_ROWS = {1000: 5, 5: 100}  # rows a curve: ROWS over this show the pace as well
OPENED = (1000, 20)  # rows a curve: the fewer they are, the more fits
WORKERS = 2
TURNS = 8  # of the pool and joblib: the machine's speed changes from one to the next
DASK_TURNS = 4
SECONDS = 2.0  # that people wait for a study
PACE = 2000  # rows a second


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        yield from measure_resumption(Path(folder))
        yield from measure_sleepers(Path(folder))
        yield from throughput(Path(folder))
        yield from pace(Path(folder))
        yield from time_opening(Path(folder))


def small_study(name: str, first_seed: int, seeds: int, epochs: int = 1) -> studies.Study:
    curve = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]})
    chosen = tuple(range(first_seed, first_seed + seeds))
    return studies.Study(name, ("iris",), ("softmax_regression",), chosen, (curve,), epochs)


def require_at_most(
    limit: float, ratio: float, question: str, measured: str, peer: str, holds: bool = True
) -> Row:
    return Row(question, measured, peer, ratio, f"≤ {limit:g}", holds and ratio <= limit)


def require_at_least(limit: float, ratio: float, question: str, measured: str, peer: str) -> Row:
    return Row(question, measured, peer, ratio, f"≥ {limit:g}", ratio >= limit)


def measure_resumption(folder: Path) -> Iterator[Row]:
    """Until a study that was killed half way goes on, and until one that is over says so."""
    study, url = small_study("again", 0, FITS // 2), f"sqlite:///{folder / 'again.db'}"
    context = multiprocessing.get_context("spawn")  # nothing is imported or started before
    driver = context.Process(target=_drive, args=(study, url))
    driver.start()
    store = StudyStore(url)
    while driver.is_alive() and len(store.list_done(study.name)) < study.count() // 2:
        time.sleep(0.01)
    os.kill(driver.pid or 0, signal.SIGKILL)
    driver.join()
    done = store.list_done(study.name)
    leases = len({row.fit for row in store.read(LEASES.select())} - done)
    ours, theirs = context.Pipe()
    again = context.Process(target=_time_resumption, args=(study, url, theirs))
    again.start()
    times = ours.recv()
    again.join()
    what = f"{study.count()} fits, its driver killed after {len(done)}, {leases} leases left"
    floor = _time_imports()
    first, kept = times
    question, took = f"{what}: run again, until a fit is handed out", f"{first:.2f} s"
    yield require_at_most(1, first / SECONDS, question, took, f"{SECONDS:g} s", leases > 0)
    question = f"{what}: run again, until a new fit is kept"
    theirs = f"{floor:.2f} s, {WORKERS} new processes that import torch and scikit-learn"
    yield require_at_most(1.5, kept / floor, question, f"{kept:.2f} s", theirs, leases > 0)
    studies.run(study, store, SleepingWorkers(1, 0.0))
    began = time.perf_counter()
    over = studies.run(study, store, SleepingWorkers(1, 0.0)).done
    seconds = time.perf_counter() - began
    question = f"a study of {over} fits that is over, run again"
    yield require_at_most(1, seconds / SECONDS, question, f"{seconds:.2f} s", f"{SECONDS:g} s")
    began = time.perf_counter()
    subprocess.run(_resume(study, url), check=True, capture_output=True)
    seconds = time.perf_counter() - began
    question += " by its command, Python's start and imports counted"
    yield require_at_most(1, seconds / SECONDS, question, f"{seconds:.2f} s", f"{SECONDS:g} s")
    store.delete(store.study_fits(study.name)["key"].tolist()[study.count() // 2 :])
    seconds = _time_command(study, store, url)
    question = f"{study.count()} fits, half of them kept, by the command: until one is handed out"
    yield require_at_most(1, seconds / SECONDS, question, f"{seconds:.2f} s", f"{SECONDS:g} s")
    store.close()


def _resume(study: studies.Study, url: str) -> list[str]:
    """The command that goes on with a study."""
    command = [sys.executable, "-m", "compression", "study", "resume", study.name]
    return [*command, "--store", url, "--workers", str(WORKERS)]


def _time_command(study: studies.Study, store: StudyStore, url: str) -> float:
    """Seconds from a shell's call to the first fit that is leased; the command is then killed."""
    before, began = set(store.list_owners()), time.perf_counter()
    command = subprocess.Popen(_resume(study, url), stdout=DEVNULL, stderr=DEVNULL)
    while not set(store.list_owners()) - before and command.poll() is None:
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    command.kill()
    command.wait()
    return seconds


def _time_imports() -> float:
    """Seconds until as many new processes as workers have imported what every fit needs."""
    began = time.perf_counter()
    command = [sys.executable, "-c", "import torch, sklearn.datasets"]
    for process in [subprocess.Popen(command) for _ in range(WORKERS)]:
        process.wait()
    return time.perf_counter() - began


def _drive(study: studies.Study, url: str) -> None:
    studies.run(study, url, studies.LocalProcesses(WORKERS))


class WatchedProcesses(studies.LocalProcesses):
    """Processes that know when they were handed the first fit."""

    asked_at = 0.0

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked_at = self.asked_at or time.perf_counter()
        return super().submit(function, *args, **kwargs)


def _time_resumption(study: studies.Study, url: str, pipe: Any) -> None:
    """Send the seconds from the call to the first fit that is handed out, and that is kept."""
    seen: list[tuple[int, float]] = []

    def report(progress: studies.Progress) -> bool:
        seen.append((progress.done, time.perf_counter() - began))
        return progress.done == seen[0][0]

    executor, began = WatchedProcesses(WORKERS), time.perf_counter()
    studies.run(study, url, executor, report=report)
    kept = next(seconds for done, seconds in seen if done > seen[0][0])
    pipe.send((executor.asked_at - began, kept))


class SleepingWorkers(ThreadPoolExecutor):
    """Workers that sleep instead of computing: what is left is what the driver costs."""

    def __init__(self, workers: int, seconds: float) -> None:
        super().__init__(workers)
        self.workers, self._seconds = workers, seconds

    def submit(self, function, /, *args, **kwargs):
        return super().submit(self._sleep)

    def _sleep(self) -> fit.FitOutcome:
        time.sleep(self._seconds)
        row = pd.DataFrame([dict.fromkeys(NUMBERS, 1.0)])
        return fit.FitOutcome(row, b"weights", "", self._seconds)


def measure_sleepers(folder: Path) -> Iterator[Row]:
    seconds, count = 0.2, 120
    for workers in (1, 2, 4):
        study = small_study(f"sleep {workers}", 1000 * workers, count // 2)
        url = f"sqlite:///{folder / f'sleep{workers}.db'}"
        began = time.perf_counter()
        with SleepingWorkers(workers, seconds) as executor:
            studies.run(study, url, executor)
        took = time.perf_counter() - began
        with SleepingWorkers(workers, seconds) as executor:
            began = time.perf_counter()
            for asleep in [executor.submit(fit.compute) for _ in range(count)]:
                asleep.result()
        least = time.perf_counter() - began
        question = f"{count} fits that sleep {seconds:g} s, {workers} workers: efficiency"
        peer = f"{least:.2f} s, the same sleeps and no study"
        yield require_at_least(0.95, least / took, question, f"{took:.2f} s", peer)


def throughput(folder: Path) -> Iterator[Row]:
    """The same fits through the driver and the store, by joblib, which keeps nothing, and by Dask.

    They take turns, and the ratios are the turns' medians.
    """
    store = StudyStore(f"sqlite:///{folder / 'many.db'}")
    ours, peer = [], []
    on_dask: dict[bool, list[float]] = {False: [], True: []}  # by whether its workers profile
    used = driver_seconds = 0.0
    fits = []
    for number in range(TURNS):
        study = digits_study(number)
        before = time.process_time()
        took, busy = _run_warm(study, store, studies.LocalProcesses(WORKERS))
        driver_seconds += time.process_time() - before
        used += busy
        ours.append(took)
        fits.append(store.study_fits(study.name))
        peer.append(_run_with_joblib(study))
        if number < DASK_TURNS:
            for profiles, taken in on_dask.items():
                url = f"sqlite:///{folder / f'dask{number}{profiles}.db'}"
                taken.append(_run_on_dask(study, url, profiles))
    table = pd.concat(fits)
    inside, both = float(table["seconds"].sum()), WORKERS * sum(ours)
    question = f"{len(table)} fits of digits in {TURNS} turns, {WORKERS} processes, kept"
    theirs = f"{sum(peer):.1f} s, joblib, nothing kept"
    ratio = float(np.median(np.divide(ours, peer)))
    yield require_at_most(1.05, ratio, question, f"{sum(ours):.1f} s", theirs)
    question = f"of {WORKERS} cores' time used by the workers (/proc)"
    yield require_at_least(0.85, used / both, question, f"{used:.1f} s", f"{both:.1f} s")
    question = f"of {WORKERS} processes' time inside fits"
    yield require_at_least(0.9, inside / both, question, f"{inside:.1f} s", f"{both:.1f} s")
    question = "the driver's processor time, beside that"
    theirs = f"{inside:.1f} s in fits"
    yield require_at_most(0.1, driver_seconds / inside, question, f"{driver_seconds:.1f} s", theirs)
    beside = ours[:DASK_TURNS]
    theirs = f"{sum(beside):.1f} s, the pool"
    for profiles, taken in on_dask.items():
        ratio, took = float(np.median(np.divide(taken, beside))), f"{sum(taken):.1f} s"
        question = f"{DASK_TURNS} of them on {WORKERS} Dask workers"
        if profiles:
            yield Row(f"{question} that profile, as they come", took, theirs, ratio, "", None)
        else:
            yield require_at_most(1.15, ratio, question, took, theirs)


def digits_study(number: int) -> studies.Study:
    """Two models' references and curves; ``number``: seeds of its own, as what is known is not run."""
    curve = studies.Curves("low_rank", {"method": "truncated_svd"})
    count = -(-FITS // 8)  # each seed makes four fits: half as many as asked for, at least
    seeds = tuple(range(number * count, (number + 1) * count))
    models = ("softmax_regression", "mlp")
    return studies.Study(f"many {number}", ("digits",), models, seeds, (curve,), 2)


def _run_with_joblib(study: studies.Study) -> float:
    """Seconds that joblib takes for a study's fits, a reference and its curve at a time."""
    from joblib import Parallel, delayed

    def compute_both(reference: dict) -> None:
        file = fit.compute(reference).content
        for request in study.curve_requests(reference):
            fit.compute(request, file)

    with Parallel(n_jobs=WORKERS) as parallel:
        parallel(delayed(_warm_up)() for _ in range(2 * WORKERS))
        began = time.perf_counter()
        parallel(delayed(compute_both)(reference) for reference in study.references())
        return time.perf_counter() - began


def _run_on_dask(study: studies.Study, url: str, profiles: bool) -> float:
    """Seconds that a study takes of as many Dask workers of this machine."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.worker.profile.enabled": profiles}),
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        studies.DaskExecutor(cluster.scheduler_address) as executor,
    ):
        return _run_warm(study, StudyStore(url), executor)[0]


def _run_warm(study: studies.Study, store: StudyStore, executor: Any) -> tuple[float, float]:
    """Seconds that a study takes of workers that have computed before, and what they use of cores."""
    for ready in [executor.submit(_warm_up) for _ in range(2 * WORKERS)]:
        ready.result()
    before, began = _sum_children(), time.perf_counter()
    studies.run(study, store, executor)
    return time.perf_counter() - began, _sum_children() - before


def _warm_up() -> None:
    """A fit of another seed, so that what a worker imports on its way is not counted."""
    study = digits_study(0)
    reference = next(study.references()) | {"seed": 10**6}
    file = fit.compute(reference).content
    for request in study.curve_requests(reference):
        fit.compute(request, file)


def _sum_children() -> float:
    """Processor time of this process's children, of those that are over too."""
    over, ticks = os.times(), 0
    for child in list_children(os.getpid()):
        with suppress(FileNotFoundError):
            # The fields utime and stime, 14 and 15: the name before them may hold spaces.
            stat = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK") + over.children_user + over.children_system


def list_children(process: int) -> list[int]:
    """Process ids of a process's children; none when it has just ended."""
    children: list[int] = []
    with suppress(FileNotFoundError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            children += map(int, (thread / "children").read_text().split())
    return children


def pace(folder: Path) -> Iterator[Row]:
    """Rows a second into both databases, of large curves and of small ones."""
    yield from _measure_pace("SQLite", lambda name: f"sqlite:///{folder / f'{name}.db'}")
    if (programs := find_programs()) is None:
        yield Row("rows into PostgreSQL", "no initdb here", f"{PACE:,} rows/s", 0, "≥ 1", None)
        return
    with serve_postgresql(programs) as url:
        yield from _measure_pace("PostgreSQL", lambda name: url)


def _measure_pace(database: str, name_url: Callable[[str], str]) -> Iterator[Row]:
    for each, part in FEWER_ROWS.items():
        store = StudyStore(name_url(f"pace{each}"))
        count, seconds = _fill(store, f"pace {each}", each, ROWS // part)
        store.close()
        question = f"{count:,} rows into {database}, {each} a curve, 1 a reference"
        measured, goal = f"{count / seconds:,.0f} rows/s", f"{PACE:,} rows/s"
        yield require_at_least(1, count / seconds / PACE, question, measured, goal)


def _fill(store: StudyStore, name: str, each: int, total: int) -> tuple[int, float]:
    """Put a study of about so many rows; how many there are, and the seconds that they took."""
    study = small_study(name, 0, max(total // (each + 1), 1))
    requests = [
        request
        for reference in study.references()
        for request in (reference, *study.curve_requests(reference))
    ]
    store.put_study(study.name, study.to_json(), requests)
    numbers = np.random.default_rng(0).uniform(0.1, 1, size=(each, len(NUMBERS)))
    table, count = pd.DataFrame(numbers, columns=list(NUMBERS)), 0
    began = time.perf_counter()
    for request in requests:
        table_rows = table[:1] if request["stage"] == "reference" else table
        store.put(request, b"", name=request["stage"], rows=table_rows)
        count += len(table_rows)
    return count, time.perf_counter() - began


def time_opening(folder: Path) -> Iterator[Row]:
    """Studies of many rows, of few fits and of many: what their page waits for, by the clock."""
    for each in OPENED:
        yield from _open(f"sqlite:///{folder / f'large{each}.db'}", each)


def _open(url: str, each: int) -> Iterator[Row]:
    store = StudyStore(url)
    count, _ = _fill(store, "large", each, ROWS)
    specification = store.read_specification("large") or ""
    fits = build_study(json.loads(specification)).count()
    few = small_study("few", 10**6, 2).to_json()
    tasks.run_study(_take_partial, few, "sqlite://")  # what is imported is not counted
    what, goal = f"a study of {count:,} rows, {fits:,} fits", f"{SECONDS:g} s"
    measured, seconds = _time_page(specification, url)
    question = f"{what}, opened by its page when nothing is kept of what is shown"
    yield Row(question, measured, goal, seconds / SECONDS, "", None)
    store.delete(set(store.table(f"{STAGE} large")["key"]))
    began = time.perf_counter()
    study = build_study(json.loads(specification))
    studies.run(study, store, studies.SerialExecutor())
    store.close()
    seconds = time.perf_counter() - began
    question = f"{what}: at its end, when all fits are there, to keep what is shown of it"
    yield Row(question, f"{seconds:.2f} s", goal, seconds / SECONDS, "", None)
    for who in ("first", "next"):
        measured, seconds = _time_page(specification, url)
        question = f"{what}, opened after that by the page of whoever comes {who}"
        yield require_at_most(1, seconds / SECONDS, question, measured, goal)


def _time_page(specification: str, url: str) -> tuple[str, float]:
    """What a study's page waits for, in words and in seconds."""
    before, began = time.process_time(), time.perf_counter()
    tasks.run_study(_take_partial, specification, url)
    used, seconds = time.process_time() - before, time.perf_counter() - began
    return f"{seconds:.2f} s, {used:.2f} s of a core", seconds


def _take_partial(done: int, total: int, so_far: Any = None, message: str = "") -> bool:
    """A job's report as its first one is: what there is so far is asked for at once."""
    if so_far is not None:
        so_far()
    return True
