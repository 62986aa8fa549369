"""Several solvers on one problem, and their iterates on the way to every bound."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from compression.constrained.convex import trajectories as module
from compression.constrained.convex.race import race
from compression.constrained.convex.trajectories import trajectories
from compression.errors import CancelledError

SOLVERS = ("quasi_newton", "projected_newton", "hamiltonian_descent")
BOUNDS = np.geomspace(0.02, 0.3, 9)


@pytest.fixture(scope="module")
def rows(diabetes):
    x, y = diabetes.x_train[diabetes.fit_rows], diabetes.y_train[diabetes.fit_rows]
    return x.astype(float), y.astype(float)


def least_loss(rows, bound):
    """Of the best weights in a box, by SciPy."""
    x, y = rows
    centred, target = x - x.mean(0), y - y.mean()
    weight = lsq_linear(centred, target, (-bound, bound), method="bvls", tol=1e-14).x
    return 0.5 * np.mean((target - centred @ weight) ** 2)


def stop_at(count):
    return lambda done, total, so_far: done < count


def test_all_solvers_of_a_race_end_above_the_lower_bound(rows):
    names = ("coordinate_descent", "projected_newton", "cvxpy")
    found = race(*rows, "squared", "box", 0.1, names)
    assert list(found.table["solver"]) == list(names)
    for name in names:
        track = found.tracks[name]
        assert (track["above"] >= -1e-15).all()
        assert track["above"].iloc[-1] < 1e-6
        lower = track["objective"] - track["above"]
        assert (lower <= least_loss(rows, 0.1) + 1e-12).all()


def test_a_race_hands_over_the_solvers_that_have_arrived(rows):
    seen = []

    def report(done, total, so_far):
        seen.append(None if so_far is None else list(so_far().table["solver"]))
        return True

    race(*rows, "squared", "box", 0.1, SOLVERS[:2], report=report)
    assert seen == [None, [SOLVERS[0]]]


def test_a_race_that_is_stopped_says_so(rows):
    with pytest.raises(CancelledError):
        race(*rows, "squared", "box", 0.1, SOLVERS, report=stop_at(1))


def test_every_trajectory_leads_from_the_zero_model_to_the_optimum_of_its_bound(rows):
    tolerance = 1e-5
    found = trajectories(*rows, "squared", "box", BOUNDS, SOLVERS, tolerance=tolerance)
    x, y = rows
    centred, target = x - x.mean(axis=0), y - y.mean()
    for name in SOLVERS:
        assert all(end.certified for end in found.ends[name].values())
        for iterates, bound in zip(found.weights[name], BOUNDS, strict=True):
            assert (iterates[0] == 0).all()
            assert 2 <= len(iterates) <= found.max_iterates
            assert np.abs(iterates).max() <= bound * (1 + 1e-6)
            loss = 0.5 * np.mean((target - centred @ iterates[-1]) ** 2)
            excess = loss - least_loss(rows, bound)
            assert -1e-7 <= excess <= tolerance * 0.5 * np.mean(target**2) + 1e-6


def test_all_solvers_go_to_a_middle_bound_first_and_stop_where_they_are_told_to(rows):
    found = trajectories(*rows, "squared", "box", BOUNDS, SOLVERS, report=stop_at(4))
    middle = len(BOUNDS) // 2
    assert all(found.weights[name][middle] is not None for name in SOLVERS)
    reached = [row for name in SOLVERS for row in found.ends[name]]
    assert sorted(reached) == [0, middle, middle, middle]


def test_trajectories_of_many_weights_are_thinned_to_what_memory_allows(rows, monkeypatch):
    monkeypatch.setattr(module, "MAX_WEIGHTS", 10 * len(BOUNDS) * len(SOLVERS) * 6)
    found = trajectories(*rows, "squared", "box", BOUNDS, SOLVERS, report=stop_at(3))
    assert found.max_iterates == 6 < module.MAX_ITERATES
    (iterates,) = (own for own in found.weights["hamiltonian_descent"] if own is not None)
    assert len(iterates) == 6
    assert (iterates[0] == 0).all()
