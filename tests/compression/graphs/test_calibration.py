"""Activation-aware factors of somebody's graph, held against the method on the layer's own inputs."""

import numpy as np
import onnx
import pytest

import compression
from compression.errors import NotApplicableError
from compression.graphs.check import write_checked
from compression.graphs.plan import plan, ranks_within

from .conftest import low_rank_matrix, safetensors_file
from .layer_cases import BIAS, CASES, RNG, WIDE, matrix_of
from .onnx_graphs import build, node, run


@pytest.mark.parametrize("name", CASES)
def test_calibrated_graph_answers_as_the_method_on_the_layers_inputs(name):
    nodes, weight, shape, inputs_of = CASES[name]
    matrix = matrix_of(nodes, weight)
    held = {"w": weight}
    if any("b" in n.input for n in nodes):
        held["b"] = BIAS[len(matrix)]
    content = build(nodes, held, ("rows", *shape))
    x = (RNG.normal(size=(50, *shape)) * np.linspace(0.1, 3, shape[-1]) + 1).astype(np.float32)
    model = compression.read_model({"m.onnx": content}).calibrate(x)
    rank = 3
    expected = compression.factorize(
        matrix, rank, method="activation_aware_svd", inputs=inputs_of(x)
    )
    found = model.factors("w", rank)
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-4)
    np.testing.assert_allclose(found.bias_shift, expected.bias_shift, atol=1e-3)

    files, checked = write_checked(model, {"w": rank})
    assert checked.difference < 1e-5
    fresh = RNG.normal(size=(8, *shape)).astype(np.float32)
    lost = inputs_of(fresh) @ (expected.weight - matrix).T + expected.bias_shift
    lost *= 0.5 if name == "scaled" else 1.0
    y, other = (run(graph, x=fresh)[0] for graph in (content, files["m.onnx"]))
    axis = {"convolution": 1, "from the left": -2}.get(name.removesuffix(" without bias"), -1)
    change = np.moveaxis(other - y, axis, -1).reshape(-1, len(matrix))
    np.testing.assert_allclose(change, lost, atol=2e-3)
    assert [v.name for v in onnx.load_from_string(files["m.onnx"]).graph.output] == ["y"]


def test_a_weight_used_twice_is_calibrated_on_what_both_uses_see():
    square = RNG.normal(size=(12, 12))
    nodes = [node("MatMul", "x w", "h"), node("Relu", "h", "r"), node("MatMul", "r w", "y")]
    x = RNG.normal(size=(60, 12)).astype(np.float32)
    model = compression.read_model({"m.onnx": build(nodes, {"w": square}, ("rows", 12))})
    both = np.concatenate([x, np.maximum(x @ square.astype(np.float32), 0)])
    expected = compression.factorize(square.T, 2, method="activation_aware_svd", inputs=both)
    np.testing.assert_allclose(
        model.calibrate(x).factors("w", 2).weight, expected.weight, atol=1e-4
    )


def test_budgets_of_a_calibrated_graph_go_where_the_outputs_vary():
    first, second = RNG.normal(size=(30, 30)), RNG.normal(size=(30, 30))
    nodes = [node("MatMul", "x a", "h"), node("MatMul", "h b", "y")]
    model = compression.read_model(
        {"m.onnx": build(nodes, {"a": first, "b": second}, ("rows", 30))}
    )
    x = np.zeros((80, 30), np.float32)
    x[:, :4] = RNG.normal(size=(80, 4))  # all that is seen has rank 4
    calibrated = model.calibrate(x)
    found = plan(calibrated)
    rank_4 = next(i for i, ranks in enumerate(found.ranks) if ranks == {"a": 4, "b": 4})
    assert found.table["energy"][rank_4] == pytest.approx(1.0)
    assert plan(model).table["energy"][rank_4] < 0.5
    assert ranks_within(calibrated, 2 * 4 * 60) == {"a": 4, "b": 4}
    fresh = np.zeros((5, 30), np.float32)
    fresh[:, :4] = RNG.normal(size=(5, 4))
    smaller = calibrated.compressed(found.ranks[rank_4]).to_bytes()["m.onnx"]
    before = run(model.to_bytes()["m.onnx"], x=fresh)[0]
    np.testing.assert_allclose(run(smaller, x=fresh)[0], before, atol=1e-3)


def test_of_a_graph_for_a_fixed_number_of_rows_whole_blocks_count():
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, (7, 40))
    x = RNG.normal(size=(16, 40)).astype(np.float32)
    model = compression.read_model({"m.onnx": content}).calibrate(x)
    expected = compression.factorize(WIDE, 4, method="activation_aware_svd", inputs=x[:14])
    np.testing.assert_allclose(model.factors("w", 4).weight, expected.weight, atol=1e-4)


def test_what_cannot_be_calibrated_gets_a_sentence():
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    model = compression.read_model({"m.onnx": content})
    with pytest.raises(NotApplicableError, match="nothing to calibrate"):
        model.calibrate(np.ones((9, 40), np.float32))
    with pytest.raises(NotApplicableError, match="could not be run"):
        model.calibrate(np.ones((9, 41), np.float32))
    bag = compression.read_model(
        {"m.safetensors": safetensors_file({"a": low_rank_matrix(9, 9, 2)})}
    )
    with pytest.raises(NotApplicableError, match="ONNX export"):
        bag.calibrate(np.ones((2, 9)))
