"""What the layers of an ONNX graph take on calibration rows, and weights under a bound for just that.

A layer's outputs W x + b, as a quadratic in the weight, need the mean and covariance of x. So what
each layer's node takes is made an output of the graph, and ONNX Runtime runs it over the rows. A
convolution's x are its patches: the same convolution with the unit matrix for a kernel gives them,
and nothing has to be known of strides or pads.
"""

from collections.abc import Callable, Mapping

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from ..constrained.training.layer_outputs import LayerOutputs
from ..errors import NotApplicableError
from ..report import Report, keep_going
from .calibration import group_by_size
from .child import measure_products
from .onnx_surgery import put_initializer
from .onnx_uses import Source, Use, attribute, find_sources
from .spectra import Array
from .weights import CONVOLUTION

LARGEST_INPUT = 2_048  # numbers that a layer takes for each of its outputs


def measure_layers(
    open_graph: Callable[[], ir.Model],
    layers: Mapping[str, tuple[str, Array]],
    x: NDArray,
    report: Report = keep_going,
) -> dict[str, LayerOutputs]:
    """Layers by name, of those whose inputs can be seen and do vary.

    Parameters
    ----------
    open_graph : callable
        Gives the graph, a new one each time.
    layers : mapping
        Layer -> its tensor's name in the graph, its weight (outputs, inputs · spatial).
    x : ndarray, shape (rows, ...)
        As the graph takes them.

    Raises
    ------
    CompressionError
        The graph does not run on these rows, or no layer of it can be seen.
    """
    graph = open_graph()
    sources = {str(source.value.name): source for source in find_sources(graph)}
    sizes = {
        name: matrix.shape[1]
        for name, (tensor, matrix) in layers.items()
        if matrix.shape[1] <= LARGEST_INPUT and can_be_exchanged(graph, sources[tensor])
    }
    found: dict[str, LayerOutputs] = {}
    for group in group_by_size(sizes):
        content, axes = _probe(open_graph(), [layers[name][0] for name in group])
        for name, (centre, gram) in zip(group, measure_products(content, x, axes), strict=True):
            outputs = _quadratic(layers[name][1], centre, gram)
            if outputs is not None:
                found[name] = outputs
            if not report(len(found), len(sizes), None):
                return found
    if not found:
        raise NotApplicableError(
            "no layer of this graph takes inputs that vary over these rows and can be seen from "
            "outside: there is nothing to fit a weight to"
        )
    return found


def can_be_exchanged(graph: ir.Model, source: Source) -> bool:
    """Whether all uses take the same numbers in the same form, at the graph's top level."""
    first = source.uses[0]
    return all(
        use.node.graph is graph.graph
        and use.kind == first.kind
        and use.values.shape == first.values.shape
        and np.array_equal(use.values, first.values, equal_nan=True)
        and np.array_equal(use.matrix, first.matrix, equal_nan=True)
        for use in source.uses
    )


def _quadratic(weight: Array, centre: Array, gram: Array) -> LayerOutputs | None:
    """None where the inputs do not vary, or are not finite."""
    if not (np.isfinite(gram).all() and np.trace(gram) > 0):
        return None
    cross = weight @ gram
    return LayerOutputs(gram, cross, float(np.sum(cross * weight)), centre, weight @ centre)


def _probe(graph: ir.Model, tensors: list[str]) -> tuple[bytes, list[tuple[int, int]]]:
    """The graph that gives what some weights are multiplied by; of each output: whose, its axis."""
    sources = {str(source.value.name): source for source in find_sources(graph)}
    axes, outputs = [], []
    for place, tensor in enumerate(tensors):
        for use in sources[tensor].uses:
            axes.append((place, _axis(use)))
            outputs.append(_add_view(graph, use))
    graph.graph.outputs.clear()
    graph.graph.outputs.extend(outputs)
    common.RemoveUnusedNodesPass()(graph)
    return ir.to_proto(graph).SerializeToString(), axes


def _axis(use: Use) -> int:
    """Where the layer's inputs stand in what its node takes."""
    if use.kind == CONVOLUTION:
        return 1
    return -1 if use.place == 1 and not attribute(use.node, "transA", 0) else -2


def _add_view(graph: ir.Model, use: Use) -> ir.Value:
    """What a node takes, or the patches of it, as a value of its own."""
    node, number = use.node, len(graph.graph)
    name, taken = f"inputs:{number}", node.inputs[1 - use.place]
    if use.kind == CONVOLUTION:
        kernel = use.values.shape
        inputs = int(np.prod(kernel[1:]))
        unit = np.eye(inputs, dtype=use.values.dtype).reshape(inputs, *kernel[1:])
        settings = {key: value.value for key, value in node.attributes.items()}
        constant = put_initializer(graph, f"{name}:kernel", unit)
        view = ir.node("Conv", [taken, constant], settings, name=name)
    else:
        view = ir.node("Identity", [taken], name=name)
    view.outputs[0].name = f"{name}:output"
    view.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(use.values.dtype))
    graph.graph.insert_before(node, view)
    return view.outputs[0]
