"""How long do people wait for their first numbers when 25 come at once, or beside heavy work?"""

import threading
import time
from collections.abc import Iterator

from pages.shared import jobs
from pages.shared.jobs import Job
from pages.shared.models import requests

from .table import Row

SESSIONS = 25
LAST, FIRST, BEGIN = 1.3, 1.5, 2.0  # to reach: ratio, ratio, seconds
LOOK_SECONDS = 0.5  # between two looks of a page
HEAVY = "mnist_5k", "lenet5"
HEAVY_LINKS = 4

_here = threading.local()


def rows() -> Iterator[Row]:
    jobs.identify_sessions_by(lambda: getattr(_here, "session", None))
    pool = jobs.shared_pool()
    visit("warm", "iris", 900)  # the workers' imports
    visit("warm", "wine", 900)
    alone = visit("alone", "iris", 901)
    yield from fill(alone)
    yield from measure_beside_heavy_links(visit("alone", "wine", 902))
    pool.close()


def fill(alone: float) -> Iterator[Row]:
    """Everybody comes at the same moment, each with a seed of their own."""
    before = set(jobs.shared_pool().jobs())
    taken: dict[int, float] = {}

    def come(seed: int) -> None:
        taken[seed] = visit(f"session {seed}", "iris", seed)

    threads = [threading.Thread(target=come, args=(seed,)) for seed in range(1, SESSIONS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool = jobs.shared_pool()
    for job in pool.jobs():
        job.wait()
    work = sum(job.seconds for job in set(pool.jobs()) - before)
    share = work / pool.health()["workers"]
    first, last = min(taken.values()), max(taken.values())
    yield Row(
        f"the last of {SESSIONS} sessions has its first number, iris",
        f"{last:.1f} s",
        f"{share:.1f} s, all work / workers",
        last / share,
        f"≤ {LAST}",
        last <= LAST * share,
    )
    yield Row(
        f"the first of {SESSIONS} sessions has its first number, iris",
        f"{first:.1f} s",
        f"{alone:.1f} s, alone",
        first / alone,
        f"≤ {FIRST}",
        first <= FIRST * alone,
    )


def measure_beside_heavy_links(alone: float) -> Iterator[Row]:
    """One session has asked for four long trainings when another asks for wine."""
    _here.session = "heavy"
    heavy = [requests.reference(*HEAVY, seed) for seed in range(910, 910 + HEAVY_LINKS)]
    time.sleep(3)
    looking = threading.Event()

    def look() -> None:
        _here.session = "heavy"
        while not looking.wait(LOOK_SECONDS):
            for job in heavy:
                job.look()

    threading.Thread(target=look, daemon=True).start()
    _here.session = "light"
    start = time.monotonic()
    light = requests.reference("wine", "mlp", 911)
    while light.status == "waiting":
        time.sleep(0.01)
    begun = time.monotonic() - start
    taken = visit("light", "wine", 911) + begun
    running = sum(job.status == "running" for job in heavy)
    looking.set()
    _here.session = None
    for job in heavy:
        job.cancel()
    yield Row(
        f"a light job begins, {running} of one session's {HEAVY_LINKS} heavy ones running",
        f"{begun:.2f} s",
        f"{BEGIN:.0f} s, the limit",
        begun / BEGIN,
        f"≤ {BEGIN:.0f} s",
        begun <= BEGIN,
    )
    yield Row(
        "and its session has its first number, wine",
        f"{taken:.1f} s",
        f"{alone:.1f} s, alone",
        taken / alone,
        "",
        None,
    )


def visit(session: str, dataset: str, seed: int) -> float:
    """Seconds until a page has the first of its two curves."""
    _here.session = session
    begin = time.monotonic()
    reference = requests.reference(dataset, "mlp", seed)
    _wait_for_any(reference)
    trained = reference.result
    assert trained is not None, reference.error
    curves = (
        requests.low_rank_curve(trained, "truncated_svd"),
        requests.constrained_curve(trained, "box"),
    )
    _wait_for_any(*curves)
    return time.monotonic() - begin


def _wait_for_any(*submitted: Job) -> None:
    """As a page: a look now and then."""
    while all(job.pending for job in submitted):
        for job in submitted:
            job.look()
        time.sleep(LOOK_SECONDS)
    assert any(job.status == "done" for job in submitted), [job.error for job in submitted]
