"""Ranks for every size, large matrices, and the check of what was written."""

import numpy as np
import pytest

import compression
from compression.graphs import check, spectra
from compression.graphs.check import write_checked
from compression.graphs.plan import energy_at, find_starting_row, plan

from .conftest import low_rank_matrix, safetensors_file
from .onnx_graphs import build, node

RNG = np.random.default_rng(0)


def bag():
    values = {
        "a": low_rank_matrix(20, 30, 4) + 0.1 * RNG.normal(size=(20, 30)),
        "b": RNG.normal(size=(16, 24)),
        "embed": RNG.normal(size=(9, 9)),
        "bias": np.ones(7),
    }
    return compression.read_model({"m.safetensors": safetensors_file(values)})


def test_plan_keeps_each_budget_and_the_largest_product_of_energies():
    model = bag()
    found = plan(model, steps=6)
    assert found.table["parameters"].is_monotonic_increasing
    assert found.table["parameters"].iloc[-1] == model.parameters
    assert found.ranks[-1] == {}
    fixed = 81 + 7
    for line, ranks in zip(found.table.to_dict("records"), found.ranks, strict=True):
        stored = sum(model.weight(name).count_stored(ranks.get(name)) for name in ("a", "b"))
        assert line["parameters"] == fixed + stored
        budget = stored
        best = max(
            np.log(energy_of(model, "a", k)) + np.log(energy_of(model, "b", j))
            for k in (*range(1, 12), None)
            for j in (*range(1, 10), None)
            if model.weight("a").count_stored(k) + model.weight("b").count_stored(j) <= budget
        )
        own = sum(np.log(energy_of(model, name, ranks.get(name))) for name in ("a", "b"))
        assert own >= best - 0.01
    start = find_starting_row(found.table)
    assert found.table["energy"].iloc[start] >= 0.9


def energy_of(model, layer, rank):
    return 1.0 if rank is None else energy_at(model, layer, rank)


def test_written_file_is_checked_against_the_spectrum():
    model = bag()
    files, found = write_checked(model, {"a": 3, "b": 2})
    assert set(files) == {"m.safetensors"}
    for layer, rank in (("a", 3), ("b", 2)):
        s = np.linalg.svd(model.matrix(layer), compute_uv=False)
        tail = np.sqrt((s[rank:] ** 2).sum() / (s**2).sum())
        assert found.errors[layer] == pytest.approx(tail, abs=1e-5)
    assert found.difference < 1e-5
    assert "without a graph" in found.why_not


def test_a_file_that_is_not_what_was_promised_is_not_given_out(monkeypatch):
    model = bag()

    other = compression.read_model(
        {"m.safetensors": safetensors_file({"a": 1.2 * model.matrix("a"), "b": np.eye(9)})}
    )
    monkeypatch.setattr(model, "compressed", other.compressed)
    with pytest.raises(compression.CompressionError, match="is not given out"):
        write_checked(model, {"a": 2})


def test_outputs_for_random_inputs_are_compared_in_onnx_runtime():
    weight = RNG.normal(size=(12, 9))
    content = build([node("MatMul", "x w", "y")], {"w": weight}, ("rows", 12))
    model = compression.read_model({"m.onnx": content})
    full = check.write_checked(model, {"w": 9})[1].outputs
    assert full["relative"] < 1e-5
    assert full["same"] == 1.0
    one = check.write_checked(model, {"w": 1})[1].outputs
    s = np.linalg.svd(weight, compute_uv=False)
    tail = np.sqrt((s[1:] ** 2).sum() / (s**2).sum())
    assert one["relative"] == pytest.approx(tail, rel=0.2)  # inputs are as long in all directions


@pytest.mark.parametrize("shape", [(24, 40), (40, 24)])
@pytest.mark.parametrize("limit", ["LARGEST_SVD", "LARGEST_GRAM"])
def test_large_matrices_take_another_way_to_the_same_values(monkeypatch, shape, limit):
    matrix = RNG.normal(size=shape)
    values, (left, right) = spectra.singular_values(matrix), spectra.factorize(matrix, 5)
    monkeypatch.setattr(spectra, limit, 8)
    monkeypatch.setattr(spectra, "SKETCHED", 20)
    other = spectra.singular_values(matrix)
    np.testing.assert_allclose(other, values[: len(other)], rtol=1e-6)
    assert len(other) == (24 if limit == "LARGEST_SVD" else 20)
    a, b = spectra.factorize(matrix, 5)
    np.testing.assert_allclose(a @ b, left @ right, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(a, axis=0), np.linalg.norm(b, axis=1), rtol=1e-6)


def test_an_energy_beyond_what_was_computed_has_no_rank():
    values = np.array([2.0, 1.0])
    assert spectra.energy_ranks(values, 100.0) == (None, None, None)
    assert spectra.energy_ranks(values, 5.0) == (2, 2, 2)
    assert spectra.energy_ranks(values, 0.0) == (0, 0, 0)
