"""Ranks of all layers under one budget.

Solves  min Σ_l e_l(r_l)  subject to  Σ_l cost_l(r_l) ≤ B  over one choice a layer, a rank or the
dense layer: a multiple-choice knapsack. The exact rule is the reference; the others are fast, or
usual, and their gap to it is part of their answer.
"""

import bisect
import heapq
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..argument_checks import check_arguments
from ..errors import ArgumentError
from ..threads import in_one_thread
from .decomposition import Array
from .rank_choices import RankChoices, choices
from .starvation import describe_starved
from .truncated_svd import TruncatedSVD

Whole = NDArray[np.int64]

WORK = 200_000_000
"""Cells times choices that the exact rule may visit, about a second."""
TABLE = 25_000_000
"""Cells times layers that the exact rule may hold."""
DENSE = 0
"""Stands for the dense layer where a rank is expected, inside this module."""


@dataclass(frozen=True, eq=False)
class Allocation:
    """A rank for every layer.

    Attributes
    ----------
    ranks : dict
        Layer -> rank, or None for "keep dense".
    cost : int
        In the budget's unit; at most the budget.
    error : float
        Σ_l e_l.
    rule : str
    gap : float
        How far ``error`` lies above the exact rule's, >= 0.
    quantum : int
        Costs were rounded up to multiples of it in the exact rule.
    exact : bool
        Whether that rounding loses nothing, so that no allocation has a smaller error.
    bound : float
        No allocation within the budget has a smaller error (Lagrangian dual).
    """

    ranks: dict[str, int | None]
    cost: int
    error: float
    rule: str
    gap: float
    quantum: int
    exact: bool
    bound: float


@check_arguments
@in_one_thread
def allocate_ranks(
    weights: Mapping[str, Array], budget: int, rule: str = "exact", resolution: float | None = None
) -> dict[str, int | None]:
    """Ranks of all layers under a budget of parameters.

    Parameters
    ----------
    weights : mapping of str to ndarray, shape (m, n)
        Layer -> weight. A convolution's kernel counts as its unfolding (out, in · spatial).
    budget : int
        Numbers that all layers together may hold, biases aside.
    rule : str
        "exact", "greedy", "lagrangian", "uniform_energy" or "uniform".
    resolution : float, optional
        See :func:`allocate`.

    Returns
    -------
    dict
        Layer -> rank, or None for "keep dense". Weights alone do not say what the loss gains: the
        exact rule keeps the largest product over layers of the share of energy that each keeps by
        truncated SVD. With data, :func:`compression.budget_curve` has better objectives.

    Raises
    ------
    ArgumentError
        The budget is below what rank 1 everywhere needs, a weight cannot be used, or there is no
        such rule.

    Warns
    -----
    UserWarning
        A layer is left rank 1 while another one stays dense.
    """
    layers: dict[str, RankChoices] = {}
    for name, weight in weights.items():
        matrix = np.asarray(weight)
        if matrix.ndim > 2:
            matrix = matrix.reshape(len(matrix), -1)
        try:
            layers[name] = choices(TruncatedSVD().decompose(matrix))
        except ArgumentError as error:
            raise ArgumentError(f"layer {name}: {error}") from None
    ranks = allocate(layers, budget, rule, resolution).ranks
    if starved := describe_starved(layers, ranks):
        warnings.warn(f"{starved}: a larger budget, or another rule, may do better", stacklevel=2)
    return ranks


