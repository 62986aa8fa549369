"""How often the intervals of a change hold the true one: over test sets as small as ours are.

And how often Decide's "the test set agrees", which they decide, is wrong.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import binom, multinomial

from compression.evaluation import Comparison
from compression.intervals import score_ends
from compression.pareto import confirm_loss

from .table import Row

SAMPLES = (36, 57, 114, 171, 360, 540, 1000)
DIFFERING = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
GAINS = (0.5, 0.25, 0.1, 0.0)
"""Shares of the differing samples that the compressed model gets right."""
MANY = 3
"""Differing samples, on average. Where fewer differ there are often none, and one interval covers
for all such test sets: it would have to leave out the smallest changes to hold fewer than 97 %.
"""
SIMULATIONS = 4000
GOAL = (0.94, 0.97)
LOSS = 0.01
"""What may be lost; a model that loses just more is not to be agreed with."""
BEYOND = 1.01 * LOSS
MOST_WRONG = 0.025
DECISIONS = 4000


def coverage(samples: int, differing: float, gains: float) -> float:
    """Exact probability that the interval of a change of accuracy holds the true change."""
    change = differing * (2 * gains - 1)
    chance, low, high = enumerate_intervals(samples, differing, change)
    covered = (low <= change + 1e-12) & (change - 1e-12 <= high)
    return float(chance @ covered)


def count_wrong_yes(samples: int, differing: float) -> float:
    """Exact probability that the test set agrees with a model that loses just too much."""
    chance, low, high = enumerate_intervals(samples, differing, -BEYOND)
    return float(chance @ [say_yes(*ends) for ends in zip(low, high, strict=True)])


def say_yes(low: float, high: float) -> bool:
    return confirm_loss(pd.Series({"change_low": low, "change_high": high}), LOSS) == "yes"


def enumerate_intervals(
    samples: int, differing: float, change: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability and interval of every outcome that is not next to impossible."""
    cells = [(differing + change) / 2, (differing - change) / 2, 1 - differing]
    most = min(int(binom.isf(1e-9, samples, differing)) + 1, samples)
    gained, lost = (side.ravel() for side in np.mgrid[: most + 1, : most + 1])
    possible = gained + lost <= samples
    gained, lost = gained[possible], lost[possible]
    counts = np.stack([gained, lost, samples - gained - lost], axis=1)
    return multinomial.pmf(counts, samples, cells), *score_ends(gained, lost, samples)


def intervals_of_r_squared(
    samples: int, share: float, count: int, seed: int = 0
) -> tuple[float, np.ndarray, np.ndarray]:
    """Simulated: a compressed model whose errors are the reference's and some of its own.

    The true change, and the ends of so many intervals of it.
    """
    generator = np.random.default_rng(seed)
    noise = 0.5

    def draw(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        signal = generator.normal(size=n)
        target = signal + noise * generator.standard_t(6, size=n)
        return target, signal, signal + share * generator.normal(size=n)

    def change(target: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
        spread = ((target - target.mean()) ** 2).sum()
        return float((((target - one) ** 2).sum() - ((target - other) ** 2).sum()) / spread)

    true = change(*draw(1_000_000))
    ends = []
    for _ in range(count):
        target, one, other = draw(samples)
        _, low, high = Comparison(one, target, "regression").changes(other[None])
        ends.append((low[0], high[0]))
    return true, *np.array(ends).T


def coverage_of_r_squared(samples: int, share: float) -> float:
    true, low, high = intervals_of_r_squared(samples, share, SIMULATIONS)
    return float(np.mean((low <= true) & (true <= high)))


def simulate_wrong_yes(samples: int) -> float:
    """Simulated: agreement with a model that loses just more R² than it may."""
    variance = 1 + 0.5**2 * 6 / 4  # of the target: a signal, and noise of Student's t
    _, low, high = intervals_of_r_squared(samples, (BEYOND * variance) ** 0.5, DECISIONS)
    return float(np.mean([say_yes(*ends) for ends in zip(low, high, strict=True)]))


def _row(question: str, covered: np.ndarray) -> Row:
    mean = float(np.mean(covered))
    return Row(
        question,
        f"{mean:.1%}, least {np.min(covered):.1%}",
        f"95 %; the goal of the mean is {GOAL[0]:.0%} to {GOAL[1]:.0%}",
        mean / 0.95,
        "94–97 %",
        GOAL[0] <= mean <= GOAL[1],
    )


def rows() -> Iterator[Row]:
    for n in SAMPLES:
        covered = {
            (differing, gains): coverage(n, differing, gains)
            for differing in DIFFERING
            for gains in GAINS
        }
        many = [share for (differing, _), share in covered.items() if n * differing >= MANY]
        few = [share for (differing, _), share in covered.items() if n * differing < MANY]
        question = f"interval of a change of accuracy, {n} samples"
        yield _row(f"{question}, of which {MANY} or more differ: coverage", np.array(many))
        if few:
            yield Row(
                f"{question}, of which fewer than {MANY} differ: coverage",
                f"{np.mean(few):.1%}, least {np.min(few):.1%}",
                "95 %",
                float(np.mean(few)) / 0.95,
                "≥ 94 %",
                bool(np.mean(few) >= GOAL[0]),
            )
    for n in (36, 57, 89, 400, 1000):
        covered = [coverage_of_r_squared(n, share) for share in (0.1, 0.3, 0.6)]
        yield _row(f"interval of a change of R², {n} samples: coverage", np.array(covered))
    for n in (36, 114, 540, 1000):
        wrong = [count_wrong_yes(n, max(differing, BEYOND)) for differing in DIFFERING]
        yield _row_of_errors(f"a loss of just over a point of accuracy, {n}", max(wrong))
    for n in (36, 114, 540):
        yield _row_of_errors(f"a loss of just over 0.01 of R², {n}", simulate_wrong_yes(n))


def _row_of_errors(case: str, wrong: float) -> Row:
    return Row(
        f"{case} samples: 'the test set agrees'",
        f"{wrong:.2%}",
        f"{MOST_WRONG:.1%}, an end of a 95 % interval",
        wrong / MOST_WRONG,
        "≤ 1",
        wrong <= MOST_WRONG,
    )
