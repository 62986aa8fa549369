"""Safetensors files and state dicts: what they hold, and their smaller copies."""

import io

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

import compression
from compression.graphs import spectra
from compression.graphs.checkpoint import convert
from compression.graphs.tensors import encode_values, read_safetensors, write_safetensors
from compression.low_rank.truncated_svd import svd

from .conftest import low_rank_matrix, safetensors_file, save

RNG = np.random.default_rng(0)


def test_safetensors_table_lists_weights_with_ranks_and_reasons():
    table = RNG.normal(size=(12, 8))
    model = compression.read_model(
        {
            "m.safetensors": safetensors_file(
                {
                    "fc.weight": low_rank_matrix(20, 30, 3),
                    "fc.bias": np.zeros(20),
                    "embed.weight": table,
                    "head.weight": table,
                    "tiny.weight": RNG.normal(size=(2, 2)),
                    "lstm.weight_ih_l0": RNG.normal(size=(16, 4)),
                    "conv.weight": RNG.normal(size=(8, 3, 3, 3)),
                    "broken.weight": np.full((9, 9), np.inf),
                    "zero.weight": np.zeros((9, 9)),
                }
            )
        }
    )
    rows = model.layers.set_index("layer")
    assert list(rows.index) == [
        "fc.weight",
        "embed.weight",
        "tiny.weight",
        "lstm.weight_ih_l0",
        "conv.weight",
        "broken.weight",
        "zero.weight",
    ]
    assert rows.loc["fc.weight", "rank_99"] <= 3
    assert rows.loc["fc.weight", "reason"] == ""
    assert rows.loc["embed.weight", "aliases"] == ("head.weight",)
    assert "same tensor as 'head.weight'" in rows.loc["embed.weight", "reason"]
    assert "rank 1 of a 2 x 2 matrix stores 4 numbers" in rows.loc["tiny.weight", "reason"]
    assert "recurrent" in rows.loc["lstm.weight_ih_l0", "reason"]
    assert rows.loc["conv.weight", "break_even"] == (8 * 27 - 1) // (8 + 27)
    assert rows.loc["broken.weight", "reason"] == "holds values that are not finite"
    assert rows.loc["zero.weight", "reason"] == "is zero everywhere"
    assert rows["share"].sum() == pytest.approx(1 - 20 / model.parameters)


@pytest.mark.parametrize(("dtype", "digits"), [("F32", 1e-6), ("F16", 4e-3), ("BF16", 3e-2)])
def test_compressed_file_holds_the_nearest_matrix_in_the_same_type(dtype, digits):
    weight = RNG.normal(size=(24, 40))
    model = compression.read_model({"m.safetensors": safetensors_file({"w": weight}, dtype)})
    files = model.compressed({"w": 5}).to_bytes()
    again = compression.read_model(files)
    assert {t.dtype for t in again.tensors.values()} == {dtype}
    product = again.matrix("w.left") @ again.matrix("w.right")
    stored = model.matrix("w")
    u, s, vt = np.linalg.svd(stored)
    nearest = (u[:, :5] * s[:5]) @ vt[:5]
    assert np.abs(product - nearest).max() <= digits * s[0]
    assert set(again.layers["kind"]) == {"factor"}


def test_safetensors_file_agrees_with_the_library_s_own():
    values = {"a": RNG.normal(size=(3, 4)).astype(np.float32), "b": np.arange(5)}
    tensors, metadata = read_safetensors(safetensors.numpy.save(values, {"made": "by the library"}))
    assert metadata == {"made": "by the library"}
    np.testing.assert_array_equal(tensors["a"].values(), values["a"])
    found = safetensors.numpy.load(write_safetensors(tensors))
    assert all((found[name] == value).all() for name, value in values.items())


def test_bfloat16_is_rounded_as_torch_rounds():
    values = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = write_safetensors({"w": encode_values(values.numpy(), "BF16")})
    expected = values.float().bfloat16()
    assert torch.equal(safetensors.torch.load(ours)["w"], expected)


