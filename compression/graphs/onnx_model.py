"""A model as an ONNX graph: its weights, and the graph with factors in place of some of them."""

import logging
import re
from collections.abc import Iterable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from ..errors import ArgumentError, StorageError
from ..report import Report, keep_going
from .calibration import calibrate
from .child import run_graph
from .head import Head, cut_to_features, exchange_head, find_head
from .limits import show
from .model import Model, Ranks
from .onnx_attributes import find_attributes
from .onnx_file import open_graph
from .onnx_rounding import check_rounding, round_weights
from .onnx_surgery import replace, take_name
from .onnx_uses import Source, describe, find_sources
from .spectra import Array
from .weights import CONVOLUTION, FACTOR, LINEAR, REASONS, Weight, explain_too_small

if TYPE_CHECKING:
    from .clip_refit import BoundedLayer

# Names that exporters make up for tensors without a name.
_NAMELESS = re.compile(r"(onnx::\w*?_?|val_|_val_|_?const\w*_?|t|)\d+", re.IGNORECASE)
# onnx_ir's warnings repeat names from files, which must not get into a log.
logging.getLogger("onnx_ir").setLevel(logging.ERROR)
Types = dict[str, onnx.TypeProto]
_WHOLE = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8, onnx.TensorProto.INT4)
_OLDEST_IR = 4  # oldest version whose tensors need not be inputs too


