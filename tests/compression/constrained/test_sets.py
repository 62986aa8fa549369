import math
from itertools import combinations

import cvxpy
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

import compression
from compression.constrained.sets import SORTED, Box, Cardinality, L1Ball
from compression.errors import ArgumentError
from compression.weight_states import FREE, LOWER, UPPER, ZERO

SETS = {name: entry.load()() for name, entry in compression.CONSTRAINTS.items()}
CONVEX = {name: members for name, members in SETS.items() if members.convex}
every_set = pytest.mark.parametrize("members", SETS.values(), ids=SETS)
every_convex_set = pytest.mark.parametrize("members", CONVEX.values(), ids=CONVEX)

# Vectors and radii from far below the rounding of the entries to far above them.
unit_vectors = arrays(np.float64, st.integers(1, 6), elements=st.floats(-1, 1).map(lambda x: x**3))
scales = st.floats(-270, 270).map(lambda power: 10.0**power)
types = st.sampled_from([np.float64, np.float32])


def scale_to(unit, scale, kind):
    """A vector of that size, and the epsilon of its type; assumes that the type can hold it."""
    low, high = limits(kind)
    assume(low < scale * np.abs(unit).max(initial=0) < high)
    return (unit * scale).astype(kind), np.finfo(kind).eps


def limits(kind):
    return 1e3 * float(np.finfo(kind).tiny), 1e-3 * float(np.finfo(kind).max)


@every_convex_set
@given(unit=unit_vectors, scale=scales, radius=scales, kind=types)
@example(unit=np.array([1.0, -0.5]), scale=1.0, radius=1.4e-279, kind=np.float64)
@example(unit=np.array([1.0, -1.0, 1.0]), scale=1e17, radius=1.0, kind=np.float64)
@settings(deadline=None)
def test_a_projection_satisfies_its_variational_inequality(members, unit, scale, radius, kind):
    v, eps = scale_to(unit, scale, kind)
    low, high = limits(kind)
    assume(low < radius < high)
    z = members.project(v, radius)
    assert z.dtype == v.dtype
    tolerance = 8 * float(eps) * len(v)
    assert members.gauge(z) <= radius * (1 + tolerance)
    # ⟨v − z, w − z⟩ <= 0 for every w in the set: the largest value over w is the support's.
    size = float(np.abs(v).max())
    rest = v.astype(float) / size - z.astype(float) / size
    moved = rest != 0
    edge = z.astype(float)[moved] / radius
    reach = members.support(rest, 1.0) - float(rest[moved] @ edge)
    assert reach <= tolerance * np.abs(rest).sum() * (1 + np.abs(edge).max(initial=0)) + eps


@every_set
@given(unit=unit_vectors, scale=scales, kind=types)
@settings(deadline=None)
def test_the_gauge_is_the_smallest_bound_that_holds_a_vector(members, unit, scale, kind):
    v, _ = scale_to(unit, scale, kind)
    gauge = members.gauge(v)
    # The gauge of a sum or a norm is known to its rounding only.
    np.testing.assert_array_equal(members.project(v, gauge * (1 + 1e-12)), v)
    assert members.violation(v, gauge) == 0
    if gauge > limits(kind)[0]:
        smaller = gauge - 1 if members.name == "cardinality" else 0.999 * gauge
        assert members.violation(v, smaller) > 0
        assert not np.array_equal(members.project(v, smaller), v)


@every_set
@given(unit=unit_vectors, share=st.floats(0, 2), kind=types)
@settings(deadline=None)
def test_projecting_twice_changes_no_more_than_rounding(members, unit, share, kind):
    v = unit.astype(kind)
    bound = share * members.gauge(v)
    once = members.project(v, bound)
    rounding = 8 * np.finfo(kind).eps * np.abs(once).max(initial=0.0)
    np.testing.assert_allclose(members.project(once, bound), once, rtol=0, atol=rounding)


@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("share", [1e-6, 1e-3, 0.5, 0.999])
@pytest.mark.parametrize("seed", range(5))
def test_a_projection_in_the_metric_of_unlike_columns_lies_on_the_edge(name, share, seed):
    rng = np.random.default_rng(seed)
    spread = np.logspace(-3, 3, 7)
    v = rng.normal(size=(3, 7)) / spread
    bound = share * SETS[name].gauge(v)
    z = SETS[name].project(v, bound, spread**2)
    assert SETS[name].gauge(z) == pytest.approx(bound, rel=1e-13)
    # Optimality: what was taken away is the gradient of the gauge, times one price.
    taken, normal = spread**2 * (v - z), np.sign(z) if name == "l1" else z / bound
    size = spread**2 * np.abs(v)
    surest = np.argmax(np.where(z != 0, np.abs(taken) / size, 0.0))
    price = float(taken.flat[surest] / normal.flat[surest])
    rounding = 1e-14 * size + 1e-9 * np.abs(price * normal)
    assert (np.abs(taken - price * normal) <= rounding)[z != 0].all()
    assert (np.abs(taken[z == 0]) <= price * (1 + 1e-9)).all()


