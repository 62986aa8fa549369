import threading

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


@pytest.mark.parametrize(
    "name",
    [
        *("path", "solve", "factorize", "allocate_ranks", "low_rank_curve", "constrained_curve"),
        *("combined_curve", "baseline_curve", "budget_curve", "sensitivity", "layer_errors"),
        "cross_validated_rank",
    ],
)
def test_what_computes_for_a_caller_says_that_it_runs_in_one_thread(name):
    function = getattr(compression, name)
    own = in_one_thread(function).__code__
    layers = [function]  # others may be wrapped around it
    while hasattr(layers[-1], "__wrapped__"):
        layers.append(layers[-1].__wrapped__)
    assert any(layer.__code__ is own for layer in layers)
