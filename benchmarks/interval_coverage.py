"""How often the intervals of a change hold the true one: over test sets as small as ours are."""

from collections.abc import Iterator

import numpy as np
from scipy.stats import binom, multinomial

from compression.evaluation import Comparison
from compression.intervals import score_ends

from .table import Row

SAMPLES = (36, 57, 114, 171, 360, 540, 1000)
DIFFERING = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
GAINS = (0.5, 0.25, 0.1, 0.0)
"""Shares of the differing samples that the compressed model gets right."""
SIMULATIONS = 200
GOAL = (0.94, 0.97)


def coverage(samples: int, differing: float, gains: float) -> float:
    """Exact probability that the interval of a change of accuracy holds the true change."""
    cells = [differing * gains, differing * (1 - gains), 1 - differing]
    most = min(int(binom.isf(1e-9, samples, differing)) + 1, samples)
    gained, lost = (side.ravel() for side in np.mgrid[: most + 1, : most + 1])
    possible = gained + lost <= samples
    gained, lost = gained[possible], lost[possible]
    counts = np.stack([gained, lost, samples - gained - lost], axis=1)
    low, high = score_ends(gained, lost, samples)
    change = cells[0] - cells[1]
    held = (low <= change + 1e-12) & (change - 1e-12 <= high)
    return float(multinomial.pmf(counts, samples, cells) @ held)


def coverage_of_r_squared(samples: int, share: float, seed: int = 0) -> float:
    """Simulated: a compressed model whose errors are the reference's and some of its own."""
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
    held = 0
    for _ in range(SIMULATIONS):
        target, one, other = draw(samples)
        _, low, high = Comparison(one, target, "regression").changes(other[None])
        held += bool(low[0] <= true <= high[0])
    return held / SIMULATIONS


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
    everything = []
    for n in SAMPLES:
        covered = [coverage(n, differing, gains) for differing in DIFFERING for gains in GAINS]
        everything += covered
        yield _row(f"interval of a change of accuracy, {n} samples: coverage", np.array(covered))
    yield _row("the same over all these numbers of samples", np.array(everything))
    for n in (57, 89, 400):
        covered = [coverage_of_r_squared(n, share) for share in (0.1, 0.3, 0.6)]
        yield _row(f"interval of a change of R², {n} samples: coverage", np.array(covered))
