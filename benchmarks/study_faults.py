"""What is lost, doubled or wrong when a study's driver, writer or workers are killed, 200 times?"""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from compression import studies
from compression.studies import fit
from compression.studies.study_store import StudyStore

from .studies import small_study
from .table import Row

KILLS = int(os.environ.get("COMPRESS_KILLS", "200"))
WORKERS = 2
WORST = 2  # kills of workers in one run: a fit is given up when it has lost three
ORPHAN_SECONDS = 5.0
Kill = Callable[[multiprocessing.Process, random.Random], bool]


def rows(seed: int = 0) -> Iterator[Row]:
    """Two fifths of the kills meet the driver, two its writes, and one a worker process."""
    chance = random.Random(seed)
    fit.compute(next(small_study("warm", 0, 1).references()))  # torch is there before the fork
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'faults.db'}"
        for kind, share in (("driver", 0.4), ("writer", 0.4), ("worker", 0.2)):
            yield _kill(kind, max(round(share * KILLS), 1), url, chance)


def _kill(kind: str, count: int, url: str, chance: random.Random) -> Row:
    """Studies whose runs are killed until they are over; each is then held against an undisturbed one."""
    store, done, working, number = StudyStore(url), 0, 0, 0
    missing = doubled = wrong = orphans = 0
    while done < count:
        study = small_study(f"{kind} {number}", 100 * number, 10)
        number += 1
        while done < count and len(store.done(study.name)) < study.count():
            workers, killed = _run_and_kill(kind, study, url, chance, count - done)
            done += killed
            working += bool(store.owners())
            orphans += len(_wait_for_end(workers))
        studies.run(study, store, studies.InThisProcess())
        table = studies.table(store, study.name)
        whole = StudyStore("sqlite://")
        studies.run(study, whole, studies.InThisProcess())
        wanted = studies.table(whole, study.name)
        missing += max(len(wanted) - len(table), 0)
        doubled += max(len(table) - len(wanted), 0)
        wrong += not table.equals(wanted)
    store.close()
    bad = missing + doubled + wrong + orphans
    return Row(
        f"{done} kills -9 of the {kind}, then resumed: rows lost, doubled, wrong tables, processes left",
        f"{missing}, {doubled}, {wrong}, {orphans}",
        f"{number} times the study, undisturbed",
        float(bad),
        "0",
        bad == 0,
    )


def _run_and_kill(
    kind: str, study: studies.Study, url: str, chance: random.Random, most: int
) -> tuple[list[int], int]:
    """A driver's run with its kills: its worker processes, and how many kills there were."""
    writes = chance.randint(1, 8) if kind == "writer" else 0
    moment = chance.uniform(0, 0.005)
    here = kind != "worker"
    arguments = (study, url, here, writes, moment)
    driver = multiprocessing.get_context("fork").Process(target=_drive, args=arguments)
    driver.start()
    workers: list[int] = []
    killed = 0
    if kind == "driver":
        driver.join(chance.uniform(0.02, 0.4))
        if driver.exitcode is None:
            os.kill(driver.pid or 0, signal.SIGKILL)
            killed = 1
    while kind == "worker" and killed < min(WORST, most) and driver.is_alive():
        driver.join(chance.uniform(0.5, 8))
        workers += (alive := _list_workers(driver.pid or 0))
        if alive:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(alive), signal.SIGKILL)
                killed += 1
    driver.join()
    if kind == "writer":
        killed = int(driver.exitcode == -signal.SIGKILL)
    return workers, killed


def _drive(study: studies.Study, url: str, here: bool, writes: int, moment: float) -> None:
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
    executor = studies.InThisProcess() if here else studies.LocalProcesses(WORKERS)
    with redirect_stderr(StringIO()):
        studies.run(study, url, executor)


def _list_workers(driver: int) -> list[int]:
    """Process ids of a driver's workers, found as its children."""
    found = []
    with suppress(FileNotFoundError):  # it has just ended
        for thread in Path(f"/proc/{driver}/task").iterdir():
            for child in (thread / "children").read_text().split():
                if "LokyProcess" in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(int(child))
    return found


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
