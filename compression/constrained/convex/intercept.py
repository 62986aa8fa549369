"""The best intercept of softmax for given weights, on which every certificate rests.

Nothing here is shared with a solver.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.floating]

# A slope below this counts as zero: a sum over samples rounds by as much.
SETTLED = 1e-14
STEPS = 100
LONGEST = 20.0  # longest step of an intercept
# A step has to lower the loss by this share of what its slope predicts. With much less it may end
# where the loss is flat.
KEPT = 0.25


def fit_intercept(logits: Array, hot: Array, guess: Array | None) -> tuple[Array, float, Array]:
    """Intercepts (K,) that minimise the cross-entropy for given logits (K, N).

    Damped Newton; returns them with the loss and the probabilities (K, N).
    """
    counts, samples = hot.mean(axis=1), hot.shape[1]
    level = np.log(counts) if guess is None else np.asarray(guess, np.float64).copy()

    def evaluate(level: Array) -> tuple[float, Array]:
        total = logits + level[:, None]
        total -= total.max(axis=0)
        share = np.exp(total)
        mass = share.sum(axis=0)
        share /= mass
        fit = np.log(mass).sum() - float(np.vdot(total, hot))
        return float(fit) / samples, share

    loss, share = evaluate(level)
    for _ in range(STEPS):
        slope = (mean := share.mean(axis=1)) - counts
        curvature = np.diag(mean) - share @ share.T / samples
        steepness = np.trace(curvature)  # 0 where every probability is 0 or 1
        if np.abs(slope).max() <= SETTLED or steepness < 1e-14:
            break
        ridge = 1e-12 * steepness * np.eye(len(slope))
        step = -np.linalg.solve(curvature + ridge, slope)
        step -= step.mean()
        step *= min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-300))
        expected = float(slope @ step)
        length = 1.0
        new_loss, new_share = evaluate(level + step)
        if -expected > 1e-13 * (1 + loss):
            while new_loss > loss + KEPT * length * expected and length > 1e-8:
                length /= 2
                new_loss, new_share = evaluate(level + length * step)
        elif np.abs(new_share.mean(axis=1) - counts).max() > 0.5 * np.abs(slope).max():
            break  # rounding: neither the loss nor its slope falls any more
        level, loss, share = level + length * step, new_loss, new_share
    return level, loss, share


def fit_levels(odds: Array, positive: Array, guess: Array) -> tuple[Array, Array, Array]:
    """Intercepts of two classes for many models at once.

    Newton in every row, kept between what the signs of its slopes leave of it.

    Parameters
    ----------
    odds : ndarray, shape (b, N)
        Log-odds of the second class without an intercept, one row a model.
    positive : ndarray, shape (N,)
        1 where a sample is of the second class, else 0.
    guess : ndarray, shape (b,)
        Where to start.

    Returns
    -------
    level : ndarray, shape (b,)
        What to add to a row's odds.
    loss : ndarray, shape (b,)
        Mean cross-entropy, in nats.
    share : ndarray, shape (b, N)
        Probability of the second class.
    """
    level, wanted = np.array(guess, np.float64), positive.mean()
    low, high = np.full(len(level), -np.inf), np.full(len(level), np.inf)
    rows = np.arange(len(level))
    for longest in LONGEST * 2.0 ** np.arange(STEPS):
        here = level[rows]
        share = expit(odds[rows] + here[:, None])
        slope = share.mean(axis=1) - wanted
        low[rows] = np.where(slope < 0, here, low[rows])
        high[rows] = np.where(slope > 0, here, high[rows])
        share *= 1 - share
        steepness = np.maximum(share.mean(axis=1), 1e-300)
        new = here - np.clip(slope / steepness, -longest, longest)
        going = (np.abs(slope) > SETTLED) & (new != here)
        outside = going & ((new <= low[rows]) | (new >= high[rows]))
        new[outside] = (low[rows[outside]] + high[rows[outside]]) / 2
        rows = rows[going]
        if not rows.size:
            break
        level[rows] = new[going]
    total = odds + level[:, None]
    decay = np.exp(-np.abs(total))
    mass = 1 + decay
    missed = np.maximum((1 - 2 * positive) * total, 0.0)
    loss = (np.log(mass) + missed).mean(axis=1)
    return level, loss, np.where(total >= 0, 1.0, decay) / mass
