"""What is said of a person's layers before any data."""

import numpy as np
import pytest

import compression
from compression.graphs.layer_table import tabulate_layers, take_spectra

from .conftest import low_rank_matrix, safetensors_file

RNG = np.random.default_rng(1)
WEIGHTS = {
    "low": low_rank_matrix(20, 30, 4),
    "full": RNG.normal(size=(16, 24)),
    "broken": np.full((6, 6), np.inf),
}


@pytest.fixture(scope="module")
def model():
    return compression.read_model({"m.safetensors": safetensors_file(WEIGHTS)})


def test_savings_are_of_the_rank_that_keeps_the_share_of_energy(model):
    table = tabulate_layers(model).set_index("layer")
    for name in ("low", "full"):
        matrix = WEIGHTS[name].astype(np.float32).astype(float)
        rows, columns = matrix.shape
        line = table.loc[name]
        assert (line["rows"], line["columns"]) == (rows, columns)
        assert line["energy"] == pytest.approx((matrix**2).sum())
        kept = np.cumsum(np.linalg.svd(matrix, compute_uv=False) ** 2) / line["energy"]
        for share in (90, 95, 99):
            rank = int(np.argmax(kept >= share / 100)) + 1
            saving = 1 - rank * (rows + columns) / (rows * columns)
            assert line[f"saving_{share}"] == pytest.approx(saving)
    assert table.loc["low", "saving_99"] > 0 > table.loc["full", "saving_99"]


def test_a_layer_that_is_not_finite_has_no_spectrum_and_no_savings(model):
    line = tabulate_layers(model).set_index("layer").loc["broken"]
    assert np.isnan(line["energy"])
    assert line[["saving_90", "saving_95", "saving_99"]].isna().all()
    spectra = take_spectra(model)
    assert set(spectra) == {"low", "full"}
    for name, values in spectra.items():
        expected = np.linalg.svd(WEIGHTS[name].astype(np.float32).astype(float), compute_uv=False)
        np.testing.assert_allclose(values, expected, atol=1e-5)
