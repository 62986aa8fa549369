"""The gate's rule.

One classifier may take another one's place where the interval of the change of accuracy, both
being judged on the same rows, lies above what may be lost. Too few rows to tell is a no, and is
said to be that.
"""

from dataclasses import dataclass

from ..errors import NotApplicableError
from ..evaluation import wilson
from ..intervals import Interval, paired_change
from .judge import Judged


@dataclass(frozen=True)
class Verdict:
    """The gate's answer.

    Attributes
    ----------
    passes : bool
    sentence : str
    change : float
        Accuracy after minus before, in points.
    low, high : float
        Its interval, in points.
    """

    passes: bool
    sentence: str
    change: float
    low: float
    high: float


def decide(
    judged: Judged, names: tuple[str, str], lose_at_most: float, confidence: float
) -> Verdict:
    """The verdict on a pair of models.

    Raises
    ------
    NotApplicableError
        The model before is no better than always answering the most frequent class: data and
        model do not fit, and nothing follows.
    """
    before, after = float(judged.before.mean()), float(judged.after.mean())
    check_fit(judged, names[0])
    interval: Interval = paired_change(judged.before, judged.after, confidence / 100)
    low, high, change = 100 * interval.low, 100 * interval.high, 100 * (after - before)
    passes = low >= -lose_at_most
    figures = (
        f"{names[1]} is right on {after:.2%} of {len(judged.target):,} rows, {names[0]} on "
        f"{before:.2%}: {change:+.2f} points, between {low:+.2f} and {high:+.2f} with "
        f"{confidence:g} % confidence"
    )
    limit = f"{lose_at_most:g} point{'' if lose_at_most == 1 else 's'}"
    if passes:
        sentence = f"PASSED: {figures}; at most {limit} may be lost."
    elif high < -lose_at_most:
        sentence = f"FAILED: {figures}; more than the {limit} that may be lost is lost."
    else:
        sentence = (
            f"FAILED: {figures}; {-low:.2f} points may be lost, above the {limit} allowed. More "
            "rows would tell more."
        )
    return Verdict(passes, sentence, change, low, high)


def check_fit(judged: Judged, name: str) -> None:
    """Raise NotApplicableError where a model says no more of the data than its majority class."""
    interval = wilson(int(judged.before.sum()), len(judged.target))
    if interval.high <= judged.majority:
        raise NotApplicableError(
            f"{name} is right on {judged.before.mean():.2%} of the rows, always answering the most "
            f"frequent class on {judged.majority:.2%}: the data are not as the model reads them, "
            f"or its classes stand in another order ({judged.order})"
        )
