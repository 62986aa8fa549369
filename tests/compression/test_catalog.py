"""What the catalogue says of an implementation, held against the implementation."""

import inspect

import numpy as np
import pytest

import compression
from compression.constrained.convex.losses import prepare
from compression.constrained.convex.problem import Problem
from compression.constrained.sets import Box, ConstraintSet, L1Ball


@pytest.mark.parametrize("name", compression.CONSTRAINTS)
@pytest.mark.parametrize("fact", ["convex", "bounded", "elementwise", "counts"])
def test_a_set_s_line_says_what_its_class_says(name, fact):
    entry = compression.CONSTRAINTS[name]
    assert getattr(entry, fact) is getattr(entry.load(), fact)
    assert fact in inspect.get_annotations(ConstraintSet)


@pytest.mark.parametrize("name", compression.CONSTRAINTS)
def test_a_set_that_counts_holds_weights_of_any_size_and_one_that_is_bounded_does_not(name):
    entry = compression.CONSTRAINTS[name]
    members, weight = entry.load()(), np.array([-3.0, 0.5])
    assert entry.counts == (members.gauge(weight) == members.gauge(2 * weight))
    # Along the direction that a one-sided bound leaves free.
    small, large = members.project(weight * [1, 0], 1.0), members.project(weight * [9, 0], 1.0)
    assert (entry.bounded and not entry.counts) == np.allclose(small, large)


@pytest.mark.parametrize("name", compression.SOLVERS)
def test_a_solver_without_a_trajectory_hands_over_ends_only(name):
    """Whether the loss at its first point, from far away, is the optimum already."""
    entry = compression.SOLVERS[name]
    solver = entry.load()()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
    members = next(s for s in (Box(), L1Ball()) if solver.applies("softmax", s) is None)
    problem = Problem(prepare(x, y, "softmax"), members, 1.0)
    values = []

    def callback(point):
        values.append(problem.loss.value(point))
        return len(values) < 50

    solver.run(problem, callback, problem.start())
    within = 1e-7 * problem.loss.zero
    best = compression.solve(x, y, "softmax", members.name, 1.0, tolerance=1e-9).objective
    assert entry.has_trajectory == (values[0] > best + within)
    assert entry.has_trajectory is getattr(entry.load(), "has_trajectory", True)


@pytest.mark.parametrize("name", compression.CONSTRAINED_METHODS)
def test_a_method_s_line_says_whether_epochs_change_its_networks(name, digits, digits_softmax):
    once, thrice = (
        compression.constrained_curve(digits_softmax, digits, bounds=[0.05], method=name, epochs=n)
        for n in (1, 3)
    )
    changed = once.table["train_loss"].item() != thrice.table["train_loss"].item()
    assert compression.CONSTRAINED_METHODS[name].trains == changed
