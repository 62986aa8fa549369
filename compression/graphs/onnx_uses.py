"""Where the weights of a graph are used, seen through what only turns or reshapes them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ..errors import StorageError
from .limits import show
from .weights import (
    CONVOLUTION,
    EMBEDDING,
    GROUPED,
    LINEAR,
    REASONS,
    RECURRENT,
    STACK,
    TRANSPOSED,
    Weight,
    explain_same_tensor,
    explain_too_small,
)

FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
OTHER = "other"


@dataclass(eq=False)
class Use:
    """One node that takes a weight.

    Attributes
    ----------
    node : ir.Node
    place : int
        Which of its inputs.
    values : ndarray
        As the node receives it, after transposes and reshapes.
    """

    node: ir.Node
    place: int
    values: NDArray
    kind: str = OTHER
    reason: str = ""

    @property
    def matrix(self) -> NDArray:
        """(outputs, inputs · spatial) of what the node receives."""
        values = self.values
        if values.ndim < 2:
            return values.reshape(1, -1)
        if self.kind == LINEAR and self.place == 1 and not read_attribute(self.node, "transB", 0):
            return values.T
        if self.kind in (STACK, RECURRENT, OTHER):
            return values.reshape(-1, values.shape[-1])
        return values.reshape(len(values), -1)


@dataclass(eq=False)
class Source:
    """A tensor of the graph, and all its uses."""

    value: ir.Value
    uses: list[Use] = field(default_factory=list)
    is_output: bool = False


def read_attribute(node: ir.Node, name: str, otherwise: Any) -> Any:
    entry = node.attributes.get(name)
    return otherwise if entry is None else entry.value


def find_sources(model: ir.Model) -> list[Source]:
    """Every initializer of a floating type, in the order in which nodes use them."""
    order = {id(node): i for i, node in enumerate(model.graph.all_nodes())}
    sources = []
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.dtype not in FLOATS:
            continue
        if value.is_graph_input():
            continue
        source = Source(value)
        for use in _follow(value, tensor.numpy(), source):
            source.uses.append(_classify(use))
        sources.append(source)
    last = len(order)
    return sorted(sources, key=lambda s: min((order[id(u.node)] for u in s.uses), default=last))


def _follow(value: ir.Value, values: NDArray, source: Source) -> Iterator[Use]:
    source.is_output |= value.is_graph_output()
    for node, place in value.uses():
        turned = _turn(node, place, values)
        if turned is None:
            yield Use(node, place, values)
        else:
            yield from _follow(node.outputs[0], turned, source)


def _turn(node: ir.Node, place: int, values: NDArray) -> NDArray | None:
    """A weight after a node that only turns or reshapes it; None for any other node."""
    if place != 0 or node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Identity":
        return values
    if node.op_type == "Transpose":
        return values.transpose(read_attribute(node, "perm", tuple(reversed(range(values.ndim)))))
    if node.op_type == "Flatten":
        axis = read_attribute(node, "axis", 1)
        if not -values.ndim <= axis <= values.ndim:
            raise StorageError(f"node {show(node.name)} flattens at an axis that is not there")
        return values.reshape(int(np.prod(values.shape[:axis])), -1)
    if node.op_type in ("Reshape", "Squeeze", "Unsqueeze"):
        constants = _read_constant(node, 1)
        axes = read_attribute(node, "axes", constants)
        if node.op_type == "Reshape":
            if constants is None:
                return None
            if any(n < -1 for n in constants):
                raise StorageError(f"node {show(node.name)} reshapes to a length below 0")
            shape = [values.shape[i] if n == 0 else n for i, n in enumerate(constants)]
            return values.reshape(shape)
        if axes is None:
            return values.squeeze() if node.op_type == "Squeeze" else None
        change = np.squeeze if node.op_type == "Squeeze" else np.expand_dims
        return change(values, tuple(int(axis) for axis in axes))
    return None


def _read_constant(node: ir.Node, place: int) -> tuple[int, ...] | None:
    value = node.inputs[place] if len(node.inputs) > place else None
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return tuple(int(n) for n in value.const_value.numpy().reshape(-1))


def _classify(use: Use) -> Use:
    node, place, axes = use.node, use.place, use.values.ndim
    operator = node.op_type if node.domain in ("", "ai.onnx") else ""
    if operator == "MatMul" and axes == 2:
        use.kind = LINEAR
    elif operator == "MatMul" and axes > 2:
        use.kind, use.reason = STACK, REASONS[STACK]
    elif operator == "Gemm" and place == 1:
        use.kind = LINEAR
    elif operator == "Conv" and place == 1:
        grouped = read_attribute(node, "group", 1) != 1
        use.kind = GROUPED if grouped else CONVOLUTION
        use.reason = REASONS[GROUPED] if grouped else ""
    elif operator == "ConvTranspose" and place == 1:
        use.kind, use.reason = TRANSPOSED, REASONS[TRANSPOSED]
    elif operator in ("LSTM", "GRU", "RNN") and place in (1, 2):
        use.kind, use.reason = RECURRENT, REASONS[RECURRENT]
    elif operator == "Gather" and place == 0 and axes == 2:
        use.kind, use.reason = EMBEDDING, REASONS[EMBEDDING]
    else:
        use.reason = (
            f"is used by {show(node.op_type)}, which does not multiply by it as by a matrix"
        )
    return use


def describe(source: Source, name: str) -> Weight | None:
    """A source as a weight of the table; None for biases, scales, starts and what nothing uses."""
    if not source.uses:
        return None
    first = next((use for use in source.uses if use.kind != OTHER), source.uses[0])
    rows, columns = first.matrix.shape
    if first.kind == OTHER and (min(rows, columns) == 1 or not first.values.any()):
        return None
    if first.values.ndim < 2:
        return None
    tensor = source.value.const_value
    assert tensor is not None
    groups = read_attribute(first.node, "group", 1) if first.kind == GROUPED else 1
    reason = _explain_refusal(source, first) or explain_too_small((rows, columns))
    return Weight(
        name, first.kind, tuple(tensor.shape.numpy()), (rows, columns), groups, (), reason
    )


def _explain_refusal(source: Source, first: Use) -> str:
    if source.is_output:
        return "is itself an output of the graph"
    blocked = [use for use in source.uses if use.reason]
    if blocked and len(source.uses) > len(blocked):
        titles = {EMBEDDING: "the embedding", OTHER: "what"}
        title = titles.get(blocked[0].kind, f"the {blocked[0].kind}")
        node = blocked[0].node
        return explain_same_tensor(f"{title} in node {show(node.name or node.op_type)}")
    if blocked:
        return blocked[0].reason
    if any(find_orientation(use, first) is None for use in source.uses):
        return "is used at two places in two shapes: one pair of factors cannot stand for both"
    return ""


def find_orientation(use: Use, first: Use) -> bool | None:
    """Whether a use takes the transpose of what the first takes; None: neither."""
    matrix, other = use.matrix, first.matrix
    if matrix.shape == other.shape and np.array_equal(matrix, other, equal_nan=True):
        return False
    if matrix.shape == other.T.shape and np.array_equal(matrix, other.T, equal_nan=True):
        return True
    return None
