"""Data of extreme scale, and arrays that NumPy would quietly make others of."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

import compression
from compression.constrained.convex import path as path_module
from compression.constrained.convex.certificate import Certifier
from compression.errors import ArgumentError

HELD = (-74, -40, 40, 74)  # powers of ten that the loss is computed at
REFUSED = (-300, -200, -160, -100, 100, 160, 200, 300)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + RNG.normal(size=40)
LABELS = (Y > 0).astype(int)
C = 0.3
convex = pytest.mark.parametrize("constraint", ["box", "l1", "l2"])


def targets(loss):
    return Y if loss == "squared" else LABELS


@convex
@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("power", HELD + REFUSED)
def test_inputs_in_another_unit_give_the_same_optimum_or_are_refused(power, loss, constraint):
    """x in units of 1/s with the bound c/s is the same problem."""
    scale = 10.0**power
    expected = compression.solve(X, targets(loss), loss, constraint, C, tolerance=1e-7)
    assert expected.certified
    if power in REFUSED:
        with pytest.raises(ArgumentError, match=r"the inputs of a column reach .* unit"):
            compression.solve(X * scale, targets(loss), loss, constraint, C / scale)
        return
    found = compression.solve(X * scale, targets(loss), loss, constraint, C / scale)
    if found.certified:
        assert found.objective == pytest.approx(expected.objective, rel=1e-4)
        assert np.isfinite([found.objective, found.duality_gap]).all()
        assert np.isfinite(found.weight).all()
        assert found.weight.any()


@convex
@pytest.mark.parametrize("power", HELD + REFUSED)
def test_targets_in_another_unit_give_the_same_optimum_or_are_refused(power, constraint):
    """y times s with the bound c s is the same problem, its loss times s²."""
    scale = 10.0**power
    expected = compression.solve(X, Y, "squared", constraint, C, tolerance=1e-7)
    if power in REFUSED:
        with pytest.raises(ArgumentError, match=r"the targets reach .* unit"):
            compression.solve(X, Y * scale, "squared", constraint, C * scale)
        return
    found = compression.solve(X, Y * scale, "squared", constraint, C * scale)
    if found.certified:
        assert found.objective / scale**2 == pytest.approx(expected.objective, rel=1e-4)
        assert np.isfinite(found.duality_gap)


@pytest.mark.parametrize("constraint", ["box", "l1", "l2"])
@pytest.mark.parametrize("power", HELD + REFUSED)
def test_a_path_in_another_unit_is_the_same_path_or_is_refused(power, constraint):
    scale = 10.0**power
    whole = compression.path(X, Y, "squared", constraint, [C])
    if power in REFUSED:
        with pytest.raises(ArgumentError, match="unit"):
            compression.path(X * scale, Y, "squared", constraint, [C / scale])
        return
    path = compression.path(X * scale, Y, "squared", constraint, [C / scale])
    np.testing.assert_allclose(path.at(C / scale) * scale, whole.at(C), rtol=1e-2, atol=1e-4)


def test_a_certificate_never_holds_where_numbers_overflow():
    box = compression.CONSTRAINTS["box"].load()()
    with np.errstate(all="ignore"):
        for x, y in ((X, Y * 1e160), (X * 1e200, Y), (X * 1e160, Y * 1e160)):
            assert not Certifier(x, y, "squared", box).judge(np.full(4, 0.1), 0.3).holds(0.5)
    sound = Certifier(X, Y, "squared", box).judge(np.full(4, 0.1), 0.3)
    assert replace(sound, duality_gap=0.0).holds(1e-6)
    for broken in (
        {"objective": np.inf},
        {"objective": np.nan},
        {"unit": np.inf},
        {"duality_gap": np.nan},
        {"gradient": np.full(4, np.nan)},
    ):
        assert not replace(sound, **{"duality_gap": 0.0, **broken}).holds(1e-6)


def mask(values):
    return np.ma.masked_array(values, mask=np.zeros(np.shape(values), bool))


def with_an_imaginary_part(values):
    return np.asarray(values) + 1j


@pytest.mark.parametrize(
    ("spoil", "words"), [(mask, "masked array"), (with_an_imaginary_part, "complex numbers")]
)
def test_masked_arrays_and_complex_numbers_are_refused(spoil, words, digits):
    calls = [
        lambda: compression.solve(spoil(X), Y),
        lambda: compression.solve(X, spoil(Y)),
        lambda: compression.path(spoil(X), Y),
        lambda: compression.path(X, spoil(LABELS), "softmax"),
        lambda: compression.factorize(spoil(X), 2),
        lambda: compression.factorize(X, 2, "activation_aware_svd", inputs=spoil(X)),
        lambda: compression.train(replace(digits, x_train=spoil(digits.x_train)), epochs=1),
        lambda: compression.train(replace(digits, y_test=spoil(digits.y_test)), epochs=1),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match=words):
            call()


@pytest.mark.parametrize(("within", "times"), [(4_000_000, 1), (10, 20)])
def test_a_bound_of_more_inputs_may_take_longer(monkeypatch, within, times):
    usual = inspect.signature(path_module.IterateJudge).parameters["max_seconds"].default
    limits = set()

    class Judge(path_module.IterateJudge):
        def __call__(self, point):
            limits.add(self.max_seconds)
            return super().__call__(point)

    monkeypatch.setattr(path_module, "IterateJudge", Judge)
    monkeypatch.setattr(path_module, "WITHIN_LIMIT", within)
    compression.path(X, LABELS, "softmax", "box", [0.1, 0.2])
    assert limits == {times * usual}  # 40 samples of four inputs and a one
