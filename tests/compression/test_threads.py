import importlib
import inspect
import pkgutil
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg  # noqa: F401  (so that its pool is there from the start)
import sklearn.linear_model  # noqa: F401
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import compression
import data
from compression.threads import in_one_thread, one_thread


@pytest.fixture(autouse=True)
def two_threads():
    """Pools of two, whatever the machine and the environment say."""
    with threadpool_limits(2):
        yield


def pools() -> set[int]:
    """Numbers of threads; SCS brings a BLAS that has one whatever it is told."""
    return {pool["num_threads"] for pool in threadpool_info() if "scs" not in pool["filepath"]}


def test_pools_have_one_thread_inside_and_the_callers_number_after():
    assert pools() == {2}
    with one_thread():
        assert pools() == {1}
        assert torch.get_num_threads() == 1
        with one_thread():
            assert pools() == {1}
        assert pools() == {1}
    assert pools() == {2}
    assert torch.get_num_threads() == 2


def test_pools_are_restored_after_an_error_and_where_threads_overlap():
    with pytest.raises(RuntimeError, match="on purpose"), one_thread():
        raise RuntimeError("on purpose")
    assert pools() == {2}
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_thread():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    with one_thread():
        other.start()
        assert inside.wait(10)
    leave.set()
    other.join()
    assert pools() == {2}


def test_paths_fits_and_curves_run_in_one_thread():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5))
    seen = []

    def report(done, total, partial):
        seen.append(pools())
        return True

    compression.path(x, x @ rng.normal(size=5), "squared", "l1", report=report)
    dataset = data.load("iris", seed=0)
    reference = compression.train(dataset, model="softmax_regression", seed=0, epochs=1)
    curve = {"method": "truncated_svd", "ranks": [1], "report": report}
    compression.low_rank_curve(reference, dataset, **curve)
    compression.constrained_curve(reference, dataset, "box", [0.5], report=report)
    assert len(seen) >= 3
    assert all(found == {1} for found in seen)
    assert pools() == {2}


# Public functions that need no thread of their own.
READ_AND_WRITE = {"load", "save", "restore", "export_factors", "export_pytorch"}
COUNT = {"bytes_of", "macs", "parameters"}
LOOK_UP = {
    *("at_equal_bytes", "best_bits", "best_rows", "fewest_bits", "nearest_row", "paired_change"),
    *("pareto_front", "rank_within", "with_bits"),
}
# Somebody's own model may be large, and a time is that of its own threads.
OWN_THREADS = {
    *("judge_ranks", "latencies", "read_adapter", "read_model", "read_module", "resize_adapter"),
}
# What functions in one thread call; a generator, whose body runs with its consumer; a stopwatch.
PARTS = {
    *(
        "check_data",
        "curve_bounds",
        "judge_networks",
        "evaluate_over_plane",
        "path_by_bound",
        "prepare",
    ),
    *("rank_latencies", "samples_for"),
}


def runs_in_one_thread(function) -> bool:
    own = in_one_thread(function).__code__
    layers = [function]  # others may be wrapped around it
    while hasattr(layers[-1], "__wrapped__"):
        layers.append(layers[-1].__wrapped__)
    return any(layer.__code__ is own for layer in layers)


def public_functions() -> dict[str, object]:
    listed = Path(compression.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    names = re.findall(r"import (\w+) as", listed)
    found = {name: getattr(compression, name) for name in names}
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


def functions_of_data() -> dict[str, object]:
    """All that take a reference and its dataset, or inputs, targets and a loss."""
    found = {}
    for module in pkgutil.walk_packages(compression.__path__, "compression."):
        if re.search("__main__|studies|command_line", module.name):
            continue  # those call what is public
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            if inspect.isfunction(value) and value.__module__ == module.name and name[0] != "_":
                given = set(inspect.signature(value).parameters)
                if given >= {"reference", "dataset"} or given >= {"x", "y", "loss"}:
                    found[name] = value
    return found


def test_every_public_function_that_computes_runs_in_one_thread():
    functions = public_functions()
    assert len(functions) > 40
    several = {name for name, value in functions.items() if not runs_in_one_thread(value)}
    assert several == READ_AND_WRITE | COUNT | LOOK_UP | OWN_THREADS


def test_whatever_computes_on_data_runs_in_one_thread():
    functions = functions_of_data()
    assert len(functions) > 20
    several = {name for name, value in functions.items() if not runs_in_one_thread(value)}
    assert several == PARTS