@every_convex_set
@pytest.mark.parametrize("seed", range(4))
def test_a_projection_is_the_one_that_cvxpy_finds(members, seed):
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(2, 3))
    metric = None if seed % 2 else 10.0 ** rng.uniform(-2, 2, size=(2, 3))
    bound = 0.4 * members.gauge(v)
    z = cvxpy.Variable((2, 3))
    flat = cvxpy.vec(z, order="C")
    inside = {
        "box": cvxpy.abs(flat) <= bound,
        "upper": flat <= bound,
        "l1": cvxpy.norm1(flat) <= bound,
        "l2": cvxpy.norm2(flat) <= bound,
    }[members.name]
    weight = np.ones((2, 3)) if metric is None else metric
    distance = cvxpy.sum_squares(cvxpy.multiply(np.sqrt(weight), z - v))
    cvxpy.Problem(cvxpy.Minimize(distance), [inside]).solve(solver="CLARABEL")
    own = members.project(v, bound, metric)
    np.testing.assert_allclose(own, z.value, atol=1e-4)
    assert np.sum(weight * (own - v) ** 2) <= distance.value * (1 + 1e-6)
    assert members.gauge(own) <= bound * (1 + 1e-12)


@given(
    unit=unit_vectors,
    count=st.integers(0, 7),
    metric=st.none() | st.lists(st.floats(0.01, 100), min_size=6, max_size=6),
)
@settings(deadline=None)
def test_the_largest_weights_are_the_nearest_that_are_so_few(unit, count, metric):
    m = None if metric is None else np.array(metric[: len(unit)])
    z = Cardinality().project(unit, count, m)
    assert np.count_nonzero(z) <= count
    cost = (1.0 if m is None else m) * unit**2
    best = min(
        cost.sum() - cost[list(kept)].sum()
        for kept in combinations(range(len(unit)), min(count, len(unit)))
    )
    assert np.sum((1.0 if m is None else m) * (z - unit) ** 2) == pytest.approx(best, abs=1e-12)


@given(unit=unit_vectors, bound=st.floats(0, 10))
@settings(deadline=None)
def test_the_support_function_is_the_largest_product_over_the_corners(unit, bound):
    corners = np.array(np.meshgrid(*[[-bound, bound]] * len(unit))).reshape(len(unit), -1)
    assert SETS["box"].support(unit, bound) == pytest.approx((unit @ corners).max(), abs=1e-12)
    spikes = bound * np.vstack([np.eye(len(unit)), -np.eye(len(unit))])
    assert SETS["l1"].support(unit, bound) == pytest.approx((spikes @ unit).max(), abs=1e-12)
    length = np.linalg.norm(unit)
    if length > 0:
        assert SETS["l2"].support(unit, bound) == pytest.approx(
            bound * (unit @ unit) / length, abs=1e-12
        )
    positive = np.abs(unit)
    assert SETS["upper"].support(positive, bound) == pytest.approx(bound * positive.sum())
    if (unit < 0).any():
        assert SETS["upper"].support(unit, bound) == math.inf


@every_set
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_without_a_bound_nothing_moves_and_with_none_left_all_is_zero(members, kind):
    v = np.array([[3.0, -4.0], [0.0, 1e30]], kind)
    np.testing.assert_array_equal(members.project(v, math.inf), v)
    nothing = members.project(v, 0.0)
    assert (nothing == (np.minimum(v, 0) if members.name == "upper" else 0)).all()


@given(
    arrays(np.float32, 8, elements=st.floats(-2, 2, width=32)),
    st.floats(2.0**-20, 3),
    st.sampled_from(sorted(SETS)),
)
@settings(deadline=None)
def test_a_weight_is_rebuilt_bit_by_bit_from_its_states_and_its_free_numbers(v, bound, name):
    members = SETS[name]
    bound = max(1.0, round(bound)) if name == "cardinality" else bound
    weight = members.project(v, bound)
    states = members.states(weight, bound)
    edge = np.float32(bound)
    rebuilt = np.zeros_like(weight)
    rebuilt[states == UPPER], rebuilt[states == LOWER] = edge, -edge
    rebuilt[states == FREE] = weight[states == FREE]
    assert rebuilt.tobytes() == weight.tobytes()
    assert set(np.unique(states)) <= {FREE, UPPER, LOWER, ZERO}


def test_pinned_weights_are_those_at_the_bound_or_at_zero():
    v = np.array([0.5, -0.5, 0.2, 0.0])
    assert Box().find_pinned(v, 0.5).tolist() == [True, True, False, False]
    assert SETS["upper"].find_pinned(v, 0.5).tolist() == [True, False, False, False]
    assert L1Ball().find_pinned(v, 1.2).tolist() == [False, False, False, True]
    assert SETS["l2"].find_pinned(v, 1.0).tolist() == [False] * 4
    assert Cardinality().find_pinned(v, 3).tolist() == [False, False, False, True]


