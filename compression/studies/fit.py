"""One fit: what a worker process is given, and what it hands back.

Between fits a worker holds datasets that it has loaded last, and of the last fits what the next
ones may need too: decompositions, exact paths and curves before they are put in few bits. All of
it only saves time, so that any worker can go on, on this machine or on another.
"""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import pandas as pd

from compression.errors import CompressionError
from compression.shared_work import SharedWork, compute_once, share_work

from .specification import find_family, seed_of

MEMORY_RAN_OUT = "memory ran out: choose a smaller model or fewer rows"
SHARED_BYTES = 64 * 2**20
"""That a process keeps, at most, of what curves of the same reference share."""
shared_between_curves = SharedWork(SHARED_BYTES)
OTHER_SAMPLES = (
    "the samples of {} are not those that the study's keys name: if a file or a library has changed, "
    "run the study again; if another machine computes, give it the same versions"
)
NO_REFERENCE = "its reference failed: {}"
_one_at_a_time = threading.Lock()
"""Of a process: torch has one random state for all threads, and a seed must mean one thing."""


@dataclass(frozen=True, eq=False)
class FitOutcome:
    """What a fit came to.

    Attributes
    ----------
    rows : DataFrame
        A curve's table, or the reference's one row.
    content : bytes or None
        The reference's model file; None for curves, and where it failed.
    sentence : str
        With which it failed; "" where it did not.
    seconds : float
        That it took.
    """

    rows: pd.DataFrame
    content: bytes | None
    sentence: str
    seconds: float


def compute(request: Mapping[str, Any], file: bytes | None = None) -> FitOutcome:
    """Compute one fit.

    Parameters
    ----------
    request : mapping
        Of ``Study.references`` or ``Study.curve_requests``.
    file : bytes, optional
        The reference's model file, for a curve.

    Returns
    -------
    FitOutcome
        A failing fit has its sentence; only what is no CompressionError has a sentence of its
        type alone.
    """
    with _one_at_a_time:
        return _compute(request, file)


def compute_each(calls: Sequence[tuple[Mapping[str, Any], bytes | None]]) -> list[FitOutcome]:
    """Compute fits one after the other.

    ``calls``: what ``compute`` is given for each; a curve without a file follows its reference.
    """
    outcomes: list[FitOutcome] = []
    references: list[tuple[Mapping[str, Any], FitOutcome]] = []
    for request, file in calls:
        if file is None and "reference" in request:
            reference = next(out for each, out in references if each == request["reference"])
            file = reference.content
            if file is None:
                outcomes.append(make_failure(NO_REFERENCE.format(reference.sentence)))
                continue
        outcomes.append(compute(request, file))
        if "reference" not in request:
            references.append((request, outcomes[-1]))
    return outcomes


def make_failure(sentence: str) -> FitOutcome:
    """Outcome of a fit that failed with a sentence before it was computed."""
    return FitOutcome(pd.DataFrame(), None, sentence, 0.0)


def name_shared_work(request: Mapping[str, Any]) -> str | None:
    """What curves share: decompositions, a path, or all but the bits; None for a reference.

    They have it in common where reference, family, and method or set are the same.
    """
    if request["stage"] == "reference":
        return None
    settings = request["settings"]
    work = (settings.get("method"), settings.get("constraint"))
    return json.dumps([request["reference"], request["family"], *work], sort_keys=True)


def _compute(request: Mapping[str, Any], file: bytes | None) -> FitOutcome:
    import torch

    began = time.perf_counter()
    torch.set_num_threads(1)
    content, rows, sentence = None, pd.DataFrame(), ""
    try:
        if request["stage"] == "reference":
            content, rows = _train_reference(request)
        else:
            assert file is not None
            content, rows = b"", _compute_curve(request, file)
    except CompressionError as error:
        sentence = str(error)
    except MemoryError:
        sentence = MEMORY_RAN_OUT
    except Exception as error:  # one fit must not end the study; its sentence is kept
        of_torch = "can't allocate memory" in str(error)  # a RuntimeError
        sentence = MEMORY_RAN_OUT if of_torch else f"{type(error).__name__}: {error}"
    return FitOutcome(rows, content, sentence, time.perf_counter() - began)


def _load_fold(reference: Mapping[str, Any]) -> Any:
    """What a reference is trained on, and what it and its curves are judged on."""
    folds = (reference.get(each) for each in ("fold", "folds"))
    names = (reference["dataset"], reference["content"])
    return _load_parts(*names, seed_of(reference, "split"), *folds)


@lru_cache(maxsize=4)  # as many seeds as two workers have in flight
def _load_parts(name: str, content: str, seed: int, fold: int | None, folds: int | None) -> Any:
    import data

    from .folds import Fold, take_fold

    if data.hash_samples(name) != content:
        raise CompressionError(OTHER_SAMPLES.format(name))
    dataset = data.load(name, seed=seed)
    if fold is None or folds is None:
        return Fold(dataset, dataset)
    return take_fold(dataset, fold, folds, seed)


def _train_reference(request: Mapping[str, Any]) -> tuple[bytes, pd.DataFrame]:
    import compression
    from compression import storage
    from compression.curve import CurveBuilder
    from compression.training import SampleTensors

    fold = _load_fold(request)
    dataset = fold.judged
    trained = compression.train(
        fold.learning,
        model=request["model"],
        seed=seed_of(request, "initialisation"),
        epochs=request["epochs"],
        order=seed_of(request, "order"),
    )
    judged = CurveBuilder(trained, dataset, SampleTensors(dataset))
    row = judged.curve(knob="", method="", spectra={}, _network=None).reference
    parts = {
        "train_rows": len(dataset.fit_rows),
        "validation_rows": len(dataset.validation_rows),
        "test_rows": len(dataset.x_test),
    }
    content = storage.to_bytes(trained.network, epochs=len(trained.history))
    return content, pd.DataFrame([{**row, **parts}])


def _compute_curve(request: Mapping[str, Any], file: bytes) -> pd.DataFrame:
    import compression
    from compression import storage

    reference_request = request["reference"]
    dataset = _load_fold(reference_request).judged
    reference = compression.Reference(
        storage.from_bytes(file),
        pd.DataFrame(),
        float("nan"),
        compression.Interval(float("nan"), float("nan")),
        reference_request["model"],
        reference_request["dataset"],
        seed_of(reference_request, "initialisation"),
        float("nan"),
        dataset.fingerprint,
        order=seed_of(reference_request, "order"),
        epochs=storage.read_epochs(file),
    )
    module, _, name = find_family(request["family"]).where.partition(":")
    make = partial(getattr(import_module(module), name), reference, dataset, **request["settings"])
    with share_work(shared_between_curves):
        curve = compute_once(("curve", file, _name_curve(request)), make)
        if request["bits"]:
            epochs = request.get("bits_epochs", 0)
            curve = compression.few_bits_curve(
                reference, dataset, curve, request["bits"], epochs=epochs
            )
    return curve.table


def _name_curve(request: Mapping[str, Any]) -> str:
    """All that a curve depends on before it is put in few bits, beside the reference's file."""
    names = ("reference", "family", "settings")
    return json.dumps({name: request[name] for name in names}, sort_keys=True)
