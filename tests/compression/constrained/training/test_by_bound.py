"""Every network of a constrained curve in few bits, and each layer's own certificate."""

import pytest

import compression
from compression import storage
from compression.constrained.training.layer_outputs import certificates_by_bound
from compression.few_bits import bits_by_bound

BOUNDS = (0.1, 1.0)


@pytest.fixture(scope="module")
def refitted(digits, digits_mlp):
    curve = compression.constrained_curve(digits_mlp, digits, bounds=BOUNDS, method="refit")
    return [(bound, curve.network(row)) for row, bound in enumerate(BOUNDS)]


def test_bits_are_measured_and_the_fewest_lose_at_most_a_point(diabetes):
    reference = compression.train(diabetes, model="linear_regression", seed=0)
    curve = compression.constrained_curve(reference, diabetes, bounds=BOUNDS)
    solved = [(bound, curve.network(row)) for row, bound in enumerate(BOUNDS)]
    table = bits_by_bound(reference, diabetes, solved)
    assert list(table["bound"].unique()) == list(BOUNDS)
    for bound, network in solved:
        own = table[table["bound"] == bound]
        off = own.loc[own["bits"] == 32, "validation_score"].iloc[0]
        good = own.loc[own["validation_score"] >= off - 0.01, "bits"]
        assert (own["fewest_bits"] == good.min()).all()
        for bits in (2, 8):
            line = own[own["bits"] == bits].iloc[0]
            written = storage.to_bytes(compression.quantize(network, bits))
            assert line["bytes"] == len(written)
            assert line["step"] == pytest.approx(2 * bound / 2**bits, rel=1e-6)
    assert (table["fewest_bits"] > 2).any()


def test_refitted_layers_come_with_their_own_certificates(digits, digits_mlp, refitted):
    table = certificates_by_bound(digits_mlp, digits, refitted)
    assert list(table["layer"].unique()) == ["fc1", "fc2", "fc3"]
    assert list(table["bound"].unique()) == list(BOUNDS)
    assert (table["duality_gap"] <= 2e-3).all()  # the refit's own tolerance is 1e-3
    tight, wide = (table.loc[table["bound"] == k, "error"].sum() for k in BOUNDS)
    assert tight > wide


def test_a_table_by_bound_ends_where_the_report_says(digits, digits_mlp, refitted):
    def stop(done, total, so_far):
        assert set(so_far()["bound"]) == {BOUNDS[0]}
        return False

    for ask in (bits_by_bound, certificates_by_bound):
        assert set(ask(digits_mlp, digits, refitted, report=stop)["bound"]) == {BOUNDS[0]}