def allocate(
    layers: Mapping[str, RankChoices],
    budget: float,
    rule: str = "exact",
    resolution: float | None = None,
) -> Allocation:
    """Choose a rank, or the dense layer, for every layer under one budget.

    Parameters
    ----------
    layers : mapping of str to RankChoices
    budget : float
        In the unit of the costs.
    rule : str
        "exact": dynamic programme over the budget. "greedy": largest fall of the error per cost
        first, pooled over layers. "lagrangian": r = argmin α · cost + e with the smallest α that
        fits (Idelbayev & Carreira-Perpiñán, CVPR 2020). "uniform_energy": the same loss allowed
        in every layer. "uniform": the same k everywhere, dense where that k saves nothing.
    resolution : float, optional
        Share of the budget to which the exact rule rounds costs up, e.g. 0.001. Unless given: the
        costs' greatest common divisor, which loses nothing, or, where that takes too long, as
        fine as a second allows.

    Returns
    -------
    Allocation
        Also for "exact" never worse than any of the other rules.

    Raises
    ------
    ArgumentError
        There are no layers, the budget is too small, or a curve or the resolution or the rule
        cannot be used.
    """
    if rule not in RULES:
        raise ArgumentError(f"there is no rule named {rule!r}: choose one of {', '.join(RULES)}")
    return _AllocationProblem(layers, budget, resolution).allocate(rule)


def allocate_by_every_rule(
    layers: Mapping[str, RankChoices], budget: float, resolution: float | None = None
) -> dict[str, Allocation]:
    """Rule -> its allocation, see :func:`allocate`; the exact rule runs once."""
    problem = _AllocationProblem(layers, budget, resolution)
    return {rule: problem.allocate(rule) for rule in RULES}


class _LayerChoice(NamedTuple):
    """What one layer may become."""

    cost: int
    error: float
    rank: int


_Picks = dict[str, _LayerChoice]
"""Layer -> its choice."""


@dataclass(frozen=True, eq=False)
class _Options:
    """A layer's undominated choices: costs rise, errors fall."""

    costs: Whole
    errors: Array
    ranks: Whole

    def at(self, place: int | np.integer) -> _LayerChoice:
        return _LayerChoice(
            int(self.costs[place]), float(self.errors[place]), int(self.ranks[place])
        )

    def keep(self, kept: NDArray[np.bool_]) -> "_Options":
        return _Options(self.costs[kept], self.errors[kept], self.ranks[kept])

    def find_cheapest(self, loss: float) -> _LayerChoice:
        """The cheapest choice that loses no more, or the one that loses least."""
        return self.at(np.argmax(self.errors <= max(loss, self.errors[-1])))


def _build_options(name: str, layer: RankChoices) -> _Options:
    costs = np.append(np.asarray(layer.costs), layer.dense_cost)
    errors = np.append(np.asarray(layer.errors, dtype=np.float64), 0.0)
    if costs.shape != errors.shape or costs.ndim != 1:
        raise ArgumentError(
            f"layer {name} has {len(errors) - 1} errors and {len(costs) - 1} costs: "
            "give one of each a rank"
        )
    if not np.isfinite(errors).all():
        raise ArgumentError(f"layer {name} has errors that are not finite: leave such ranks out")
    if costs.dtype.kind not in "iu" or (costs < 0).any():
        raise ArgumentError(f"layer {name} has costs that are not whole numbers >= 0: round them")
    ranks = np.append(np.arange(1, len(errors)), DENSE)
    order = np.lexsort((errors, costs))
    best = np.minimum.accumulate(errors[order])
    falls = np.append(True, best[1:] < best[:-1])
    kept = order[falls]
    return _Options(costs[kept].astype(np.int64), errors[kept], ranks[kept])


