"""Every layer of an ONNX graph under a bound: clipped, and refitted to what the graph gave before.

One layer after the other, in the order of the graph: what its node takes in the graph whose layers
before it are under their bounds already (x̂), beside its own products in the graph as it came
(y = W x). The weight in the box that loses least of y is one convex problem a layer, as for our own
networks; see :class:`compression.constrained.training.refit.Refit`. A convolution's x̂ are its
patches: the same convolution with the unit matrix for a kernel gives them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from ..constrained.sets import Box
from ..constrained.training.layer_outputs import LayerCertificate, LayerOutputs
from ..constrained.training.refit import Refit
from ..errors import NotApplicableError
from ..threads import in_one_thread
from .calibration import probe_products
from .child import measure_pairs
from .limits import LARGEST_LAYER
from .onnx_surgery import exchange, put_initializer
from .onnx_uses import Source, Use, find_sources, read_attribute
from .spectra import Array
from .weights import CONVOLUTION

BOX = Box()


@dataclass(frozen=True, eq=False)
class BoundedLayer:
    """One layer under its bound.

    Attributes
    ----------
    weight : ndarray of float64, shape (outputs, inputs · spatial)
        Numbers of the graph's own type.
    bound : float
        c: no number of ``weight`` is larger; a number of the graph's own type.
    certificate : LayerCertificate
        Of what is lost of the layer's outputs.
    clipped : LayerCertificate
        The same of the layer's own weight, clipped to the bound and not refitted.
    """

    weight: Array
    bound: float
    certificate: LayerCertificate
    clipped: LayerCertificate

    @property
    def pinned(self) -> int:
        """Numbers at the bound."""
        return int((np.abs(self.weight) >= self.bound).sum())


@in_one_thread
def refit_layers(
    graph: ir.Model,
    open_graph: Callable[[], ir.Model],
    layers: Mapping[str, tuple[str, Array]],
    share: float,
    x: NDArray,
) -> dict[str, BoundedLayer]:
    """Put every layer of a graph under a bound, in place, each refitted behind the ones before it.

    Parameters
    ----------
    graph : ir.Model
    open_graph : callable
        Gives the graph as it came, a new one each time.
    layers : mapping
        Layer -> its tensor's name in the graph, its weight (outputs, inputs · spatial); in the
        order of the graph.
    share : float
        Of each layer's largest number: its bound.
    x : ndarray, shape (rows, ...)
        As the graph takes them.

    Returns
    -------
    dict
        Of the layers that can be seen from outside and give what varies; all others are as they
        came.

    Raises
    ------
    CompressionError
        The graph does not run on these rows, or no layer of it can be refitted.
    """
    refitted: dict[str, BoundedLayer] = {}
    for name, (tensor, weight) in layers.items():
        source = _index_sources(graph)[tensor]
        if sum(weight.shape) > LARGEST_LAYER or not _can_be_exchanged(graph, source):
            continue
        outputs = _measure(graph, open_graph(), tensor, weight.shape[1], x)
        if not (np.isfinite(outputs.gram).all() and outputs.whole > 0):
            continue
        refitted[name] = _refit(outputs, weight, share, source.uses[0].values.dtype)
        exchange(graph, source, refitted[name].weight, outputs.bias(refitted[name].weight))
    if not refitted:
        raise NotApplicableError(
            "no layer of this graph gives outputs that vary over these rows and can be seen from "
            "outside: there is nothing to refit"
        )
    common.RemoveUnusedNodesPass()(graph)
    return refitted


def clip_layers(
    graph: ir.Model, layers: Mapping[str, tuple[str, Array]], bounds: Mapping[str, float]
) -> None:
    """Clip the weights of some layers of a graph, in place, and refit nothing."""
    for name, bound in bounds.items():
        tensor, weight = layers[name]
        exchange(
            graph, _index_sources(graph)[tensor], weight.clip(-bound, bound), np.zeros(len(weight))
        )
    common.RemoveUnusedNodesPass()(graph)


def _refit(outputs: LayerOutputs, weight: Array, share: float, dtype: np.dtype) -> BoundedLayer:
    bound = float(np.asarray(share * np.abs(weight).max()).astype(dtype))
    clipped = weight.clip(-bound, bound)
    best = Refit().refit_layer(outputs, BOX, bound, clipped)
    written = best.astype(dtype).astype(np.float64)  # no further: the bound is of that type
    return BoundedLayer(
        written,
        bound,
        outputs.certificate(written, BOX, bound),
        outputs.certificate(clipped, BOX, bound),
    )


def _measure(
    graph: ir.Model, before: ir.Model, tensor: str, inputs: int, x: NDArray
) -> LayerOutputs:
    """What a layer takes now and what it gave before, without its bias, as a quadratic.

    The level is of the products, so that its bias is what the layer's own one is moved by.
    """
    now, axes = _probe_inputs(ir.from_proto(ir.to_proto(graph)), tensor)
    reference, placed = probe_products(before, [tensor])
    ends = [(axis, of_own) for axis, (_, of_own) in zip(axes, placed, strict=True)]
    mean, covariance = measure_pairs(now, reference, x, ends)
    return LayerOutputs(
        gram=covariance[:inputs, :inputs],
        cross=covariance[inputs:, :inputs],
        whole=float(np.trace(covariance[inputs:, inputs:])),
        centre=mean[:inputs],
        level=mean[inputs:],
    )


def _probe_inputs(graph: ir.Model, tensor: str) -> tuple[bytes, list[int]]:
    """The graph that gives what a weight is multiplied by, one output a use; their axes."""
    uses = _index_sources(graph)[tensor].uses
    views = [_add_view(graph, use) for use in uses]
    graph.graph.outputs.clear()
    graph.graph.outputs.extend(views)
    common.RemoveUnusedNodesPass()(graph)
    return ir.to_proto(graph).SerializeToString(), [_find_axis(use) for use in uses]


def _find_axis(use: Use) -> int:
    """Where the layer's inputs stand in what its node takes."""
    if use.kind == CONVOLUTION:
        return 1
    return -1 if use.place == 1 and not read_attribute(use.node, "transA", 0) else -2


def _add_view(graph: ir.Model, use: Use) -> ir.Value:
    """What a node takes, or the patches of it, as a value of its own."""
    node, number = use.node, len(graph.graph)
    name, taken = f"inputs:{number}", node.inputs[1 - use.place]
    if use.kind == CONVOLUTION:
        kernel = use.values.shape[1:]
        unit = np.eye(int(np.prod(kernel)), dtype=use.values.dtype).reshape(-1, *kernel)
        settings = {key: value.value for key, value in node.attributes.items()}
        constant = put_initializer(graph, f"{name}:kernel", unit)
        view = ir.node("Conv", [taken, constant], settings, name=name)
    else:
        view = ir.node("Identity", [taken], name=name)
    view.outputs[0].name = f"{name}:output"
    view.outputs[0].type = ir.TensorType(ir.DataType.from_numpy(use.values.dtype))
    graph.graph.insert_before(node, view)
    return view.outputs[0]


def _can_be_exchanged(graph: ir.Model, source: Source) -> bool:
    """Whether all uses take the same numbers in the same form, at the graph's top level."""
    first = source.uses[0]
    return all(
        use.node.graph is graph.graph
        and use.kind == first.kind
        and np.array_equal(use.values, first.values, equal_nan=True)
        and np.array_equal(use.matrix, first.matrix, equal_nan=True)
        for use in source.uses
    )


def _index_sources(graph: ir.Model) -> dict[str, Source]:
    return {str(source.value.name): source for source in find_sources(graph)}
