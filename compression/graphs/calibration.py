"""What the layers of an ONNX graph give on calibration rows, and factors that keep just that.

Activation-aware SVD needs W Σ Wᵀ, with Σ the covariance of a layer's inputs: that is the covariance
of the layer's own products W x. So a copy of each layer's node, without its bias, is made an output
of the graph, ONNX Runtime runs it over the rows, and nothing has to be known of strides or pads.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from ..errors import ArgumentError, NotApplicableError
from ..factors import Factors
from ..low_rank.activation_aware_svd import ActivationAwareSVD
from ..low_rank.decomposition import Decomposition
from ..report import Report, keep_going
from .child import measure_products
from .onnx_uses import Source, Use, find_orientation, find_sources
from .spectra import LARGEST_SVD, Array
from .weights import CONVOLUTION

_AT_ONCE = 2**24  # numbers of all covariances that one run of the graph gathers
_SCALES = ("alpha", "beta")


@dataclass(frozen=True, eq=False)
class CalibratedLayer:
    """All ranks of one layer on the calibration rows.

    Attributes
    ----------
    decomposition : Decomposition
    products : ndarray of float64, shape (m,)
        Mean of W x.
    """

    decomposition: Decomposition
    products: Array

    @property
    def energy(self) -> float:
        """Variance of the layer's outputs, summed over them."""
        return float(self.decomposition.errors[0])

    def at(self, rank: int) -> Factors:
        """Factors, and what the bias takes over: what they drop of the mean output."""
        factors = self.decomposition.at(rank)
        dropped = self.products - factors.left @ (factors.left.T @ self.products)
        return Factors(factors.left, factors.right, dropped)


def calibrate(
    open_graph: Callable[[], ir.Model],
    layers: Mapping[str, tuple[str, Array]],
    x: NDArray,
    report: Report = keep_going,
) -> dict[str, CalibratedLayer]:
    """Layers by name, of those whose products can be seen and do vary.

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
        The graph does not run on these rows, or no layer of it can be calibrated.
    """
    graph = open_graph()
    sources = _index_sources(graph)
    sizes = {
        name: len(matrix)
        for name, (tensor, matrix) in layers.items()
        if len(matrix) <= LARGEST_SVD and _can_be_seen(graph, sources[tensor])
    }
    calibrated: dict[str, CalibratedLayer] = {}
    for group in _group_layers(sizes):
        content, axes = probe_products(open_graph(), [layers[name][0] for name in group])
        for name, (centre, spread) in zip(group, measure_products(content, x, axes), strict=True):
            layer = _decompose(layers[name][1], centre, spread)
            if layer is not None:
                calibrated[name] = layer
            if not report(len(calibrated), len(sizes), None):
                return calibrated
    if not calibrated:
        raise NotApplicableError(
            "no layer of this graph gives outputs that vary over these rows and can be seen from "
            "outside: there is nothing to calibrate"
        )
    return calibrated


def _decompose(weight: Array, centre: Array, spread: Array) -> CalibratedLayer | None:
    """None where the products do not vary, or the weight has no ranks."""
    if not (np.isfinite(spread).all() and np.trace(spread) > 0):
        return None
    try:
        decomposition = ActivationAwareSVD().decompose_by_products(weight, spread)
    except ArgumentError:
        return None
    return CalibratedLayer(decomposition, centre)


def probe_products(graph: ir.Model, tensors: list[str]) -> tuple[bytes, list[tuple[int, int]]]:
    """The graph that gives the products of some weights; of each output: which weight's, its axis."""
    sources = _index_sources(graph)
    axes, outputs = [], []
    for place, tensor in enumerate(tensors):
        for use in sources[tensor].uses:
            axes.append((place, _find_axis(use)))
            outputs.append(_add_copy(graph, use))
    graph.graph.outputs.clear()
    graph.graph.outputs.extend(outputs)
    common.RemoveUnusedNodesPass()(graph)
    return ir.to_proto(graph).SerializeToString(), axes


def _index_sources(graph: ir.Model) -> dict[str, Source]:
    return {str(source.value.name): source for source in find_sources(graph)}


def _can_be_seen(graph: ir.Model, source: Source) -> bool:
    """Whether all uses are the same product, at the graph's top level."""
    first = source.uses[0]
    return all(
        use.node.graph is graph.graph and find_orientation(use, first) is False
        for use in source.uses
    )


def _group_layers(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Layers whose covariances fit into the child's memory together."""
    group: list[str] = []
    numbers = 0
    for name, size in sizes.items():
        if group and numbers + size**2 > _AT_ONCE:
            yield group
            group, numbers = [], 0
        group.append(name)
        numbers += size**2
    if group:
        yield group


def _find_axis(use: Use) -> int:
    """Where the product has the layer's outputs."""
    if use.kind == CONVOLUTION:
        return 1
    return -1 if use.place == 1 else -2


def _add_copy(graph: ir.Model, use: Use) -> ir.Value:
    """The same product again, without bias and scales."""
    node, number = use.node, len(graph.graph)
    settings = {name: value.value for name, value in node.attributes.items() if name not in _SCALES}
    copy = ir.node(node.op_type, node.inputs[:2], settings or None, name=f"product:{number}")
    copy.outputs[0].name = f"product:{number}:output"
    copy.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(use.values.dtype))
    graph.graph.insert_before(node, copy)
    return copy.outputs[0]
