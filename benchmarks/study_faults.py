"""What is lost, doubled or wrong when a study's driver, writer or workers are killed, 200 times?"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compression import studies
from compression.studies import fit
from compression.studies.study_store import StudyStore

from .postgresql import find_programs, serve_postgresql
from .studies import list_children, small_study
from .table import Row

KILLS = int(os.environ.get("COMPRESS_KILLS", "200"))  # for each database
WORKERS = 2
WORST = 2  # kills of workers in one run: a fit is given up when it has lost three
ORPHAN_SECONDS = 5.0
LOOK_SECONDS = 0.01  # between two looks whether the first fit is kept


@dataclass(frozen=True)
class Victim:
    """Who is killed, and when.

    Attributes
    ----------
    name : str
        As the table says it.
    share : float
        Of all kills.
    epochs : int
        Of the studies: fits of about 10 ms, or long enough to be met by a kill.
    processes : bool
        Whether workers compute, or the driver itself.
    seconds : (float, float)
        Between which a driver, or one of its workers, is killed at random: after its start, or
        where processes compute after the first fit that they have had kept. Before it they
        import.
    """

    name: str
    share: float
    epochs: int
    processes: bool
    seconds: tuple[float, float]


WRITER = Victim("writer", 0.3, 1, False, (0, 0))  # by its writes and not by the clock
WORKER = Victim("worker", 0.2, 600, True, (0, 3))
DRIVERS = (
    Victim("driver", 0.3, 1, False, (0.02, 0.4)),
    Victim("driver of two workers", 0.2, 600, True, (0, 3)),
)


def rows(seed: int = 0, kills: int = KILLS) -> Iterator[Row]:
    """So many kills on SQLite, and as many on PostgreSQL where it is installed."""
    fit.compute(next(small_study("warm", 0, 1).references()))  # torch is there before the fork
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'faults.db'}"
        yield from _kill_all("SQLite", url, kills, random.Random(seed))
    if (programs := find_programs()) is None:
        yield Row("kills on PostgreSQL", "no initdb here", "–", 0, "0", None)
        return
    with serve_postgresql(programs) as url:
        yield from _kill_all("PostgreSQL", url, kills, random.Random(seed))


def _kill_all(database: str, url: str, kills: int, chance: random.Random) -> Iterator[Row]:
    for victim in (*DRIVERS, WRITER, WORKER):
        yield _kill(victim, max(round(victim.share * kills), 1), database, url, chance)


def _kill(victim: Victim, count: int, database: str, url: str, chance: random.Random) -> Row:
    """Studies whose runs are killed until they are over; each is then held against an undisturbed one."""
    store, done, busy, number = StudyStore(url), 0, 0, 0
    missing = doubled = wrong = orphans = 0
    while done < count:
        study = small_study(f"{victim.name} {number}", 100 * number, 10, victim.epochs)
        number += 1
        while done < count and len(store.list_done(study.name)) < study.count():
            workers, killed = _run_and_kill(victim, study, store, url, chance, count - done)
            done += killed
            busy += killed > 0 and bool(store.list_owners())
            orphans += len(_wait_for_end(workers))
        studies.run(study, store, studies.SerialExecutor())
        table = studies.table(store, study.name)
        whole = StudyStore("sqlite://")
        studies.run(study, whole, studies.SerialExecutor())
        wanted = studies.table(whole, study.name)
        missing += max(len(wanted) - len(table), 0)
        doubled += max(len(table) - len(wanted), 0)
        wrong += not table.equals(wanted)
    store.close()
    bad = missing + doubled + wrong + orphans
    question = f"{database}: {done} kills -9 of the {victim.name}, {busy} left leases; then resumed"
    return Row(
        f"{question}: rows lost, doubled, wrong tables, processes left",
        f"{missing}, {doubled}, {wrong}, {orphans}",
        f"{number} times the study, undisturbed",
        float(bad),
        "0",
        bad == 0,
    )


def _run_and_kill(
    victim: Victim,
    study: studies.Study,
    store: StudyStore,
    url: str,
    chance: random.Random,
    most: int,
) -> tuple[list[int], int]:
    """A driver's run with its kills: its worker processes, and how many kills there were."""
    writes = chance.randint(1, 8) if victim is WRITER else 0
    moment = chance.uniform(0, 0.005)
    arguments = (study, url, victim.processes, writes, moment)
    kept = len(store.list_done(study.name))
    driver = multiprocessing.get_context("fork").Process(target=_drive, args=arguments)
    driver.start()
    workers: list[int] = []
    killed = 0
    while victim.processes and driver.is_alive() and len(store.list_done(study.name)) == kept:
        driver.join(LOOK_SECONDS)
    if victim in DRIVERS:
        driver.join(chance.uniform(*victim.seconds))
        workers = _list_workers(driver.pid or 0)
        if driver.exitcode is None:
            os.kill(driver.pid or 0, signal.SIGKILL)
            killed = 1
    while victim is WORKER and killed < min(WORST, most) and driver.is_alive():
        driver.join(chance.uniform(*victim.seconds))
        workers += (alive := _list_workers(driver.pid or 0))
        if alive:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(alive), signal.SIGKILL)
                killed += 1
    driver.join()
    if victim is WRITER:
        killed = int(driver.exitcode == -signal.SIGKILL)
    return workers, killed


def _drive(study: studies.Study, url: str, processes: bool, writes: int, moment: float) -> None:
    """The driver; with ``writes`` it is killed so many seconds after its n-th write began."""
    if writes:
        write, left = StudyStore.write, [writes]

        def write_and_die(store: StudyStore, change: Any) -> None:
            left[0] -= 1
            if not left[0]:
                end = (os.getpid(), signal.SIGKILL)
                threading.Timer(moment, os.kill, end).start()
            write(store, change)

        StudyStore.write = write_and_die  # type: ignore[method-assign]
    executor = studies.LocalProcesses(WORKERS) if processes else studies.SerialExecutor()
    with redirect_stderr(StringIO()):
        studies.run(study, url, executor)


def _list_workers(driver: int) -> list[int]:
    """Process ids of a driver's workers, found as its children."""
    workers = []
    for child in list_children(driver):
        with suppress(FileNotFoundError):
            if "LokyProcess" in Path(f"/proc/{child}/cmdline").read_text():
                workers.append(child)
    return workers


def _wait_for_end(workers: list[int]) -> list[int]:
    """Those of a driver's workers that outlive it for too long."""
    end = time.monotonic() + ORPHAN_SECONDS
    while (left := [each for each in workers if _is_running(each)]) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
