"""An ONNX graph whose weights are whole numbers of 8 or 4 bits, with one scale an output channel.

Each weight becomes codes and a DequantizeLinear node before the node that takes it: the file is
about a quarter or an eighth as long, the arithmetic stays in floating numbers. ONNX packs two
codes of 4 bits into a byte; its own DequantizeLinear takes them from opset 21 on. In older graphs
the node is ONNX Runtime's of the same name, which other runtimes may not have. 2 and 3 bits would
be stored as 4.
"""

import ml_dtypes
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ..errors import ArgumentError, NotApplicableError, StorageError
from .limits import show
from .onnx_surgery import put_initializer
from .onnx_uses import Source, find_sources, read_attribute
from .weights import CONVOLUTION, GROUPED, LINEAR

OLDEST_OPSET = 13  # oldest with a scale per channel in DequantizeLinear
PACKED_OPSET, PACKED_IR = 21, 10  # oldest with codes of 4 bits
CODES, SCALE = ".codes", ".scale"
BITS = (8, 4)
_TYPES = {8: np.int8, 4: ml_dtypes.int4}
_RUNTIME = "com.microsoft"
_SMALLEST = 64  # smallest weight, in numbers, that codes make smaller
_KINDS = (LINEAR, CONVOLUTION, GROUPED)


def round_weights(graph: ir.Model, bits: int = 8) -> int:
    """Round every weight that nodes multiply by, in place; how many there were.

    ``bits``: one of ``BITS``.

    Raises
    ------
    NotApplicableError
        The graph is of an opset without scales for channels, or has no such weight.
    """
    if bits not in BITS:
        raise ArgumentError(f"{bits} bits are not possible: choose 8 or 4")
    opset = graph.opset_imports.get("", graph.opset_imports.get("ai.onnx", 0))
    if opset < OLDEST_OPSET:
        raise NotApplicableError(
            f"the graph is of opset {opset}, which has no rounded weights with a scale a channel: "
            f"export it with opset {OLDEST_OPSET} or later"
        )
    sources = [source for source in find_sources(graph) if _can_be_rounded(source)]
    if not sources:
        raise NotApplicableError("no weight of this graph is multiplied by in 32 bits")
    domain = _RUNTIME if bits == 4 and opset < PACKED_OPSET else ""
    if domain:
        graph.opset_imports[domain] = 1
    if bits == 4:
        graph.ir_version = max(graph.ir_version or 0, PACKED_IR)
    for source in sources:
        _replace(graph, source, bits, domain)
    return len(sources)


def check_rounding(graph: ir.Model, before: ir.Model) -> float:
    """Largest distance of a rounded weight from its own, in steps: at most a half.

    Raises
    ------
    StorageError
        A weight lies further away: the file is not what it should be.
    """
    initializers, worst = graph.graph.initializers, 0.0
    for name, value in before.graph.initializers.items():
        if name + CODES not in initializers:
            continue
        codes, scale = (_read_numbers(initializers[name + end]) for end in (CODES, SCALE))
        original = _read_numbers(value)
        axis = _find_axis(graph, name)
        steps = scale.reshape([-1 if i == axis else 1 for i in range(original.ndim)])
        distance = float(np.abs(codes * steps - original).max(where=steps > 0, initial=0.0))
        in_steps = float((np.abs(codes * steps - original) / np.maximum(steps, 1e-300)).max())
        if not in_steps <= 0.5 + 1e-3:
            raise StorageError(
                f"weight {show(name)} of the written file is off by {distance:.3g}, over half a "
                "step: the file is not given out"
            )
        worst = max(worst, in_steps)
    return worst


def _read_numbers(value: ir.Value) -> NDArray[np.float64]:
    assert value.const_value is not None
    return value.const_value.numpy().astype(np.float64)


def _find_axis(graph: ir.Model, name: str) -> int:
    (node, _), *_ = graph.graph.initializers[name + CODES].uses()
    return int(read_attribute(node, "axis", 1))


def _can_be_rounded(source: Source) -> bool:
    tensor = source.value.const_value
    assert tensor is not None
    return (
        bool(source.uses)
        and all(use.kind in _KINDS for use in source.uses)
        and not source.is_output
        and tensor.dtype == ir.DataType.FLOAT
        and len(tensor.shape) >= 2
        and tensor.size >= _SMALLEST
        and bool(np.isfinite(tensor.numpy()).all())
    )


def _replace(graph: ir.Model, source: Source, bits: int, domain: str) -> None:
    value, use = source.value, source.uses[0]
    assert value.const_value is not None
    weight = value.const_value.numpy().astype(np.float64)
    last = use.kind == LINEAR and use.place == 1 and not read_attribute(use.node, "transB", 0)
    axis = weight.ndim - 1 if last and use.values.shape == weight.shape else 0
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.abs(weight).max(axis=others, keepdims=True)
    most = 2 ** (bits - 1) - 1
    step = (np.where(largest > 0, largest, 1.0) / most).astype(np.float32)
    codes = np.clip(np.round(weight / step), -most, most).astype(_TYPES[bits])
    name = str(value.name)
    node = ir.node(
        "DequantizeLinear",
        [_hold(graph, name + CODES, codes), _hold(graph, name + SCALE, step.reshape(-1))],
        {"axis": axis},
        domain=domain,
        name=f"{name}.dequantize",
    )
    node.outputs[0].name = f"{name}.dequantized"
    node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
    graph.graph.insert_before(graph.graph[0], node)
    ir.convenience.replace_all_uses_with(value, node.outputs[0])
    graph.graph.initializers.pop(name)


def _hold(graph: ir.Model, name: str, values: NDArray) -> ir.Value:
    if name in graph.graph.initializers:
        raise NotApplicableError(f"there is a tensor {show(name)} in the graph already")
    return put_initializer(graph, name, values)
