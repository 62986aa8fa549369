"""What stands beside the best family: fewer MACs, less time, a certified optimum."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from compression.equal_bytes import Winner
from pages.views.decide.winners import find_proofs, tabulate_winners
from tests.pages.views.decide.examples import SERIES

REASONS = "what it gives besides"


@pytest.fixture
def three():
    """A reference, a low-rank row of fewer MACs and less time, and a bounded row of fewer bytes."""
    return pd.DataFrame(
        {
            "label": ["reference", "rank 2", "box, c = 0.3"],
            "series": ["reference", "truncated_svd", "box"],
            "family": ["reference", "low_rank", "constrained"],
            "place": [0, 0, 4],
            "bytes": [9000, 6000, 3000],
            "macs": [4000.0, 1000.0, 4000.0],
            "latency_1": [2.0, 0.5, 2.0],
            "epochs": [0, 0, 3],
            "score": [0.95, 0.94, 0.93],
            "validation_score": [0.95, 0.94, 0.93],
        }
    )


def tabulate(table, cost, best, proofs):
    winner = Winner(0.5, {"low_rank": 1, "constrained": 2}, best, None)
    return tabulate_winners("classification", table, [(cost, winner)], proofs).iloc[0]


def test_a_low_rank_winner_says_how_much_less_it_computes_and_how_much_sooner(three):
    line = tabulate(three, "bytes", 1, {})
    assert line["best on validation"] == "low rank"
    assert "4× fewer MACs" in line[REASONS]
    assert "4× shorter" in line[REASONS]
    assert "certified" not in line[REASONS]
    assert "smaller file" not in line[REASONS]  # that is the cost it was chosen by
    by_macs = tabulate(three, "macs", 1, {})
    assert "1.5× smaller file" in by_macs[REASONS]
    assert "fewer MACs" not in by_macs[REASONS]


def test_a_certified_winner_says_its_gap_and_the_price_of_its_bound(three):
    proof = pd.Series({"duality_gap": 2e-7, "price": 0.0312})
    line = tabulate(three, "bytes", 2, {2: proof})
    assert line[REASONS] == "a certified optimum (gap 2e-07, price 0.031 per unit)"
    free = tabulate(three, "bytes", 2, {2: proof.replace(0.0312, 0.0)})
    assert free[REASONS] == "a certified optimum (gap 2e-07)"
    other = tabulate(three, "bytes", 1, {2: proof})
    assert "certified" not in other[REASONS]
    assert tabulate(three, "bytes", 2, {})[REASONS] == "nothing"


def test_proofs_are_those_of_the_certified_rows_of_a_curve(table, results, box):
    proofs = find_proofs(table, {SERIES[name]: curve for name, curve in results.items()})
    rows = table[table["series"] == "box"]
    certified = box.facts["certified"].to_numpy()[rows["place"].to_numpy(int)]
    assert certified.any()
    assert set(proofs) == set(rows.index[certified])
    for row, proof in proofs.items():
        assert proof["knob"] == box.table["knob"].iloc[int(table["place"][row])]
        assert np.isfinite(proof["duality_gap"])
    stopped = replace(box, facts=box.facts.assign(certified=box.facts.index % 2 == 0))
    half = find_proofs(table, {SERIES["box"]: stopped})
    assert set(half) == set(rows.index[rows["place"] % 2 == 0])
