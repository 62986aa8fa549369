"""Ranks of all layers under one budget.

Solves  min Σ_l e_l(r_l)  subject to  Σ_l cost_l(r_l) ≤ B  over one choice a layer, a rank or the
dense layer: a multiple-choice knapsack. The exact rule is the reference; the others are fast, or
usual, and their gap to it is part of their answer.
"""

import heapq
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
    return _Problem(layers, budget, resolution).by(rule)


def allocate_by_every_rule(
    layers: Mapping[str, RankChoices], budget: float, resolution: float | None = None
) -> dict[str, Allocation]:
    """Rule -> its allocation, see :func:`allocate`; the exact rule runs once."""
    problem = _Problem(layers, budget, resolution)
    return {rule: problem.by(rule) for rule in RULES}


@dataclass(frozen=True, eq=False)
class _Options:
    """A layer's undominated choices: costs rise, errors fall."""

    costs: Whole
    errors: Array
    ranks: Whole

    def cheapest_within(self, loss: float) -> int:
        """Place of the cheapest choice that loses no more, or of the one that loses least."""
        place = int(np.searchsorted(-self.errors, -loss, side="left"))
        return min(place, len(self.errors) - 1)


def _options(name: str, layer: RankChoices) -> _Options:
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


class _Problem:
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
        self.options = [_options(name, layer) for name, layer in layers.items()]
        smallest = sum(int(options.costs[0]) for options in self.options)
        # Written so that a budget that is not a number fails too.
        if not budget >= smallest:
            raise ArgumentError(
                f"a budget of {budget} is too small for these layers: choose at least {smallest}"
            )
        everything = sum(int(options.costs[-1]) for options in self.options)
        self.budget = everything if budget >= everything else int(budget)
        self.resolution = resolution
        self.price, self.priced, self.bound = _dual(self.options, self.budget)
        self.picks = {rule: pick(self) for rule, pick in _FAST.items()}
        self.picks["exact"], self.quantum, self.is_exact = _exact(self)

    def error(self, picks: list[int]) -> float:
        return sum(float(o.errors[place]) for o, place in zip(self.options, picks, strict=True))

    def cost(self, picks: list[int]) -> int:
        return sum(int(o.costs[place]) for o, place in zip(self.options, picks, strict=True))

    def by(self, rule: str) -> Allocation:
        picks = self.picks[rule]
        ranks = [int(o.ranks[place]) for o, place in zip(self.options, picks, strict=True)]
        error = self.error(picks)
        return Allocation(
            ranks={
                name: None if rank == DENSE else rank
                for name, rank in zip(self.layers, ranks, strict=True)
            },
            cost=self.cost(picks),
            error=error,
            rule=rule,
            gap=error - self.error(self.picks["exact"]),
            quantum=self.quantum,
            exact=self.is_exact,
            bound=self.bound,
        )


def _dual(options: list[_Options], budget: int) -> tuple[float, list[int], float]:
    """The smallest price at which everybody's cheapest choice fits, those choices, and the bound.

    Whatever the price α >= 0, Σ_l min_r (e + α cost) − α B is a lower bound of the error.
    """

    def at(price: float) -> tuple[list[int], int, float]:
        # The first of equal minima, so the cheaper.
        picks = [int(np.argmin(o.errors + price * o.costs)) for o in options]
        cost = sum(int(o.costs[place]) for o, place in zip(options, picks, strict=True))
        value = sum(
            float(o.errors[place] + price * (o.costs[place] - budget / len(options)))
            for o, place in zip(options, picks, strict=True)
        )
        return picks, cost, value

    picks, cost, bound = at(0.0)
    if cost <= budget:
        return 0.0, picks, bound
    # Costs are whole numbers: above the whole range of errors, one unit is never worth it.
    low, high = 0.0, max(float(o.errors[0] - o.errors[-1]) for o in options) * 2 + 1.0
    picks, _, value = at(high)
    bound = max(bound, value)
    best_price = high
    for _ in range(100):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        candidate, cost, value = at(middle)
        bound = max(bound, value)
        if cost <= budget:
            high, picks, best_price = middle, candidate, middle
        else:
            low = middle
    return best_price, picks, bound


def _lagrangian(problem: _Problem) -> list[int]:
    return problem.priced


def _greedy(problem: _Problem) -> list[int]:
    options = problem.options
    picks = [0] * len(options)
    left = problem.budget - problem.cost(picks)
    queue: list[tuple[float, int]] = []

    def offer(layer: int) -> None:
        o, place = options[layer], picks[layer]
        if place + 1 < len(o.costs):
            fall = o.errors[place] - o.errors[place + 1]
            heapq.heappush(queue, (-fall / (o.costs[place + 1] - o.costs[place]), layer))

    for layer in range(len(options)):
        offer(layer)
    while queue:
        _, layer = heapq.heappop(queue)
        o, place = options[layer], picks[layer]
        step = int(o.costs[place + 1] - o.costs[place])
        # A layer whose next step no longer fits is done; the others go on.
        if step <= left:
            picks[layer] += 1
            left -= step
            offer(layer)
    return picks


