"""A network as an ONNX graph, node by node.

The graph is plain: opset 17 of the standard operators, initialisers under the parameters' own
names. Shapes are those of the one sample that the network's first layer asks for, only the number
of samples is open; so whatever torch works out from shapes at run time (padding that mirrors, the
last window of a pooling) is a constant here, and no runtime has a reading of its own of it.
"""

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from . import rebuild
from .argument_checks import check_arguments
from .atomic_file import write_whole
from .errors import StorageError
from .network import LowRankPlusSparseLayer, array, children_of, features_of
from .threads import in_one_thread

OPSET, IR_VERSION = 17, 8  # read by ONNX Runtime 1.13 and later
LARGEST_DIFFERENCE = 1e-4
"""Between the graph's outputs and the network's, as a share of 1 + the largest output."""
_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@check_arguments
@in_one_thread
def export_onnx(network: nn.Sequential, path: str | os.PathLike) -> float:
    """Write a network as an ONNX graph: samples (N, features) in, (N, outputs) out, any N.

    A constrained or quantised layer becomes a dense one: what it is at run time. All numbers are
    float32. The file appears whole or not at all, after ONNX Runtime has run it beside torch.

    Returns
    -------
    float
        The largest difference of an output between the two, over a few random samples.

    Raises
    ------
    StorageError
        The network has a layer that is not of this package's, mixes its samples, or gives
        other outputs as a graph (its weights are not finite, or beyond float32).
    NotApplicableError
        The first layer does not say how many features a sample has.
    """
    content = onnx_bytes(network)
    difference = compare_outputs(network, content)
    write_whole(content, Path(path))
    return difference


def onnx_bytes(network: nn.Sequential) -> bytes:
    """The file's content; raises as :func:`export_onnx`, but nothing has been run yet."""
    import onnx
    from onnx import helper

    for name, module in network.named_modules():
        rebuild.check_type(module, name)
    plain = copy.deepcopy(network).cpu().float().eval()
    graph = _Graph()
    samples = torch.zeros(2, features_of(plain))
    outputs = graph.add(plain, "", _Value("samples", samples))
    if outputs.name == "samples":
        graph.add_node("Identity", "outputs", ["samples"])
    else:
        graph.nodes[-1].output[0] = "outputs"
    shapes = {
        name: helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, ["N", *value.sample.shape[1:]]
        )
        for name, value in (("samples", _Value("samples", samples)), ("outputs", outputs))
    }
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "network", [shapes["samples"]], [shapes["outputs"]], graph.initialisers
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="compression",
    )
    return model.SerializeToString()


