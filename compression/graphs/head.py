"""The last linear layer of a model in a file, and what it takes: a convex problem of its own.

With everything before it held, a classifier's last layer is a softmax regression on features, a
regressor's a linear one: exactly what ``constrained.convex`` solves and certifies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common
from scipy.special import log_softmax, softmax

from ..errors import NotApplicableError
from .limits import show
from .onnx_surgery import put_initializer
from .onnx_uses import Use, find_sources, read_attribute

PLAIN, SOFTMAX, LOG_SOFTMAX = "", "Softmax", "LogSoftmax"
FEATURES = "head_features"
_SAME_NUMBERS = ("Identity", "Flatten", "Reshape", "Squeeze")  # for outputs of one number per row


@dataclass(frozen=True, eq=False)
class Head:
    """A last linear layer: outputs = features · weightᵀ + intercept.

    Attributes
    ----------
    layer : str
    weight : ndarray of float64, shape (outputs, inputs)
    intercept : ndarray of float64, shape (outputs,)
    after : str
        What the model does with its outputs: nothing, ``SOFTMAX`` or ``LOG_SOFTMAX``.
    """

    layer: str
    weight: NDArray[np.float64]
    intercept: NDArray[np.float64]
    after: str

    def reorder(self, order: Sequence[int]) -> "Head":
        """The head whose i-th output is this one's output ``order[i]``."""
        places = list(order)
        return replace(self, weight=self.weight[places], intercept=self.intercept[places])

    def answer(self, features: NDArray) -> NDArray[np.float64]:
        """What the model gives for features, shape (rows, outputs)."""
        outputs = features @ self.weight.T + self.intercept
        after = {SOFTMAX: softmax, LOG_SOFTMAX: log_softmax}.get(self.after)
        return outputs if after is None else after(outputs, axis=1)


class ModelWithHead(Protocol):
    """A model whose last linear layer can be looked at and exchanged."""

    def split_head(self, x: NDArray) -> tuple[Head, NDArray[np.float64]]: ...

    def with_head(self, head: Head) -> Any: ...


@dataclass(eq=False)
class GraphHead:
    """Where an ONNX graph has its head.

    Attributes
    ----------
    use : Use
        Of the weight, by the node that multiplies.
    name : str
        Of the weight's tensor.
    bias : ir.Value or None
    add : ir.Node or None
        That adds the bias, where the product is a node of its own.
    after : str
    """

    use: Use
    name: str
    bias: ir.Value | None
    add: ir.Node | None
    after: str

    def describe(self) -> Head:
        weight = np.ascontiguousarray(self.use.matrix, np.float64)
        intercept = np.zeros(len(weight))
        if self.bias is not None and self.bias.const_value is not None:
            values = self.bias.const_value.numpy().astype(np.float64)
            intercept = np.broadcast_to(values.reshape(-1), (len(weight),)).copy()
        return Head(self.name, weight, intercept, self.after)


def find_head(graph: ir.Model) -> GraphHead:
    """The linear layer that a graph ends with.

    Raises
    ------
    NotApplicableError
        It ends otherwise; the message says how.
    """
    floating = [v for v in graph.graph.outputs if v.dtype is None or v.dtype.is_floating_point()]
    if not floating:
        raise NotApplicableError("the graph has no output of floating numbers")
    node, after = floating[0].producer(), PLAIN
    reshaped = False
    while node is not None and node.op_type in (*_SAME_NUMBERS, SOFTMAX, LOG_SOFTMAX):
        if node.op_type in (SOFTMAX, LOG_SOFTMAX):
            after = node.op_type
        reshaped |= node.op_type in _SAME_NUMBERS[1:]
        first = node.inputs[0]
        node = None if first is None else first.producer()
    add, bias = None, None
    if node is not None and node.op_type == "Add":
        constants = [v for v in node.inputs if v is not None and v.const_value is not None]
        products = [v for v in node.inputs if v is not None and v.producer() is not None]
        if len(constants) == len(products) == 1:
            add, bias, node = node, constants[0], products[0].producer()
    if node is None or node.op_type not in ("Gemm", "MatMul") or node.domain not in ("", "ai.onnx"):
        last = "its input" if node is None else show(node.op_type)
        raise NotApplicableError(
            f"the graph ends with {last}, and not with a linear layer (and softmax) whose training "
            "would be convex"
        )
    return _check_head(graph, node, bias, add, after, reshaped)


def _check_head(
    graph: ir.Model,
    node: ir.Node,
    bias: ir.Value | None,
    add: ir.Node | None,
    after: str,
    reshaped: bool,
) -> GraphHead:
    candidates = [
        (use, str(source.value.name))
        for source in find_sources(graph)
        for use in source.uses
        if use.node is node and use.place == 1 and use.values.ndim == 2
    ]
    scaled = any(read_attribute(node, name, 1.0) != 1.0 for name in ("alpha", "beta"))
    if not candidates or scaled or read_attribute(node, "transA", 0) or _is_half(candidates[0][0]):
        raise NotApplicableError(
            "the graph's last layer is not a product with one weight of 32 or 64 bits: its "
            "training is not looked at here"
        )
    ((use, name),) = candidates
    if node.op_type == "Gemm" and len(node.inputs) > 2 and node.inputs[2] is not None:
        if bias is not None or node.inputs[2].const_value is None:
            raise NotApplicableError("the graph's last layer adds more than a bias")
        bias = node.inputs[2]
    if reshaped and len(use.matrix) > 1:
        raise NotApplicableError("the graph reshapes what its last layer gives")
    return GraphHead(use, name, bias, add, after)


def _is_half(use: Use) -> bool:
    return use.values.dtype not in (np.float32, np.float64)


def cut_to_features(graph: ir.Model) -> None:
    """Let a graph end before its head: one output, what the head takes."""
    use = find_head(graph).use
    taken = use.node.inputs[0]
    end = ir.node("Identity", [taken], name=FEATURES)
    end.outputs[0].name = FEATURES
    end.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(use.values.dtype))
    graph.graph.append(end)
    graph.graph.outputs.clear()
    graph.graph.outputs.append(end.outputs[0])
    common.RemoveUnusedNodesPass()(graph)


def exchange_head(graph: ir.Model, weight: NDArray, intercept: NDArray) -> None:
    """Put another weight (outputs, inputs) and intercept (outputs,) into a graph's head."""
    head = find_head(graph)
    node, dtype = head.use.node, head.use.values.dtype
    turned = weight if read_attribute(node, "transB", 0) else weight.T
    new = _put_constant(graph, f"{head.name}.bounded", turned.astype(dtype))
    bias = _put_constant(graph, f"{head.name}.bounded_bias", intercept.astype(dtype))
    node.replace_input_with(1, new)
    if head.add is not None:
        head.add.replace_input_with(list(head.add.inputs).index(head.bias), bias)
    elif node.op_type == "Gemm":
        node.resize_inputs(3)
        node.replace_input_with(2, bias)
    else:
        product = node.outputs[0]
        add = ir.node("Add", [product, bias], name=f"{head.name}.add_bias")
        add.outputs[0].name, add.outputs[0].type = f"{head.name}.with_bias", product.type
        graph.graph.insert_after(node, add)
        ir.convenience.replace_all_uses_with(product, add.outputs[0], replace_graph_outputs=True)
        add.replace_input_with(0, product)
    common.RemoveUnusedNodesPass()(graph)


def _put_constant(graph: ir.Model, name: str, values: NDArray) -> ir.Value:
    free, number = name, 1
    while free in graph.graph.initializers:
        number += 1
        free = f"{name}_{number}"
    return put_initializer(graph, free, values)