def _uniform_energy(problem: _Problem) -> list[int]:
    losses = np.unique(np.concatenate([o.errors for o in problem.options]))
    low, high = 0, len(losses) - 1
    while low < high:
        middle = (low + high) // 2
        picks = [o.cheapest_within(losses[middle]) for o in problem.options]
        if problem.cost(picks) <= problem.budget:
            high = middle
        else:
            low = middle + 1
    return [o.cheapest_within(losses[high]) for o in problem.options]


def _uniform(problem: _Problem) -> list[int]:
    def picks_at(rank: int) -> list[int]:
        picks = []
        for layer, o in zip(problem.layers.values(), problem.options, strict=True):
            own = min(rank, len(layer.costs))
            cost = layer.dense_cost
            if own > 0:
                cost = min(cost, int(layer.costs[own - 1]))
            picks.append(int(np.searchsorted(o.costs, cost, side="right")) - 1)
        return picks

    if problem.cost(picks_at(1)) > problem.budget:
        return [0] * len(problem.options)
    low, high = 1, max(1, *(len(layer.costs) for layer in problem.layers.values()))
    while low < high:
        middle = (low + high + 1) // 2
        if problem.cost(picks_at(middle)) <= problem.budget:
            low = middle
        else:
            high = middle - 1
    return picks_at(low)


def _exact(problem: _Problem) -> tuple[list[int], int, bool]:
    """Dynamic programme over the budget; picks, the costs' quantum, whether rounding lost nothing."""
    incumbent = min(problem.picks.values(), key=problem.error)
    options, budget = problem.options, problem.budget

    # At the dual's price, a choice whose own reduced cost exceeds the distance from the bound to
    # the best allocation known is in no better one: few choices a layer are left.
    price = problem.price
    reduced = [o.errors + price * o.costs for o in options]
    bound = sum(float(r.min()) for r in reduced) - price * budget
    slack = problem.error(incumbent) - bound
    rounding = 1e-12 * (1 + sum(float(np.abs(r).max()) for r in reduced) + price * budget)
    kept = [np.flatnonzero(r - r.min() <= slack + rounding) for r in reduced]

    # Only what a choice costs beyond its layer's cheapest is left to be decided.
    extras = [o.costs[places] - o.costs[places[0]] for o, places in zip(options, kept, strict=True)]
    room = budget - sum(int(o.costs[places[0]]) for o, places in zip(options, kept, strict=True))
    if room < 0:
        return incumbent, 1, True
    room = min(room, sum(int(extra[-1]) for extra in extras))

    divisor = max(int(np.gcd.reduce(np.concatenate(extras))), 1)
    if problem.resolution is None:
        cells = min(WORK // sum(len(extra) for extra in extras), TABLE // len(extras))
        quantum = max(divisor, -(-room // max(cells, 1)))
    else:
        quantum = max(divisor, int(problem.resolution * budget))
    # A multiple of the divisor rounds least.
    quantum = -(-quantum // divisor) * divisor

    errors = [o.errors[places] for o, places in zip(options, kept, strict=True)]
    places = _knapsack(errors, [-(-extra // quantum) for extra in extras], room // quantum)
    picks = [int(own[place]) for own, place in zip(kept, places, strict=True)]
    if problem.error(incumbent) <= problem.error(picks):
        picks = incumbent
    return picks, quantum, quantum == divisor


def _knapsack(errors: list[Array], costs: list[Whole], cells: int) -> list[int]:
    """One choice a layer of least total error within ``cells``; each layer has one of cost 0."""
    best = np.zeros(cells + 1)
    chosen = []
    for own_errors, own_costs in zip(errors, costs, strict=True):
        least = np.full(cells + 1, np.inf)
        choice = np.zeros(cells + 1, np.int32)
        for place, (error, cost) in enumerate(zip(own_errors, own_costs, strict=True)):
            if cost > cells:
                break
            candidate = best[: cells + 1 - cost] + error
            better = candidate < least[cost:]
            least[cost:][better] = candidate[better]
            choice[cost:][better] = place
        best = least
        chosen.append(choice)
    picks = []
    cell = cells
    for choice, own_costs in zip(reversed(chosen), reversed(costs), strict=True):
        place = int(choice[cell])
        picks.append(place)
        cell -= int(own_costs[place])
    return picks[::-1]


_FAST: Mapping[str, Callable[[_Problem], list[int]]] = {
    "greedy": _greedy,
    "lagrangian": _lagrangian,
    "uniform_energy": _uniform_energy,
    "uniform": _uniform,
}
RULES = ("exact", *_FAST)
"""Names of the rules, the reference first."""
