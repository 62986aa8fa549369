"""The rank that a study's validation scores choose, over all its splits: folds, seeds, or both."""

import math

import pandas as pd
from scipy import special

from .comparison import EQUAL, PAIR, corrected_error, part_sizes

CURVE = ["dataset", "model", "label", "bits"]
WHOLE = 32.0  # bits of a number as it is
CONFIDENCE = 0.95


def choose_ranks(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score of every rank over the splits, and the rank to take.

    That is the smallest rank whose mean is at most one standard error below the best mean (the
    one-standard-error rule of Breiman, Friedman, Olshen & Stone 1984). Splits share rows, so the
    standard error is Nadeau and Bengio's: the variance over J splits times (1 / J + rows held out
    / rows learnt from), and not divided by J alone.

    Parameters
    ----------
    rows : DataFrame
        As ``table`` gives them.

    Returns
    -------
    DataFrame
        One row a rank that every split of its curve has, of curves of at least two splits:
        dataset, model, label, bits (32: as they are), rank, splits, mean, error (corrected
        standard error), low, high (95 % interval of the mean; NaN where all splits have one score),
        bytes (mean), best, chosen, reference (the references' own mean validation score).
    """
    fitted = rows[rows["family"] == "low_rank"].copy()
    fitted["bits"] = fitted["bits"].fillna(WHOLE)
    ranks = fitted.groupby([*CURVE, "knob"], as_index=False, observed=True).agg(
        splits=("validation_score", "count"),
        mean=("validation_score", "mean"),
        variance=("validation_score", "var"),
        bytes=("bytes", "mean"),
    )
    words = dict.fromkeys(CURVE[:3], "str")
    ranks = ranks.rename(columns={"knob": "rank"}).astype({"rank": int, **words})
    complete = ranks["splits"] == ranks.groupby(CURVE)["splits"].transform("max")
    ranks = ranks[complete & (ranks["splits"] > 1)].reset_index(drop=True)
    references = rows[rows["family"] == "reference"].groupby(PAIR[:2], observed=True)
    sizes = part_sizes(rows)
    parts = pd.DataFrame(
        {
            "ratio": sizes["validation_rows"] / sizes["train_rows"],
            "reference": references["validation_score"].mean(),
        }
    )
    ranks = ranks.join(parts, on=PAIR[:2])
    # Equal scores have no variance but for rounding.
    variance = ranks.pop("variance").where(lambda each: each > EQUAL**2, 0.0)
    ranks["error"] = corrected_error(variance, ranks["splits"], ranks.pop("ratio"))
    known = ranks["error"].replace(0.0, math.nan)
    reach = special.stdtrit(ranks["splits"] - 1, (1 + CONFIDENCE) / 2) * known
    ranks["low"], ranks["high"] = ranks["mean"] - reach, ranks["mean"] + reach
    ranks["best"], ranks["chosen"] = False, False
    for _, curve in ranks.groupby(CURVE):
        best = curve["mean"].idxmax()  # idxmax takes the first of equals: the smallest rank
        near = curve["mean"] >= curve.loc[best, "mean"] - curve.loc[best, "error"]
        ranks.loc[best, "best"] = True
        ranks.loc[curve.index[near][0], "chosen"] = True
    names = ["rank", "splits", "mean", "error", "low", "high", "bytes", "best", "chosen"]
    names += ["reference"]
    return ranks[[*CURVE, *names]]