class OnnxModel(Model):
    """A model as an ONNX graph.

    Attributes
    ----------
    proto : onnx.ModelProto
        Normalised: functions inlined, constants and the tensors of branches in one place, equal
        tensors once.
    """

    def __init__(self, proto: onnx.ModelProto, file_name: str, file_bytes: int) -> None:
        super().__init__()
        self.file_name, self.file_bytes = file_name, file_bytes
        graph, maps = _to_ir(proto)
        _normalise(graph)
        _check_complete(graph)
        self.proto = _to_proto(graph, maps)
        self._attributes = {weight.name: matrix for weight, matrix in find_attributes(graph)}
        self._sources: dict[str, Source] = {}
        weights = []
        sources = find_sources(graph)
        names = _name_sources(sources)
        for source, name in zip(sources, names, strict=True):
            weight = describe(source, name)
            if weight is not None:
                self._sources[name] = source
                weights.append(_as_factor(weight, graph))
        weights += [weight for weight, _ in find_attributes(graph)]
        self.weights = tuple(weights)
        tensors = [value.const_value for value in graph.graph.initializers.values()]
        self.parameters = sum(
            t.size for t in tensors if t is not None and t.dtype.is_floating_point()
        ) + sum(matrix.size for matrix in self._attributes.values())

    def matrix(self, layer: str) -> Array:
        name = self.weight(layer).name
        if name in self._attributes:
            return self._attributes[name]
        source = self._sources[name]
        shape = self.weight(name).matrix_shape
        use = next(use for use in source.uses if use.matrix.shape == shape)
        return np.ascontiguousarray(use.matrix, dtype=np.float64)

    def factor_names(self, layer: str) -> tuple[str, str]:
        name = self._sources[self.weight(layer).name].value.name
        return f"{name}.left", f"{name}.right"

    def compressed(self, ranks: Ranks) -> "OnnxModel":
        """The graph with two nodes in place of one for each layer of a rank."""
        checked = self.check_ranks(ranks)
        graph, maps = _to_ir(self.proto)
        sources = {source.value.name: source for source in find_sources(graph)}
        for layer, rank in checked.items():
            source = sources[self._sources[layer].value.name]
            replace(graph, source, self.factors(layer, rank))
        common.RemoveUnusedNodesPass()(graph)
        graph.ir_version = max(graph.ir_version or 0, _OLDEST_IR)
        proto = _to_proto(graph, maps)
        return OnnxModel(proto, self.file_name, proto.ByteSize())

    def calibrate(self, x: NDArray, report: Report = keep_going) -> "OnnxModel":
        layers = {
            weight.name: (str(self._sources[weight.name].value.name), self.matrix(weight.name))
            for weight in self.weights
            if not weight.reason
        }
        model = copy(self)
        model.calibration = calibrate(lambda: _to_ir(self.proto)[0], layers, x, report)
        return model

    def to_bytes(self) -> dict[str, bytes]:
        """One file: also of a pair, whose data it then holds, so that it loads anywhere."""
        return {self.file_name: self.proto.SerializeToString()}

    def rounded_bytes(self, bits: int = 8) -> dict[str, bytes]:
        """The file with weights of 8 or 4 bits, one scale an output, read back and compared.

        Raises
        ------
        NotApplicableError
            The graph's opset has no such weights, or it has none to round.
        """
        graph, maps = _to_ir(self.proto)
        round_weights(graph, bits)
        content = _to_proto(graph, maps).SerializeToString()
        again = onnx.ModelProto()
        again.ParseFromString(content)
        check_rounding(_to_ir(again)[0], _to_ir(self.proto)[0])
        return {self.file_name: content}

    def outputs(self, x: NDArray, ranks: Ranks | None = None) -> NDArray[np.float64]:
        """What ONNX Runtime gives for samples, with layers at ranks in the place of their own."""
        smaller = self.compressed(ranks) if ranks else self
        return run_graph(smaller.proto.SerializeToString(), x)

    def with_bounds(self, share: float, x: NDArray) -> "tuple[OnnxModel, dict[str, BoundedLayer]]":
        """The graph with every layer under a bound and refitted, and what was done to each.

        Parameters
        ----------
        share : float
            Of each layer's largest number: its bound.
        x : ndarray, shape (rows, ...)
            As the graph takes them; rows that nothing is judged on.

        Raises
        ------
        CompressionError
            The graph does not run on these rows, or no layer of it can be refitted.
        """
        from .clip_refit import refit_layers  # import it here: it takes a second

        if not 0 < share <= 1:
            raise ArgumentError(f"a share of {share} is not possible: choose one above 0, up to 1")
        graph, maps = _to_ir(self.proto)
        layers = self._layers_to_bound()
        refitted = refit_layers(graph, lambda: _to_ir(self.proto)[0], layers, share, x)
        return self._build_changed(graph, maps, refitted), refitted

    def clip(self, bounds: Mapping[str, float]) -> "OnnxModel":
        """The graph with some layers' numbers cut to a bound each, and nothing refitted."""
        from .clip_refit import clip_layers

        graph, maps = _to_ir(self.proto)
        clip_layers(graph, self._layers_to_bound(), bounds)
        return self._build_changed(graph, maps, bounds)

    def _layers_to_bound(self) -> dict[str, tuple[str, Array]]:
        """Layers by name, with their tensor and matrix: also those that no rank makes smaller."""
        return {
            weight.name: (str(self._sources[weight.name].value.name), self.matrix(weight.name))
            for weight in self.weights
            if weight.kind in (LINEAR, CONVOLUTION)
            and weight.reason in ("", explain_too_small(weight.matrix_shape))
            and np.isfinite(self.matrix(weight.name)).all()
        }

    def _build_changed(self, graph: ir.Model, maps: Types, changed: Iterable[str]) -> "OnnxModel":
        """The model of a graph, its exchanged weights under their own names again."""
        for layer in changed:
            take_name(graph, str(self._sources[layer].value.name))
        proto = _to_proto(graph, maps)
        return OnnxModel(proto, self.file_name, proto.ByteSize())

    def split_head(self, x: NDArray) -> tuple[Head, NDArray[np.float64]]:
        """The last linear layer, and what it takes for samples: outputs of a graph cut before it.

        Raises
        ------
        NotApplicableError
            The graph ends otherwise, or cannot be run on these samples.
        """
        graph, _ = _to_ir(self.proto)
        head = find_head(graph).describe()
        cut_to_features(graph)
        return head, run_graph(ir.to_proto(graph).SerializeToString(), x)

    def with_head(self, head: Head) -> "OnnxModel":
        """The graph with another last layer."""
        graph, maps = _to_ir(self.proto)
        exchange_head(graph, head.weight, head.intercept)
        proto = _to_proto(graph, maps)
        return OnnxModel(proto, self.file_name, proto.ByteSize())


