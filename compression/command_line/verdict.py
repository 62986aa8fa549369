"""The gate's rule.

One model may take another one's place where the interval of the change of accuracy (or of R²),
both being judged on the same rows, lies above what may be lost. Too few rows to tell is a no, and
is said to be that.
"""

from dataclasses import dataclass

from .judged import Judged


@dataclass(frozen=True)
class GateVerdict:
    """The gate's answer.

    Attributes
    ----------
    passes : bool
    sentence : str
    change : float
        Accuracy after minus before, in points; or R², in hundredths.
    low, high : float
        Its interval.
    """

    passes: bool
    sentence: str
    change: float
    low: float
    high: float


def decide(
    judged: Judged, names: tuple[str, str], lose_at_most: float, confidence: float
) -> GateVerdict:
    """The verdict on a pair of models.

    Raises
    ------
    NotApplicableError
        The model before is no better than always the same answer: data and model do not fit, and
        nothing follows.
    """
    judged.check_fit(names[0])
    before, after = judged.scores
    interval = judged.change(confidence / 100)
    low, high, change = 100 * interval.low, 100 * interval.high, 100 * (after - before)
    passes = low >= -lose_at_most
    figures = (
        f"{judged.describe(names)}: {change:+.2f} {judged.unit}, between {low:+.2f} and "
        f"{high:+.2f} with {confidence:g} % confidence"
    )
    unit = "point" if lose_at_most == 1 and judged.unit == "points" else judged.unit
    limit = f"{lose_at_most:g} {unit}"
    if passes:
        sentence = f"PASSED: {figures}; at most {limit} may be lost."
    elif high < -lose_at_most:
        sentence = f"FAILED: {figures}; more than the {limit} that may be lost is lost."
    else:
        sentence = (
            f"FAILED: {figures}; {-low:.2f} {judged.unit} may be lost, above the {limit} allowed. More "
            "rows would tell more."
        )
    return GateVerdict(passes, sentence, change, low, high)
