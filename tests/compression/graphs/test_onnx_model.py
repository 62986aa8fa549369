"""ONNX graphs: which weights are found, why not others, and the graph with factors."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import compression
from compression.graphs.onnx_model import read_onnx

from .onnx_graphs import build, constant, node, run

FILES = Path(__file__).parent / "files"
RNG = np.random.default_rng(0)


def weight(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def branch(body, name):
    return helper.make_graph(body, name, [], [helper.make_tensor_value_info(name, 1, None)])


FLAG = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
CHAINS = {
    "matmul": ([node("MatMul", "x w", "y")], {"w": weight(12, 9)}, (3, 12), {}),
    "matmul of more axes": ([node("MatMul", "x w", "y")], {"w": weight(12, 9)}, (2, 3, 12), {}),
    "matmul from the left": ([node("MatMul", "w x", "y")], {"w": weight(9, 12)}, (12, 4), {}),
    "gemm": ([node("Gemm", "x w b", "y")], {"w": weight(12, 9), "b": weight(9)}, (3, 12), {}),
    "gemm, scaled and turned": (
        [node("Gemm", "x w b", "y", alpha=0.5, beta=2.0, transA=1, transB=1)],
        {"w": weight(9, 12), "b": weight(9)},
        (12, 3),
        {"opset": 7},
    ),
    "weights that are inputs": (
        [node("Gemm", "x w b", "y", transB=1)],
        {"w": weight(9, 12), "b": weight(9)},
        (3, 12),
        {"opset": 8, "weights_are_inputs": True},
    ),
    "a constant, turned": (
        [constant("c", weight(9, 12)), node("Transpose", "c", "t"), node("MatMul", "x t", "y")],
        {},
        (3, 12),
        {},
    ),
    "reshaped": (
        [node("Reshape", "w s", "r"), node("MatMul", "x r", "y")],
        {"w": weight(108), "s": np.array([12, -1])},
        (3, 12),
        {},
    ),
    "convolution": (
        [
            node(
                "Conv",
                "x w b",
                "y",
                strides=[2, 1],
                pads=[1, 0, 2, 1],
                dilations=[1, 2],
                kernel_shape=[3, 2],
            )
        ],
        {"w": weight(8, 5, 3, 2), "b": weight(8)},
        (2, 5, 9, 8),
        {},
    ),
    "convolution of one axis": (
        [node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2])],
        {"w": weight(8, 5, 3)},
        (2, 5, 9),
        {},
    ),
    "numbers of eight bytes": (
        [node("MatMul", "x w", "y")],
        {"w": weight(12, 9)},
        (3, 12),
        {"dtype": "float64"},
    ),
    "tied, once turned": (
        [
            node("MatMul", "x w", "h"),
            node("Transpose", "w", "t", perm=[1, 0]),
            node("MatMul", "h t", "y"),
        ],
        {"w": weight(12, 9)},
        (3, 12),
        {},
    ),
    "equal tensors": (
        [node("MatMul", "x w", "h"), node("MatMul", "h v", "y")],
        {"w": np.eye(10, 10, 1), "v": np.eye(10, 10, 1)},
        (3, 10),
        {},
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_full_rank_gives_the_same_outputs_and_a_lower_rank_those_of_the_nearest_matrix(case):
    nodes, weights, shape, options = CHAINS[case]
    content = build(nodes, weights, shape, **options)
    model = read_onnx({"m.onnx": content})
    (layer,) = model.layers["layer"]
    assert model.layers.loc[0, "reason"] == ""
    x = RNG.normal(size=shape).astype(options.get("dtype", "float32"))
    before = run(content, x=x)[0]
    full = model.compressed({layer: model.weight(layer).max_rank})
    assert np.abs(run(full.to_bytes()["m.onnx"], x=x)[0] - before).max() <= 1e-4
    # The nearest matrix of rank 3, put into the graph in the weight's place.
    matrix = model.matrix(layer)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    nearest = (u[:, :3] * s[:3]) @ vt[:3]
    names = [i.name for i in model.proto.graph.initializer if len(i.dims) >= 1]
    held = model.factor_names(layer)[0].removesuffix(".left")
    assert held in names
    expected = onnx.ModelProto()
    expected.CopyFrom(model.proto)
    for tensor in expected.graph.initializer:
        if tensor.name == held:
            stored = onnx.numpy_helper.to_array(tensor)
            turned = nearest if np.allclose(stored.reshape(matrix.shape), matrix) else nearest.T
            changed = turned.reshape(stored.shape).astype(stored.dtype)
            tensor.CopyFrom(onnx.numpy_helper.from_array(changed, held))
    low = model.compressed({layer: 3})
    got = run(low.to_bytes()["m.onnx"], x=x)[0]
    assert np.abs(got - run(expected.SerializeToString(), x=x)[0]).max() <= 1e-4
    assert np.abs(got - before).max() > 1e-2
    assert set(low.layers["kind"]) == {"factor"}
    assert low.layers["parameters"].sum() == model.weight(layer).count_stored(3)


def test_weights_in_both_branches_are_found_and_replaced():
    then = [node("MatMul", "x w", "h1"), node("Relu", "h1", "yes")]
    other = [constant("c", weight(12, 9)), node("MatMul", "x c", "no")]
    nodes = [
        helper.make_node(
            "If", ["flag"], ["y"], then_branch=branch(then, "yes"), else_branch=branch(other, "no")
        )
    ]
    content = build(nodes, {"w": weight(12, 9)}, (3, 12), more_inputs=[FLAG])
    model = read_onnx({"m.onnx": content})
    assert len(model.layers) == 2
    full = model.compressed(dict.fromkeys(model.layers["layer"], 9)).to_bytes()["m.onnx"]
    x = weight(3, 12)
    for flag in (np.array(True), np.array(False)):
        difference = run(full, x=x, flag=flag)[0] - run(content, x=x, flag=flag)[0]
        assert np.abs(difference).max() <= 1e-4


def test_reasons_say_what_stands_against_a_layer():
    nodes = [
        node("Gather", "table i", "e"),
        node("Transpose", "table", "t"),
        node("MatMul", "e t", "logits"),
        node("Conv", "x grouped", "g", group=2),
        node("ConvTranspose", "g up", "u"),
        node("MatMul", "u stack", "s"),
        node("MatMul", "s small", "z"),
        node("Einsum", "z odd", "q", equation="abcd,de->abce"),
        node("ReduceMean", "q", "m", keepdims=0),
        node("ReduceMean", "logits", "l", keepdims=0),
        node("Add", "m l", "y"),
    ]
    weights = {
        "table": weight(20, 6),
        "i": np.array([1, 2]),
        "grouped": weight(8, 2, 3, 3),
        "up": weight(8, 5, 2, 2),
        "stack": weight(2, 5, 5, 5),
        "small": weight(5, 1),
        "odd": weight(1, 4),
    }
    table = read_onnx({"m.onnx": build(nodes, weights, (2, 4, 6, 6))}).layers.set_index("layer")
    reason = table["reason"]
    assert reason["table"].startswith("is the same tensor as the embedding in node 'Gather'")
    assert "groups share no channels" in reason["grouped"]
    assert table.loc["grouped", "shape"] == (8, 2, 3, 3)
    assert "transposed convolution" in reason["up"]
    assert "stack of matrices" in reason["stack"]
    assert "rank 1 of a 1 x 5 matrix stores 6 numbers instead of 5" in reason["small"]
    assert (table.loc[["table", "grouped", "up", "stack"], "rank_99"] >= 1).all()


def test_recurrent_weights_have_spectra_and_stay_whole():
    nodes = [node("LSTM", "x w r", "h y", hidden_size=4)]
    weights = {"w": weight(1, 16, 6), "r": weight(1, 16, 4)}
    model = read_onnx({"m.onnx": build(nodes, weights, (5, 2, 6))})
    expected = np.linalg.svd(weights["w"][0], compute_uv=False)
    np.testing.assert_allclose(model.spectrum("w"), expected, rtol=1e-5)
    with pytest.raises(compression.CompressionError, match="recurrent layer"):
        model.compressed({"w": 2})


@pytest.mark.parametrize("name", ["sklearn_logistic", "sklearn_mlp"])
def test_exports_of_scikit_learn_keep_their_outputs(name):
    content = (FILES / f"{name}.onnx").read_bytes()
    model = read_onnx({"m.onnx": content})
    can = [weight.name for weight in model.weights if not weight.reason]
    assert bool(can) == (name == "sklearn_mlp")
    full = model.compressed({layer: model.weight(layer).max_rank for layer in can})
    x = weight(5, 4)
    before, after = run(content, X=x), run(full.to_bytes()["m.onnx"], X=x)
    assert (before[0] == after[0]).all()
    for one, other in zip(before[1], after[1], strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_the_newer_exporter_s_pair_is_read_and_the_missing_half_named():
    files = {name: (FILES / name).read_bytes() for name in ("model.onnx", "model.onnx.data")}
    model = compression.read_model(files)
    assert list(model.layers["kind"]) == ["convolution", "grouped convolution", "linear", "linear"]
    can = [weight.name for weight in model.weights if not weight.reason]
    full = model.compressed({layer: model.weight(layer).max_rank for layer in can}).to_bytes()
    assert set(full) == {"model.onnx"}
    x = weight(2, 3, 8, 8)
    same = run(model.to_bytes()["model.onnx"], x=x)[0]
    assert np.abs(run(full["model.onnx"], x=x)[0] - same).max() <= 1e-4
    with pytest.raises(
        compression.CompressionError, match=r"add 'model\.onnx\.data', or export with"
    ):
        compression.read_model({"model.onnx": files["model.onnx"]})
