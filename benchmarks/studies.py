"""What do the store and the driver of a study cost beside its fits?"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from compression import studies
from compression.studies import fit
from compression.studies.store import NUMBERS
from compression.studies.study_store import StudyStore

from .table import Row

FITS = int(os.environ.get("COMPRESS_FITS", "500"))
ROWS = int(os.environ.get("COMPRESS_ROWS", "1000000"))
WORKERS = 2
ROUNDS = 2


def rows() -> Iterator[Row]:
    with TemporaryDirectory() as folder:
        yield from resumption(Path(folder))
        yield from sleepers(Path(folder))
        yield from throughput(Path(folder))
        yield from size(Path(folder))


def small_study(name: str, first_seed: int, seeds: int, epochs: int = 1) -> studies.Study:
    curve = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]})
    chosen = tuple(range(first_seed, first_seed + seeds))
    return studies.Study(name, ("iris",), ("softmax_regression",), chosen, (curve,), epochs)


def resumption(folder: Path) -> Iterator[Row]:
    """Until a study that is over, or was stopped at its end, says so."""
    store = StudyStore(f"sqlite:///{folder / 'again.db'}")
    study = small_study("again", 0, FITS // 2)
    studies.run(study, store, Sleeping(1, 0.0))
    began = time.perf_counter()
    driver_done = studies.run(study, store, Sleeping(1, 0.0)).done
    seconds = time.perf_counter() - began
    yield Row(
        f"a study of {driver_done} fits that is over, run again",
        f"{seconds:.2f} s",
        "2 s",
        seconds / 2,
        "≤ 1",
        seconds <= 2,
    )


class Sleeping(ThreadPoolExecutor):
    """Workers that sleep instead of computing: what is left is what the driver costs."""

    def __init__(self, workers: int, seconds: float) -> None:
        super().__init__(workers)
        self.workers, self._seconds = workers, seconds

    def submit(self, function, /, *args, **kwargs):
        return super().submit(self._sleep)

    def _sleep(self) -> fit.Outcome:
        time.sleep(self._seconds)
        row = pd.DataFrame([dict.fromkeys(NUMBERS, 1.0)])
        return fit.Outcome(row, b"weights", "", self._seconds)


def sleepers(folder: Path) -> Iterator[Row]:
    seconds, count = 0.2, 120
    for workers in (1, 2, 4):
        study = small_study(f"sleep {workers}", 1000 * workers, count // 2)
        url = f"sqlite:///{folder / f'sleep{workers}.db'}"
        began = time.perf_counter()
        with Sleeping(workers, seconds) as executor:
            studies.run(study, url, executor)
        took = time.perf_counter() - began
        with Sleeping(workers, seconds) as executor:
            began = time.perf_counter()
            for asleep in [executor.submit(fit.compute) for _ in range(count)]:
                asleep.result()
        least = time.perf_counter() - began
        yield Row(
            f"{count} fits that sleep {seconds:g} s, {workers} workers: efficiency",
            f"{took:.2f} s",
            f"{least:.2f} s, the same sleeps and no study",
            least / took,
            "≥ 0.95",
            least / took >= 0.95,
        )


def throughput(folder: Path) -> Iterator[Row]:
    """The same fits through the driver and the store, by joblib, which keeps nothing, and by Dask.

    The three take turns, twice: the machine is not as fast all the time.
    """
    store = StudyStore(f"sqlite:///{folder / 'many.db'}")
    ours = peer = cluster = own = 0.0
    fits = []
    for number in range(ROUNDS):
        study = digits_study(number)
        before = time.process_time()
        ours += _run_warm(study, store, studies.LocalProcesses(WORKERS))
        own += time.process_time() - before
        fits.append(store.study_fits(study.name))
        peer += _run_with_joblib(study)
        cluster += _run_on_dask(study, f"sqlite:///{folder / f'dask{number}.db'}")
    table = pd.concat(fits)
    inside = float(table["seconds"].sum())
    yield Row(
        f"{len(table)} fits of digits in {ROUNDS} turns, {WORKERS} processes, kept",
        f"{ours:.1f} s",
        f"{peer:.1f} s, joblib, nothing kept",
        ours / peer,
        "≤ 1.05",
        ours <= 1.05 * peer,
    )
    share = inside / (WORKERS * ours)
    yield Row(
        f"of {WORKERS} processes' time inside fits",
        f"{inside:.1f} s",
        f"{WORKERS * ours:.1f} s",
        share,
        "≥ 0.9",
        share >= 0.9,
    )
    yield Row(
        "the driver's processor time, beside that",
        f"{own:.1f} s",
        f"{inside:.1f} s in fits",
        own / inside,
        "≤ 0.1",
        own <= 0.1 * inside,
    )
    yield Row(
        f"the same on {WORKERS} Dask workers",
        f"{cluster:.1f} s",
        f"{ours:.1f} s, the pool",
        cluster / ours,
        "≤ 1.15",
        cluster <= 1.15 * ours,
    )


def digits_study(number: int) -> studies.Study:
    """Two models' references and curves; ``number``: seeds of its own, as what is known is not run."""
    curve = studies.Curves("low_rank", {"method": "truncated_svd"})
    count = FITS // ROUNDS // 4  # of which each seed makes four
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


