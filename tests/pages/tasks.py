"""Tasks for the tests of jobs: a worker process imports them."""

import os
import signal
import time
from dataclasses import replace
from unittest import mock

import numpy as np

from compression.errors import CancelledError, CompressionError

FEW_FAMILIES = ("Rounding", "Truncated SVD")  # and the second one's few bits


def warm_up():
    """Nothing to import ahead."""


def count(report, to, pause, raises=False):
    """Count with a rest after each number; the partial result is where it is."""
    for number in range(1, to + 1):
        time.sleep(pause)
        if not report(number, to, lambda number=number: {"reached": number}, f"at {number}"):
            if raises:
                raise CancelledError("stopped")
            break
    return {"reached": number, "worker": os.getpid()}


def low_rank_curve(report, origin, setting, epochs=0, ranks=()):
    """A method that cannot do what it is asked for."""
    raise CompressionError("its weight is zero")


def refuse(report):
    raise CompressionError("the data are too few: give at least 10 rows")


def break_down(report):
    raise RuntimeError("a secret")


def die(report):
    os.kill(os.getpid(), signal.SIGKILL)


def hoard(report, how):
    """Ask for more memory than any machine has."""
    if how == "numpy":
        return np.zeros(2**58)
    if how == "torch":
        import torch

        return torch.empty(2**58)
    raise MemoryError


def sleep(report, seconds):
    """Deaf: never asks whether to go on."""
    time.sleep(seconds)


def recompute_few_families(report, dataset, model, seeds, url):
    """The atlas's own task, where its protocol has one pair and three families, as they ship."""
    from compression.studies import atlas, protocol
    from pages.views.atlas import tasks

    shipped = protocol.read_protocol()
    parts = [
        {**part, "datasets": [dataset], "models": [model]}
        | {"curves": [each for each in part["curves"] if each["name"] in FEW_FAMILIES]}
        for part in shipped.parts
        if dataset in part["datasets"] and model in part["models"]
    ]
    read = mock.Mock(return_value=replace(shipped, parts=tuple(parts)))
    places = [mock.patch.object(module, "read_protocol", read) for module in (atlas, protocol)]
    with places[0], places[1]:
        return tasks.recompute_cell(report, dataset, model, seeds, url)


def numbers(report, size, seed=0):
    return np.full(size, float(seed))


def unsendable(report):
    return lambda: None
