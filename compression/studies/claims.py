"""The article's claims: what was measured of each, and what the atlas says where it asks the same."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import data

WINS, LOSES = "wins", "loses"  # verdicts of a duel's first side
# Written by benchmarks/article_claims.py.
FILE = Path(data.__file__).parent / "files" / "article_claims.csv"
HELD, NOT_HELD, OPEN = "holds", "does not hold", "not shown either way"
# Claim -> the duel that tests it, and the verdict that makes the claim true.
DUELS: Mapping[str, tuple[str, str]] = {
    "COC is less accurate than LMM": ("low rank against constraints", WINS),
    "COC is more accurate than LMM (elsewhere in the text)": (
        "low rank against constraints",
        LOSES,
    ),
    "In practice: LMM as the main method with COC as the auxiliary one": (
        "low rank with a bound on its factors against low rank alone",
        WINS,
    ),
}


def read_claims(duels: pd.DataFrame) -> pd.DataFrame:
    """The claims as their benchmark measured them, with the verdict of a duel where there is one.

    Parameters
    ----------
    duels : DataFrame
        Of an atlas.

    Returns
    -------
    DataFrame
        claim, measured, verdict, command, date.
    """
    claims = pd.read_csv(FILE)
    for place, claim in claims["claim"].items():
        duel = judge_claim(str(claim), duels)
        if duel is not None:
            verdict, counts = duel
            claims.loc[place, "verdict"] = verdict
            claims.loc[place, "measured"] = f"{counts}. {claims.loc[place, 'measured']}"
    return claims


def judge_claim(claim: str, duels: pd.DataFrame) -> tuple[str, str] | None:
    """What a duel says of a claim, and how its cells came out; None where no duel asks the same.

    A claim holds that is right in most cells and wrong in none, does not hold where it is the other
    way round, and is open where cells disagree or most are ties.
    """
    duel, side = DUELS.get(claim, ("", ""))
    counts = duels.loc[duels["duel"] == duel, "verdict"].value_counts()
    if counts.empty:
        return None
    right, wrong = counts.get(side, 0), counts.get(WINS if side == LOSES else LOSES, 0)
    most = counts.sum() / 2
    verdict = HELD if right > most and not wrong else OPEN
    verdict = NOT_HELD if wrong > most and not right else verdict
    words = f"right in {right}, wrong in {wrong}, a tie in {counts.get('ties', 0)}"
    return verdict, f"The atlas, {counts.sum()} cells: {words}"
