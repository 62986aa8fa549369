"""Random graphs at full rank: settings, types, ties, constants and branches, by ONNX Runtime."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from compression.graphs.onnx_model import read_onnx

from .onnx_graphs import KINDS, build, constant, node, run

CLOSE = {"float32": 1e-4, "float64": 1e-10, "float16": 2e-2}
"""By how much outputs may differ, relative to the largest where that is above 1."""
FLAG = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])


def check_full_rank(content, dtype, layers, **inputs):
    """The graph with factors of full rank everywhere gives what the original gives."""
    model = read_onnx({"m.onnx": content})
    can = [weight for weight in model.weights if not weight.reason]
    assert len(model.weights) == layers
    full = model.compressed({weight.name: weight.max_rank for weight in can}).to_bytes()["m.onnx"]
    assert full.count(b".left") >= len(can)
    before, after = run(content, **inputs)[0], run(full, **inputs)[0]
    assert after.dtype == before.dtype == dtype
    assert after.shape == before.shape
    largest = max(1.0, np.abs(before).max(initial=0))
    assert np.abs(after.astype(float) - before).max(initial=0) <= CLOSE[dtype] * largest


def branches(place, last, out, values, other, dtype):
    """An If with a constant of its own in one branch, and an outer tensor used in the other."""
    kind = KINDS[dtype]
    then, otherwise = (
        helper.make_graph(body, name, [], [helper.make_tensor_value_info(name, kind, None)])
        for body, name in (
            (
                [constant(f"c{place}", values), node("MatMul", f"{last} c{place}", f"t{place}")],
                f"t{place}",
            ),
            ([node("MatMul", f"{last} {other}", f"e{place}")], f"e{place}"),
        )
    )
    return helper.make_node("If", ["flag"], [out], then_branch=then, else_branch=otherwise)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_chains_of_matrices_stay_the_same_at_full_rank(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    dtype = data.draw(st.sampled_from(list(CLOSE)))
    kinds = ["matmul", "gemm", "gemm, turned", "constant", "transposed", "tied", "branch", "relu"]
    width, last, layers = data.draw(st.integers(4, 9)), "x", 0
    shape, nodes, weights = (3, width), [], {}
    for place in range(data.draw(st.integers(1, 4))):
        # At least one matrix: a graph without is refused.
        kind = data.draw(st.sampled_from(kinds if place else kinds[:-1]))
        name, out = f"w{place}", f"h{place}"
        if kind == "relu":
            nodes.append(node("Relu", last, out))
            last = out
            continue
        new = width if kind == "tied" else data.draw(st.integers(4, 9))
        values = (rng.normal(size=(width, new)) / np.sqrt(width)).astype(dtype)
        layers += 1
        if kind == "constant":
            nodes += [constant(name, values), node("MatMul", f"{last} {name}", out)]
        elif kind == "transposed":
            weights[name] = values.T
            nodes += [node("Transpose", name, f"t{place}"), node("MatMul", f"{last} t{place}", out)]
        elif kind == "gemm, turned":
            weights |= {name: values.T, f"b{place}": rng.normal(size=new)}
            nodes.append(node("Gemm", f"{last} {name} b{place}", out, transB=1, alpha=0.5))
        elif kind == "branch":
            weights[name] = values
            nodes.append(branches(place, last, out, values[::-1].copy(), name, dtype))
            layers += 1
        else:
            weights[name] = values
            nodes.append(node("Gemm" if kind == "gemm" else "MatMul", f"{last} {name}", out))
            if kind == "tied":
                nodes += [
                    node("Relu", out, f"r{place}"),
                    node("MatMul", f"r{place} {name}", f"s{place}"),
                ]
                out = f"s{place}"
        last, width = out, new
    content = build(
        [*nodes, node("Identity", last, "y")], weights, shape, dtype=dtype, more_inputs=[FLAG]
    )
    x = rng.normal(size=shape).astype(dtype)
    for flag in (True, False):
        check_full_rank(content, dtype, layers, x=x, flag=np.array(flag))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_convolutions_stay_the_same_at_full_rank(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    dtype = data.draw(st.sampled_from(["float32", "float16"]))
    axes = data.draw(st.integers(1, 2))
    channels, last, layers = data.draw(st.integers(2, 5)), "x", 0
    shape, nodes, weights = (2, channels, *(90, 85)[:axes]), [], {}
    few = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    for place in range(data.draw(st.integers(1, 3))):
        kernel, out, name = data.draw(few), f"h{place}", f"w{place}"
        chosen = {"strides": data.draw(few), "dilations": data.draw(few)}
        padding = data.draw(st.sampled_from(["none", "numbers", "SAME_UPPER", "SAME_LOWER"]))
        if padding == "numbers":
            sides = st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes)
            chosen["pads"] = data.draw(sides)
        elif padding != "none":
            chosen |= {"auto_pad": padding, "dilations": [1] * axes}
        if data.draw(st.booleans()):
            chosen["kernel_shape"] = kernel
        tied = place > 0 and data.draw(st.booleans()) and len(weights["w0"]) == channels
        if tied and weights["w0"].shape[1] == channels:
            name, chosen["kernel_shape"] = "w0", list(weights["w0"].shape[2:])
        else:
            new = data.draw(st.integers(2, 6))
            fan = channels * np.prod(kernel)
            weights[name] = rng.normal(size=(new, channels, *kernel)) / np.sqrt(fan)
            layers, channels = layers + 1, new
        bias = data.draw(st.booleans())
        if bias:
            weights[f"b{place}"] = rng.normal(size=channels)
        nodes.append(node("Conv", f"{last} {name}" + f" b{place}" * bias, out, **chosen))
        last = out
    content = build([*nodes, node("Relu", last, "y")], weights, shape, dtype=dtype)
    check_full_rank(content, dtype, layers, x=rng.normal(size=shape).astype(dtype))