def _run_on_dask(study: studies.Study, url: str) -> float:
    """Seconds that a study takes of as many Dask workers of this machine."""
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        studies.DaskExecutor(cluster.scheduler_address) as executor,
    ):
        return _run_warm(study, StudyStore(url), executor)


def _run_warm(study: studies.Study, store: StudyStore, executor: Any) -> float:
    """Seconds that a study takes of workers that have computed before."""
    for ready in [executor.submit(_warm_up) for _ in range(2 * WORKERS)]:
        ready.result()
    began = time.perf_counter()
    studies.run(study, store, executor)
    return time.perf_counter() - began


def _warm_up() -> None:
    """A fit of another seed, so that what a worker imports on its way is not counted."""
    study = digits_study(0)
    reference = next(study.references()) | {"seed": 10**6}
    file = fit.compute(reference).content
    for request in study.curve_requests(reference):
        fit.compute(request, file)


def size(folder: Path) -> Iterator[Row]:
    """A study of many rows: into the store, and opened again."""
    store, each = StudyStore(f"sqlite:///{folder / 'large.db'}"), 1000
    study = small_study("large", 0, max(ROWS // each, 1))
    requests = [
        request
        for reference in study.references()
        for request in (reference, *study.curve_requests(reference))
    ]
    store.put_study(study.name, study.to_json(), requests)
    numbers = np.random.default_rng(0).uniform(0.1, 1, size=(each, len(NUMBERS)))
    table = pd.DataFrame(numbers, columns=list(NUMBERS))
    began = time.perf_counter()
    for request in requests:
        own = table[:1] if request["stage"] == "reference" else table
        store.put(request, b"", name=request["stage"], rows=own)
    seconds, count = time.perf_counter() - began, (each + 1) * len(requests) // 2
    pace = count / seconds
    yield Row(
        f"{count:,} rows into SQLite, {each} a fit",
        f"{pace:,.0f} rows/s",
        "2,000 rows/s",
        pace / 2000,
        "≥ 1",
        pace >= 2000,
    )
    studies.compute_overview(store, small_overview(store))  # what is imported is not counted
    for what, target in (("when it ends", ""), ("by whoever opens it then", "≤ 1")):
        store.close()
        began, waited = time.process_time(), time.perf_counter()
        store = StudyStore(f"sqlite:///{folder / 'large.db'}")
        store.studies()
        studies.read_overview(store, study.name)
        seconds, waited = time.process_time() - began, time.perf_counter() - waited
        yield Row(
            f"a study of {count:,} rows, its state and all that is shown of it, {what}",
            f"{seconds:.2f} s of a core, {waited:.2f} s",
            "2 s",
            seconds / 2,
            target,
            seconds <= 2 if target else None,
        )
    store.close()


def small_overview(store: StudyStore) -> str:
    """The name of a study of a few rows, kept beside the large one."""
    study = small_study("few", 10**6, 2)
    studies.run(study, store, studies.InThisProcess())
    return study.name
