"""How long do people wait for a moved slider when many move one, and is each answer theirs?"""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .server import Server, serve_app
from .table import Row
from .visitor import Answer, Visitor

ROOMS = {10: 0.3, 25: 1.0}  # sessions, and the seconds that 95 of 100 of their moves may take
FEW = min(ROOMS)
THINK = 2.0, 4.0  # seconds between two moves of a session
MOVES = 8  # of a session
TRAININGS = 4
SLOWER = 2.0  # what trainings beside them may cost
MEGABYTES = {20: 1_200}
# Two models, so that a number that was another session's is seen.
LINKS = [f"dataset=digits&model=mlp&seed={seed}" for seed in (0, 1)]
KEYS = "rank", "bound"
Truth = dict[tuple[str, str, str], Answer]  # link, slider, place


def rows(seed: int = 0) -> Iterator[Row]:
    with serve_app() as server:
        truth = _learn(server)
        quiet = {}
        for count, limit in ROOMS.items():
            seconds, wrong = _fill(server, count, truth, seed)
            quiet[count] = p95 = float(np.percentile(seconds, 95))
            yield Row(
                f"{count} sessions move sliders: 95 % of {len(seconds)} moves",
                f"{1000 * p95:.0f} ms",
                f"{1000 * limit:.0f} ms, the limit",
                p95 / limit,
                f"< {1000 * limit:.0f} ms",
                p95 < limit,
            )
            yield _count_wrong(f"wrong answers to {count} sessions", wrong)
        yield from _measure_beside_trainings(server, truth, quiet[FEW], seed)
    yield from _measure_memory()


def _learn(server: Server) -> Truth:
    """What one session alone is shown at each place."""
    truth = {}
    for link in LINKS:
        with Visitor(server.address, link) as alone:
            alone.wait()
            for key in KEYS:
                for place in alone.list_options(key):
                    truth[link, key, place] = alone.move(key, place)[1]
    return truth


def _fill(server: Server, count: int, truth: Truth, seed: int) -> tuple[list[float], int]:
    """Seconds of every move of so many sessions, and how many were answered wrongly."""
    seconds: list[float] = []
    wrong: list[str] = []

    def visit(number: int) -> None:
        chosen = random.Random(f"{seed} {number}")
        link = LINKS[number % len(LINKS)]
        with Visitor(server.address, link) as visitor:
            visitor.wait()
            ready.wait()
            for _ in range(MOVES):
                time.sleep(chosen.uniform(*THINK))
                key = chosen.choice(KEYS)
                place = chosen.choice(visitor.list_options(key))
                taken, answer = visitor.move(key, place)
                seconds.append(taken)
                if answer != truth[link, key, place]:
                    wrong.append(f"{link} {key}={place}: {answer}")

    ready = threading.Barrier(count)
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) < count * MOVES:
        raise RuntimeError(f"{count * MOVES - len(seconds)} moves were not answered")
    return seconds, len(wrong)


def _measure_beside_trainings(
    server: Server, truth: Truth, quiet: float, seed: int
) -> Iterator[Row]:
    """The same room while other sessions' networks train for all the time."""
    links = [f"dataset=mnist_5k&model=lenet5&seed={seed + 910 + n}" for n in range(TRAININGS)]
    trainers = [Visitor(server.address, link) for link in links]
    for trainer in trainers:
        trainer.open()
    time.sleep(5)
    seconds, wrong = _fill(server, FEW, truth, seed + 1)
    for trainer in trainers:
        trainer.leave()
    p95 = float(np.percentile(seconds, 95))
    yield Row(
        f"the same for {FEW} sessions beside {TRAININGS} trainings",
        f"{1000 * p95:.0f} ms",
        f"{1000 * quiet:.0f} ms, without",
        p95 / quiet,
        f"≤ {SLOWER:.0f}",
        p95 <= SLOWER * quiet,
    )
    yield _count_wrong("wrong answers beside trainings", wrong)


def _count_wrong(question: str, wrong: int) -> Row:
    return Row(question, f"{wrong}", "0", wrong, "0", wrong == 0)


def _measure_memory() -> Iterator[Row]:
    """What all processes of a server hold while so many sessions are open."""
    for count, limit in MEGABYTES.items():
        with serve_app() as server:
            visitors = [Visitor(server.address, LINKS[0]) for _ in range(count)]
            for visitor in visitors:
                visitor.wait()
            megabytes = _measure_megabytes(server)
            for visitor in visitors:
                visitor.leave()
        yield Row(
            f"memory of all processes, {count} sessions on digits + mlp",
            f"{megabytes:,.0f} MB",
            f"{limit:,} MB, the limit",
            megabytes / limit,
            f"< {limit:,} MB",
            megabytes < limit,
        )


def _measure_megabytes(server: Server) -> float:
    """Memory of a server and its workers; what they share is counted once."""
    kilobytes = 0
    for pid in (server.pid, *server.workers()):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024