@every_set
@pytest.mark.parametrize("bound", [-1, math.nan, "much", None])
def test_an_impossible_bound_is_refused_with_the_possible_ones(members, bound):
    with pytest.raises(ArgumentError, match="0 or more"):
        members.project(np.ones(3), bound)


@pytest.mark.parametrize("size", [5, SORTED + 500])
@pytest.mark.parametrize("in_metric", [False, True])
@pytest.mark.parametrize("share", [1e-6, 0.01, 0.5, 0.999])
def test_the_l1_projection_shrinks_by_the_threshold_that_root_finding_gives(size, in_metric, share):
    """Short vectors are sorted, long ones lose entries in turns: z = max(0, |v| − p/m)."""
    rng = np.random.default_rng(size)
    v = rng.standard_normal(size) ** 3
    metric = rng.uniform(0.1, 10, size) if in_metric else np.ones(size)
    c = share * np.abs(v).sum()

    def shrink(price):
        return np.maximum(np.abs(v) - price / metric, 0.0)

    price = brentq(lambda p: shrink(p).sum() - c, 0, (np.abs(v) * metric).max(), xtol=1e-15)
    found = L1Ball().project(v, c, metric if in_metric else None)
    np.testing.assert_allclose(found, np.sign(v) * shrink(price), atol=1e-9 * np.abs(v).max())
    assert np.abs(found).sum() == pytest.approx(c, rel=1e-12)


@pytest.mark.parametrize("numbers", [[1e308, -1e308, 1e308], [3e-308, -1e-308, 5e-324]])
def test_an_l1_projection_of_extreme_numbers_warns_of_nothing(numbers):
    v = np.array(numbers)
    with np.errstate(all="raise"):
        found = L1Ball().project(v, numbers[0] / 4)
    assert math.fsum(np.abs(found)) == pytest.approx(numbers[0] / 4)


def test_the_edge_is_that_of_the_weights_own_type():
    """0.7 in 32 bits is below 0.7: a weight there is at the bound all the same."""
    v = np.array([0.7, 0.8, 0.3, 0.0], np.float32)
    assert float(v[0]) < 0.7
    for name in ("box", "upper"):
        members = SETS[name]
        weight = members.project(v, 0.7)
        assert weight.dtype == np.float32
        assert members.find_pinned(weight, 0.7).tolist() == [True, True, False, False]
        assert members.states(weight, 0.7).tolist() == [UPPER, UPPER, FREE, ZERO]


def test_supports_of_many_numbers_of_few_digits_are_summed_in_full():
    v = np.full(3_000_001, 1 / 3, np.float32)
    v[0] = 1e6
    total = math.fsum(v.tolist())
    for name in ("box", "upper"):
        assert SETS[name].support(v, 2.0) == pytest.approx(2 * total, rel=1e-12)


def test_a_length_is_taken_in_full_however_small_its_numbers_or_few_their_digits():
    tiny = SETS["l2"].gauge(np.array([3e-200, -4e-200]))
    assert tiny == pytest.approx(5e-200, rel=1e-12, abs=0)
    few = np.full(3_000_001, 1 / 3, np.float32)
    few[0] = 1e3
    length = math.sqrt(math.fsum(float(v) ** 2 for v in few))
    assert SETS["l2"].gauge(few) == pytest.approx(length, rel=1e-11)


def test_where_a_weight_may_be_any_number_a_product_has_no_largest():
    v = np.array([0.0, -0.5])
    assert SETS["cardinality"].support(v, 1) == math.inf
    assert SETS["cardinality"].support(v, 0) == 0
    assert SETS["cardinality"].support(np.zeros(2), 1) == 0


@pytest.mark.parametrize("bound", [-1, math.nan, "x"])
def test_what_is_no_bound_is_refused_under_its_own_name(bound):
    with pytest.raises(ArgumentError, match=f"^bound c = {bound!r} is not"):
        SETS["box"].project(np.ones(2), bound)
    with pytest.raises(ArgumentError, match=f"^count κ = {bound!r} is not"):
        SETS["cardinality"].project(np.ones(2), bound)


@every_set
def test_of_no_weights_nothing_is_asked(members):
    empty = np.zeros(0)
    assert members.gauge(empty) == 0
    assert members.support(empty, 1.0) == 0
    assert members.project(empty, 1.0).size == 0


def test_without_a_bound_zero_is_pinned_in_an_l1_ball():
    assert L1Ball().find_pinned(np.array([0.0, 1.0]), math.inf).tolist() == [True, False]


def test_an_impossible_count_is_called_one():
    with pytest.raises(ArgumentError, match="count κ = -1"):
        Cardinality().project(np.ones(3), -1)