def read_onnx(files: Mapping[str, bytes]) -> OnnxModel:
    """The model of an ONNX file, or of the pair of a graph and its data.

    Raises
    ------
    StorageError
        It is no graph, is damaged, lacks its data, or has nothing to compress.
    """
    proto = open_graph(files)
    name = next(name for name in files if name.lower().endswith(".onnx"))
    model = OnnxModel(proto, name, sum(len(content) for content in files.values()))
    if not model.weights and any(t.data_type in _WHOLE for t in model.proto.graph.initializer):
        raise StorageError(
            "the weights of this graph are whole numbers of few bits already: give the graph as it "
            "was before it was rounded"
        )
    if not model.weights:
        raise StorageError(
            "no node of the graph multiplies by a matrix: there is nothing to compress"
        )
    return model


def _to_ir(proto: onnx.ModelProto) -> tuple[ir.Model, Types]:
    """The graph to work on, and the types of outputs that its library does not know.

    scikit-learn's exporter gives probabilities as maps from class to number.
    """
    plain = onnx.ModelProto()
    plain.CopyFrom(proto)
    maps = {}
    for value in (*plain.graph.output, *plain.graph.value_info):
        sequence = value.type.sequence_type.elem_type
        if value.type.HasField("map_type") or sequence.HasField("map_type"):
            maps[value.name] = onnx.TypeProto()
            maps[value.name].CopyFrom(value.type)
            value.ClearField("type")
    return ir.from_proto(plain), maps


def _to_proto(model: ir.Model, maps: Types) -> onnx.ModelProto:
    proto = ir.to_proto(model)
    for value in (*proto.graph.output, *proto.graph.value_info):
        if value.name in maps:
            value.type.CopyFrom(maps[value.name])
    return proto


def _normalise(model: ir.Model) -> None:
    for change in (
        common.InlinePass(),
        common.LiftConstantsToInitializersPass(size_limit=0),
        common.RemoveInitializersFromInputsPass(),
        common.LiftSubgraphInitializersToMainGraphPass(),
        common.DeduplicateHashedInitializersPass(size_limit=2**40),
    ):
        change(model)
    model.ir_version = max(model.ir_version or 0, _OLDEST_IR)


def _check_complete(model: ir.Model) -> None:
    """Raises StorageError where a node or an output takes what nothing gives, or its own output."""
    try:
        model.graph.sort()
    except ValueError as error:
        raise StorageError(
            "nodes of the graph take each other's outputs in a ring: export it again"
        ) from error

    def check(value: ir.Value | None) -> None:
        if value is None or value.producer() is not None:
            return
        if not value.is_graph_input() and not value.is_initializer():
            raise StorageError(
                f"the graph takes {show(value.name)}, which nothing in it gives: export it again"
            )

    for node in model.graph.all_nodes():
        for value in node.inputs:
            check(value)
    for value in model.graph.outputs:
        check(value)


def _name_sources(sources: list[Source]) -> list[str]:
    """What each is called: its own name, or that of the node that takes it."""
    taken = {str(source.value.name) for source in sources}
    names = []
    for source in sources:
        name = str(source.value.name)
        node = source.uses[0].node.name if source.uses else ""
        if node and node not in taken and _NAMELESS.fullmatch(name):
            taken.add(node)
            name = node
        names.append(name)
    return names


def _as_factor(weight: Weight, graph: ir.Model) -> Weight:
    stem, _, half = weight.name.rpartition(".")
    halves = {f"{stem}.left", f"{stem}.right"}
    if half not in ("left", "right") or not halves <= graph.graph.initializers.keys():
        return weight
    fields: dict[str, Any] = {"kind": FACTOR, "reason": REASONS[FACTOR]}
    return Weight(**(vars(weight) | fields))