@torch.no_grad()
def compare_outputs(network: nn.Sequential, content: bytes) -> float:
    """The largest difference of an output between a network and its graph in ONNX Runtime.

    Raises StorageError where it is above ``LARGEST_DIFFERENCE``.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    plain = copy.deepcopy(network).cpu().float().eval()
    rng = np.random.default_rng(0)
    largest = 0.0
    for rows in (3, 1):
        x = rng.standard_normal((rows, features_of(plain)), dtype=np.float32)
        expected = plain(torch.from_numpy(x)).numpy()
        outputs = session.run(None, {"samples": x})[0]
        difference = float(np.abs(outputs - expected).max(initial=0.0))
        if not difference <= LARGEST_DIFFERENCE * (1 + np.abs(expected).max(initial=0.0)):
            raise StorageError(
                f"this network's graph gives outputs that differ by {difference:.3g}: its weights "
                "are not finite, or too large for float32"
            )
        largest = max(largest, difference)
    return largest


class _Value:
    """A tensor of the graph: its name, and what it is for two samples of zeros."""

    def __init__(self, name: str, sample: torch.Tensor):
        self.name, self.sample = name, sample

    @property
    def lengths(self) -> tuple[int, ...]:
        """Of the spatial axes."""
        return tuple(self.sample.shape[2:])


class _Graph:
    """Nodes and initialisers, in the order of the network."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []

    def add_node(self, operator: str, output: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        name = output.removesuffix(".output")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def add_constant(self, name: str, values: NDArray) -> str:
        from onnx import numpy_helper

        self.initialisers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, module: nn.Module, name: str, value: _Value) -> _Value:
        """The nodes of a module; what it gives."""
        if isinstance(module, LowRankPlusSparseLayer):
            parts = [
                self.add(part, f"{name}.{child}", value)
                for child, part in children_of(module).items()
            ]
            total = self.add_node("Add", f"{name}.output", [part.name for part in parts])
            return _Value(total, parts[0].sample + parts[1].sample)
        if isinstance(module, nn.Sequential):
            for child, part in children_of(module).items():
                value = self.add(part, f"{name}.{child}".lstrip("."), value)
            return value
        rebuild.describe(module, name)
        with torch.no_grad():
            sample = module(value.sample.clone())
        if sample.shape[:1] != value.sample.shape[:1]:
            raise StorageError(
                f"{rebuild.name_module(name)} mixes samples with one another: keep their axis, the first"
            )
        output = _ADD[type(module)](self, module, name, value, sample)
        return _Value(output, sample)

    def add_weights(self, layer: Any, name: str) -> list[str]:
        """Names of the layer's weight and, where it has one, its bias."""
        return [
            self.add_constant(f"{name}.{part}", array(tensor))
            for part, tensor in (("weight", layer.weight), ("bias", layer.bias))
            if tensor is not None
        ]

    def add_linear(self, layer: nn.Linear, name: str, value: _Value, sample: torch.Tensor) -> str:
        if value.sample.ndim == 2:
            inputs = [value.name, *self.add_weights(layer, name)]
            return self.add_node("Gemm", f"{name}.output", inputs, transB=1)
        weight = self.add_constant(f"{name}.weight_transposed", array(layer.weight).T)
        product = self.add_node("MatMul", f"{name}.product", [value.name, weight])
        if layer.bias is None:
            return product
        bias = self.add_constant(f"{name}.bias", array(layer.bias))
        return self.add_node("Add", f"{name}.output", [product, bias])

    def add_convolution(
        self, layer: nn.Conv1d | nn.Conv2d, name: str, value: _Value, sample: torch.Tensor
    ) -> str:
        ends = _list_paddings(layer)
        source = value.name
        if layer.padding_mode != "zeros":
            for axis, (length, padding) in enumerate(zip(value.lengths, ends, strict=True), 2):
                mode = _PAD_MODES[layer.padding_mode]
                places = np.pad(np.arange(length), padding, mode=mode)  # type: ignore[call-overload]
                if any(padding):
                    source = self.add_gather(source, f"{name}.padded_{axis}", places, axis)
            ends = [(0, 0)] * len(ends)
        return self.add_node(
            "Conv",
            f"{name}.output",
            [source, *self.add_weights(layer, name)],
            kernel_shape=layer.kernel_size,
            strides=layer.stride,
            dilations=layer.dilation,
            group=layer.groups,
            pads=[begin for begin, _ in ends] + [end for _, end in ends],
        )

    def add_gather(self, source: str, name: str, places: NDArray, axis: int) -> str:
        """The entries at these places of one axis: padding by what stands elsewhere."""
        return self.add_node(
            "Gather", name, [source, self.add_constant(f"{name}.places", places)], axis=axis
        )

    def add_max_pool(
        self, layer: nn.MaxPool2d, name: str, value: _Value, sample: torch.Tensor
    ) -> str:
        size, stride, padding, dilation = (
            _make_pair(setting)
            for setting in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        )
        # Pad until as many windows fit as torch has, whether torch cuts off the last one or not.
        after = [
            (windows - 1) * stride[axis]
            + dilation[axis] * (size[axis] - 1)
            + 1
            - value.lengths[axis]
            - padding[axis]
            for axis, windows in enumerate(sample.shape[2:])
        ]
        source, pads = value.name, [*padding, *(max(pad, 0) for pad in after)]
        if any(pad >= side for pad, side in zip(pads, size * 2, strict=True)):
            # The operator only takes padding that is shorter than its window, whatever the
            # dilation.
            lowest = np.array(-np.inf, np.float32)
            ends = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64)
            inputs = [
                self.add_constant(f"{name}.pads", ends),
                self.add_constant(f"{name}.lowest", lowest),
            ]
            source, pads = self.add_node("Pad", f"{name}.padded", [source, *inputs]), [0] * 4
        return self.add_node(
            "MaxPool",
            f"{name}.output",
            [source],
            kernel_shape=size,
            strides=stride,
            dilations=dilation,
            pads=pads,
        )

    def add_relu(self, layer: nn.ReLU, name: str, value: _Value, sample: torch.Tensor) -> str:
        return self.add_node("Relu", f"{name}.output", [value.name])

    def add_reshape(self, layer: nn.Module, name: str, value: _Value, sample: torch.Tensor) -> str:
        shape = self.add_constant(f"{name}.shape", np.array([-1, *sample.shape[1:]], np.int64))
        return self.add_node("Reshape", f"{name}.output", [value.name, shape])


_ADD: dict[type[nn.Module], Any] = {
    nn.Linear: _Graph.add_linear,
    nn.Conv1d: _Graph.add_convolution,
    nn.Conv2d: _Graph.add_convolution,
    nn.MaxPool2d: _Graph.add_max_pool,
    nn.ReLU: _Graph.add_relu,
    nn.Flatten: _Graph.add_reshape,
    nn.Unflatten: _Graph.add_reshape,
}


def _list_paddings(layer: nn.Conv1d | nn.Conv2d) -> list[tuple[int, int]]:
    """Entries before and after each spatial axis."""
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        totals = [
            dilation * (size - 1)
            for size, dilation in zip(layer.kernel_size, layer.dilation, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in totals]
    return [(int(padding), int(padding)) for padding in layer.padding]


def _make_pair(setting: int | tuple[int, int]) -> tuple[int, int]:
    return setting if isinstance(setting, tuple) else (setting, setting)
