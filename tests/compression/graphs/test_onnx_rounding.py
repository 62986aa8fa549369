"""Weights of few bits in somebody's graph: what the file holds, how long it is, what it answers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import compression
from compression.errors import NotApplicableError, StorageError
from compression.graphs import onnx_rounding
from compression.graphs.child import time_graphs

from .onnx_graphs import build, node, run

RNG = np.random.default_rng(0)
WIDE = RNG.normal(size=(24, 40)) * RNG.uniform(0.01, 9, (24, 1))
WIDE[3] = 0
KERNEL = RNG.normal(size=(6, 4, 3, 3))
GROUPED = RNG.normal(size=(8, 2, 3, 3))
IMAGES = (2, 4, 8, 8)
CASES = {
    "rows are outputs": ([node("Gemm", "x w", "y", transB=1)], WIDE, 0, (5, 40)),
    "columns are outputs": ([node("MatMul", "x w", "y")], WIDE.T, 1, (5, 40)),
    "convolution": ([node("Conv", "x w", "y")], KERNEL, 0, IMAGES),
    "grouped": ([node("Conv", "x w", "y", group=2)], GROUPED, 0, IMAGES),
    "turned": (
        [node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "x t", "y")],
        WIDE,
        0,
        (5, 40),
    ),
}


def round_weight(weight, axis, most):
    """To the nearest of 2 most + 1 numbers around 0, the largest of a channel being one of them."""
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.abs(weight.astype(np.float32)).max(axis=others, keepdims=True)
    step = np.where(largest > 0, largest, 1) / most
    return np.round(weight / step) * step


def read(content):
    return compression.read_model({"m.onnx": content})


@pytest.mark.parametrize(("bits", "opset"), [(8, 17), (4, 17), (4, 21)])
@pytest.mark.parametrize("name", CASES)
def test_the_file_answers_as_a_graph_with_rounded_weights(name, bits, opset):
    nodes, weight, axis, shape = CASES[name]
    content = build(nodes, {"w": weight}, ("rows", *shape[1:]), opset=opset)
    x = RNG.normal(size=shape).astype(np.float32)
    small = read(content).rounded_bytes(bits)["m.onnx"]
    held = {"w": round_weight(weight, axis, 2 ** (bits - 1) - 1)}
    expected = run(build(nodes, held, ("rows", *shape[1:])), x=x)[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    found = onnxruntime.InferenceSession(small, options).run(None, {"x": x})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # Optimised, a product with codes may round its inputs too.
    assert np.linalg.norm(run(small, x=x)[0] - expected) < 0.02 * np.linalg.norm(expected)
    # 4 bytes a number became bits / 8, a scale a channel and some nodes.
    others = 4 * weight.shape[axis] + 400
    assert len(small) < len(content) - (4 - bits / 8) * weight.size + others
    domains = {line.domain for line in onnx.load_from_string(small).opset_import}
    assert ("com.microsoft" in domains) == (bits == 4 and opset < 21)


def test_low_rank_and_eight_bits_go_together():
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    small = read(content).compressed({"w": 6}).rounded_bytes()["m.onnx"]
    held = {t.name: t for t in onnx.load_from_string(small).graph.initializer}
    assert numpy_helper.to_array(held["w.left.codes"]).dtype == np.int8
    x = RNG.normal(size=(5, 40)).astype(np.float32)
    u, s, vt = np.linalg.svd(WIDE)
    best = x @ ((u[:, :6] * s[:6]) @ vt[:6]).T
    assert np.linalg.norm(run(small, x=x)[0] - best) < 0.05 * np.linalg.norm(best)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_rounded_graph_brought_again_is_said_to_be_one(bits):
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    with pytest.raises(StorageError, match="few bits already"):
        compression.read_model(read(content).rounded_bytes(bits))


def test_other_numbers_of_bits_are_not_possible():
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    with pytest.raises(compression.CompressionError, match="choose 8 or 4"):
        read(content).rounded_bytes(3)


def test_a_graph_that_has_no_such_weights_gets_a_sentence():
    nodes = [node("Gemm", "x w", "y", transB=1)]
    with pytest.raises(NotApplicableError, match="opset 13 or later"):
        read(build(nodes, {"w": WIDE}, ("rows", 40), opset=12)).rounded_bytes()
    with pytest.raises(NotApplicableError, match="no weight"):
        read(build(nodes, {"w": WIDE}, ("rows", 40), dtype="float64")).rounded_bytes()


def test_a_file_with_other_codes_is_not_given_out(monkeypatch):
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    put = onnx_rounding.put_initializer
    monkeypatch.setattr(
        onnx_rounding,
        "put_initializer",
        lambda graph, name, values: put(
            graph, name, values[::-1].copy() if name.endswith("codes") else values
        ),
    )
    with pytest.raises(StorageError, match="half a step"):
        read(content).rounded_bytes()


def test_latencies_of_graphs_stand_beside_the_first_one_s():
    content = build([node("Gemm", "x w", "y", transB=1)], {"w": WIDE}, ("rows", 40))
    small = read(content).rounded_bytes()["m.onnx"]
    x = RNG.normal(size=(3, 40)).astype(np.float32)
    rows = time_graphs({"reference": content, "small": small}, x, rounds=6)
    assert [(row["model"], row["batch"]) for row in rows] == [
        ("reference", 1),
        ("reference", 256),
        ("small", 1),
        ("small", 256),
    ]
    assert all(row["ratio"] == 1 for row in rows[:2])
    assert all(row["latency_low"] <= row["latency"] <= row["latency_high"] for row in rows)
