"""ONNX graphs made by hand, and what ONNX Runtime gives for them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

KINDS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
}


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def constant(name: str, values: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values))


def build(
    nodes: Sequence[onnx.NodeProto],
    weights: Mapping[str, np.ndarray],
    shape: Sequence[int | str],
    *,
    opset: int = 17,
    dtype: str = "float32",
    weights_are_inputs: bool = False,
    more_inputs: Sequence[onnx.ValueInfoProto] = (),
) -> bytes:
    """A graph from x of a shape to y; floating weights take the type."""
    kind = KINDS[dtype]
    held = {
        name: values.astype(dtype) if values.dtype.kind == "f" else values
        for name, values in weights.items()
    }
    inputs = [helper.make_tensor_value_info("x", kind, shape), *more_inputs]
    if weights_are_inputs:
        inputs += [
            helper.make_tensor_value_info(name, kind, values.shape) for name, values in held.items()
        ]
    graph = helper.make_graph(
        nodes,
        "made",
        inputs,
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(values, name) for name, values in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 3 if weights_are_inputs else 8
    return model.SerializeToString()


def run(content: bytes, **inputs: np.ndarray) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def endless_loop(turns: int | None = 2**62) -> bytes:
    """A graph that turns in a circle for ever, or so often, once it runs; None: it computes that."""
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Add", "a a", "b")],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, None),
        ],
    )
    counted = [constant("turns", np.array(turns or 0))]
    if turns is None:
        counted = [constant("root", np.array(2**31)), node("Mul", "root root", "turns")]
    go = constant("yes", np.array(True))
    loop = helper.make_node("Loop", ["turns", "yes", "x"], ["y"], body=body)
    return build([*counted, go, loop], {}, (2, 2))


def hungry_constant() -> bytes:
    """A graph of a few bytes that asks for 400 GB once it runs."""
    shape = constant("shape", np.array([100_000, 1_000_000]))
    zeros = node("ConstantOfShape", "shape", "z")
    return build([shape, zeros, node("ReduceSum", "z", "s"), node("Add", "x s", "y")], {}, (2, 2))