class _AllocationProblem:
    """One budget; what several rules need is computed once."""

    def __init__(
        self, layers: Mapping[str, RankChoices], budget: float, resolution: float | None
    ) -> None:
        if not layers:
            raise ArgumentError("there are no layers to share the budget: give at least one")
        if resolution is not None and not 0 < resolution <= 1:
            raise ArgumentError(
                f"resolution {resolution} is not possible: choose a share of the budget "
                "above 0, up to 1"
            )
        self.layers = layers
        self.options = {name: _build_options(name, layer) for name, layer in layers.items()}
        smallest = sum(int(options.costs[0]) for options in self.options.values())
        # Written this way, the comparison also rejects NaN.
        if not budget >= smallest:
            raise ArgumentError(
                f"a budget of {budget} is too small for these layers: choose at least {smallest}"
            )
        everything = sum(int(options.costs[-1]) for options in self.options.values())
        self.budget = int(min(budget, everything))
        self.resolution = resolution
        self.price, self.priced, self.bound = _solve_dual(self.options, self.budget)
        self.picks = {rule: pick(self) for rule, pick in _FAST.items()}
        self.picks["exact"], self.quantum, self.is_exact = _allocate_exactly(self)

    def allocate(self, rule: str) -> Allocation:
        picks = self.picks[rule]
        error = _sum_errors(picks)
        return Allocation(
            ranks={
                name: None if choice.rank == DENSE else choice.rank
                for name, choice in picks.items()
            },
            cost=_sum_costs(picks),
            error=error,
            rule=rule,
            gap=error - _sum_errors(self.picks["exact"]),
            quantum=self.quantum,
            exact=self.is_exact,
            bound=self.bound,
        )


def _sum_costs(picks: _Picks) -> int:
    return sum(choice.cost for choice in picks.values())


def _sum_errors(picks: _Picks) -> float:
    return sum(choice.error for choice in picks.values())


def _solve_dual(options: Mapping[str, _Options], budget: int) -> tuple[float, _Picks, float]:
    """The smallest price at which everybody's cheapest choice fits, those choices, and the bound.

    Whatever the price α >= 0, Σ_l min_r (e + α cost) − α B is a lower bound of the error.
    """

    def choose_at(price: float) -> tuple[_Picks, float]:
        # argmin takes the first of equal minima, the cheapest one.
        picks = {name: o.at(np.argmin(o.errors + price * o.costs)) for name, o in options.items()}
        share = budget / len(options)
        return picks, sum(c.error + price * (c.cost - share) for c in picks.values())

    picks, bound = choose_at(0.0)
    if _sum_costs(picks) <= budget:
        return 0.0, picks, bound
    # Costs are whole numbers: at a price above the whole range of errors no unit is worth buying.
    low, high = 0.0, max(float(o.errors[0] - o.errors[-1]) for o in options.values()) + 1.0
    picks, value = choose_at(high)
    bound = max(bound, value)
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        candidate, value = choose_at(middle)
        bound = max(bound, value)
        if _sum_costs(candidate) <= budget:
            high, picks = middle, candidate
        else:
            low = middle
    return high, picks, bound


def _allocate_by_price(problem: _AllocationProblem) -> _Picks:
    return problem.priced


def _allocate_greedily(problem: _AllocationProblem) -> _Picks:
    options = problem.options
    places = dict.fromkeys(options, 0)
    left = problem.budget - sum(int(o.costs[0]) for o in options.values())
    queue: list[tuple[float, str]] = []

    def offer(name: str) -> None:
        o, place = options[name], places[name]
        if place + 1 < len(o.costs):
            fall = o.errors[place] - o.errors[place + 1]
            heapq.heappush(queue, (-fall / (o.costs[place + 1] - o.costs[place]), name))

    for name in options:
        offer(name)
    while queue:
        _, name = heapq.heappop(queue)
        o, place = options[name], places[name]
        step = int(o.costs[place + 1] - o.costs[place])
        # A layer is done once its next step no longer fits; the others go on.
        if step <= left:
            places[name] += 1
            left -= step
            offer(name)
    return {name: options[name].at(place) for name, place in places.items()}


def _allocate_uniform_energy(problem: _AllocationProblem) -> _Picks:
    options = problem.options
    losses = np.unique(np.concatenate([o.errors for o in options.values()]))

    def pick_at(place: int) -> _Picks:
        return {name: o.find_cheapest(losses[place]) for name, o in options.items()}

    def fits(place: int) -> bool:
        return _sum_costs(pick_at(place)) <= problem.budget

    # At the largest of these losses every layer takes its cheapest choice.
    return pick_at(bisect.bisect_left(range(len(losses) - 1), True, key=fits))