@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoint_is_read_without_prefixes_and_moments(legacy):
    network = nn.Sequential(nn.Linear(30, 50), nn.Linear(50, 40))
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(2, 30)).sum().backward()
    optimizer.step()
    state = {f"module._orig_mod.{name}": value for name, value in network.state_dict().items()}
    counts = {"steps": torch.arange(12).reshape(3, 4), 7: torch.ones(3, 5)}
    file = {"epoch": 3, "state_dict": state, "optimizer": optimizer.state_dict()}
    content = save(file, _use_new_zipfile_serialization=not legacy)
    model = compression.read_model({"m.pt": content})
    assert list(model.layers["layer"]) == ["0.weight", "1.weight"]
    np.testing.assert_array_equal(model.matrix("0.weight"), network[0].weight.detach().numpy())
    assert model.parameters == sum(p.numel() for p in network.parameters())
    tensors, _ = read_safetensors(convert(save(counts)))
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {"steps": "I64", "7": "F32"}


def test_compressed_checkpoint_is_a_state_dict_that_torch_loads():
    shared = torch.randn(20, 30, generator=torch.Generator().manual_seed(0))
    network = {"a.weight": shared, "b.weight": shared, "a.bias": torch.ones(20)}
    model = compression.read_model({"m.pth": save(network)})
    assert len(model.layers) == 1
    content = model.compressed({"b.weight": 4}).to_bytes()["m.pth"]
    state = torch.load(io.BytesIO(content), weights_only=True)
    assert set(state) == {"a.weight.left", "a.weight.right", "b.weight.left", "b.weight.right"} | {
        "a.bias"
    }
    assert state["a.weight.left"].data_ptr() == state["b.weight.left"].data_ptr()
    error = torch.linalg.matrix_norm(shared - state["a.weight.left"] @ state["a.weight.right"])
    tail = torch.linalg.svdvals(shared)[4:].square().sum().sqrt()
    assert float(error) == pytest.approx(float(tail), rel=1e-5)


@pytest.mark.parametrize(
    ("ranks", "error", "said"),
    [
        ({"nothing": 3}, compression.CompressionError, "there is no layer 'nothing'"),
        ({"w": 0}, compression.CompressionError, "choose 1 to 6"),
        ({"w": 7}, compression.CompressionError, "choose 1 to 6"),
        ({"w": 2.5}, compression.CompressionError, "no whole number"),
        ({"embed": 2}, compression.CompressionError, "looked up, not multiplied"),
    ],
)
def test_a_rank_that_is_not_possible_is_refused(ranks, error, said):
    values = {"w": RNG.normal(size=(6, 9)), "embed": RNG.normal(size=(9, 6))}
    model = compression.read_model({"m.safetensors": safetensors_file(values)})
    with pytest.raises(error, match=said):
        model.compressed(ranks)
    assert set(model.compressed({"w": None}).tensors) == {"w", "embed"}


def test_a_file_of_our_own_is_read_as_tensors_and_its_structure_is_not_copied(tmp_path):
    network = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    compression.save(network, tmp_path / "own.safetensors")
    model = compression.read_model({"own.safetensors": (tmp_path / "own.safetensors").read_bytes()})
    np.testing.assert_array_equal(model.matrix("0.weight"), network[0].weight.detach().numpy())
    (content,) = model.compressed({"0.weight": 2}).to_bytes().values()
    tensors, remarks = read_safetensors(content)
    assert "0.weight.left" in tensors
    assert "compression" not in remarks


def test_all_ranks_of_a_layer_are_parts_of_one_svd(monkeypatch):
    weight = RNG.normal(size=(40, 60))
    bag = compression.read_model({"m.safetensors": safetensors_file({"fc.weight": weight})})
    most, taken = bag.weight("fc.weight").break_even, []
    monkeypatch.setattr(spectra, "svd", lambda matrix: taken.append(None) or svd(matrix))
    for rank in range(1, most + 1):
        found = bag.factors("fc.weight", rank)
        left, right = spectra.factorize(bag.matrix("fc.weight"), rank)
        np.testing.assert_array_equal(found.left, left)
        np.testing.assert_array_equal(found.right, right)
    assert len(taken) == 1 + most  # the latter are this test's own
    bag.factors("fc.weight", most + 1)  # saves nothing: taken when somebody asks
    assert len(taken) == 2 + most
