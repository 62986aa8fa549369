"""What is lost or left when something ends in the middle: a writer, a visit, the app itself."""

import json
import multiprocessing
import os
import random
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

import compression

from .server import Server, serve_app
from .table import Row
from .visitor import Visitor

KILLS = 200
VISITS = 50
ENDS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
LEFT_SECONDS = 10.0
LINK = "dataset=mnist1d&model=mlp&seed={seed}"
LONG_LINK = "dataset=mnist_5k&model=lenet5&train_epochs=30"
TRAINING, TRAINED = "Training the reference", "Reference **"  # as the page says it


def rows(seed: int = 0) -> Iterator[Row]:
    yield from _kill_writers(random.Random(seed))
    yield from _leave_visits(random.Random(seed), 1000 * seed)
    yield from _end_apps()


def _kill_writers(chance: random.Random) -> Iterator[Row]:
    """kill -9 while model files are written over one another, and what lies there afterwards."""
    models = [_build_model(number) for number in range(2)]
    unreadable = wrong = 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        compression.save(models[0], path)
        good = set()
        for model in models:
            compression.save(model, path)
            good.add(path.read_bytes())
        for _ in range(KILLS):
            writer = multiprocessing.get_context("fork").Process(
                target=_write_for_ever, args=(models, path)
            )
            writer.start()
            writer.join(chance.uniform(0.01, 0.1))
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            try:
                compression.load(path)
            except ValueError:
                unreadable += 1
            wrong += path.read_bytes() not in good
        compression.save(models[0], path)  # what it finds of killed ones it takes away
        litter = len(os.listdir(folder)) - 1
    yield Row(
        f"{KILLS} kills -9 of who writes a model file: unreadable, wrong, other files left",
        f"{unreadable}, {wrong}, {litter}",
        "0, 0, 0",
        float(unreadable + wrong + litter),
        "0",
        unreadable + wrong + litter == 0,
    )


def _build_model(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(500, 500), nn.ReLU(), nn.Linear(500, 10))


def _write_for_ever(models: list, path: Path) -> None:
    while True:
        for model in models:
            compression.save(model, path)


def _leave_visits(chance: random.Random, first: int) -> Iterator[Row]:
    """Tabs closed while their network trains; each link is opened again when all is quiet."""
    trained = 0
    with serve_app(script="server.py") as server:
        links = [LINK.format(seed=first + number) for number in range(1, VISITS + 1)]
        for link in links:
            with Visitor(server.address, link) as visitor:
                _see_training(visitor)
                time.sleep(chance.uniform(0, 0.5))
        while _is_busy(server):
            time.sleep(0.5)
        for link in links:
            with Visitor(server.address, link) as again:
                again.open()
                trained += again.has_seen("markdown", TRAINED) and not again.has_seen(
                    "progress", TRAINING
                )
    yield Row(
        f"tabs closed while their network trains: of {VISITS} found trained",
        f"{trained}",
        f"{VISITS}",
        trained / VISITS,
        "1",
        trained == VISITS,
    )


def _see_training(visitor: Visitor) -> None:
    """Wait until the page says how far the training is."""
    while not visitor.has_seen("progress", f"{TRAINING}: epoch"):
        if visitor.open():
            raise RuntimeError("the network was trained before anybody saw it being trained")


def _is_busy(server: Server) -> bool:
    with urllib.request.urlopen(f"{server.address}/health") as answer:
        health = json.load(answer)
    return health["running"] + health["waiting"] > 0


def _end_apps() -> Iterator[Row]:
    """The app is stopped while a network trains."""
    for name, how in ENDS.items():
        with serve_app() as server:
            visitor = Visitor(server.address, LONG_LINK)
            _see_training(visitor)
            family = [server.pid, *server.workers()]
            os.kill(server.pid, how)
            begin = time.monotonic()
            while (left := sum(map(_is_alive, family))) and time.monotonic() < begin + 60:
                time.sleep(0.05)
            seconds = time.monotonic() - begin
        yield Row(
            f"{name} of the app: none of its {len(family)} processes is left after",
            f"{seconds:.1f} s" if not left else f"{left} left",
            f"{LEFT_SECONDS:.0f} s, the limit",
            seconds / LEFT_SECONDS,
            f"≤ {LEFT_SECONDS:.0f} s",
            not left and seconds <= LEFT_SECONDS,
        )


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