def _allocate_uniform_rank(problem: _AllocationProblem) -> _Picks:
    def pick_at(rank: int) -> _Picks:
        picks = {}
        for name, o in problem.options.items():
            layer = problem.layers[name]
            up_to_rank = np.asarray(layer.costs)[:rank]
            cost = min([layer.dense_cost, *up_to_rank[-1:]])
            picks[name] = o.at(np.searchsorted(o.costs, cost, side="right") - 1)
        return picks

    def exceeds(rank: int) -> bool:
        return _sum_costs(pick_at(rank)) > problem.budget

    largest = max(len(layer.costs) for layer in problem.layers.values())
    rank = bisect.bisect_left(range(1, largest + 1), True, key=exceeds)
    if rank == 0:
        return {name: o.at(0) for name, o in problem.options.items()}
    return pick_at(rank)


def _allocate_exactly(problem: _AllocationProblem) -> tuple[_Picks, int, bool]:
    """Dynamic programme over the budget; picks, the costs' quantum, whether rounding lost nothing."""
    incumbent = min(problem.picks.values(), key=_sum_errors)
    budget, price = problem.budget, problem.price

    # At the dual's price, no better allocation has a choice whose reduced cost exceeds the distance
    # from the bound to the best known allocation. That leaves few choices per layer.
    reduced = {name: o.errors + price * o.costs for name, o in problem.options.items()}
    bound = sum(float(r.min()) for r in reduced.values()) - price * budget
    slack = _sum_errors(incumbent) - bound
    largest = sum(float(np.abs(r).max()) for r in reduced.values())
    slack += 1e-12 * (1 + largest + price * budget)  # rounding
    kept = {
        name: o.keep(reduced[name] - reduced[name].min() <= slack)
        for name, o in problem.options.items()
    }

    # Each layer takes at least its cheapest choice: allocate what is left of the budget.
    extras = [o.costs - o.costs[0] for o in kept.values()]
    room = budget - sum(int(o.costs[0]) for o in kept.values())  # >= 0, since the dual's picks fit
    room = min(room, sum(int(extra[-1]) for extra in extras))

    divisor = max(int(np.gcd.reduce(np.concatenate(extras))), 1)
    if problem.resolution is None:
        cells = min(WORK // sum(len(extra) for extra in extras), TABLE // len(extras))
        quantum = max(divisor, -(-room // max(cells, 1)))
    else:
        quantum = max(divisor, int(problem.resolution * budget))
    # A multiple of the divisor rounds the costs least.
    quantum = -(-quantum // divisor) * divisor

    picks = _solve_knapsack(kept, quantum, room // quantum)
    return min(incumbent, picks, key=_sum_errors), quantum, quantum == divisor


def _solve_knapsack(options: dict[str, _Options], quantum: int, cells: int) -> _Picks:
    """A choice a layer of least total error; what they cost beyond the cheapest fits the cells."""
    best = np.zeros(cells + 1)
    steps, chosen = {}, {}
    for name, o in options.items():
        steps[name] = -(-(o.costs - o.costs[0]) // quantum)
        least = np.full(cells + 1, np.inf)
        chosen[name] = np.zeros(cells + 1, np.int32)
        for place, cost in enumerate(steps[name]):
            if cost > cells:
                break
            candidate = best[: cells + 1 - cost] + o.errors[place]
            better = candidate < least[cost:]
            least[cost:][better] = candidate[better]
            chosen[name][cost:][better] = place
        best = least
    places: dict[str, int] = {}
    for name in reversed(options):
        places[name] = int(chosen[name][cells])
        cells -= int(steps[name][places[name]])
    return {name: o.at(places[name]) for name, o in options.items()}


_FAST: Mapping[str, Callable[[_AllocationProblem], _Picks]] = {
    "greedy": _allocate_greedily,
    "lagrangian": _allocate_by_price,
    "uniform_energy": _allocate_uniform_energy,
    "uniform": _allocate_uniform_rank,
}
RULES = ("exact", *_FAST)
"""Names of the rules, the reference first."""
