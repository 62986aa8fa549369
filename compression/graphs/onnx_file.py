"""The graph of an ONNX file, with all its data in it, and nothing opened by a path.

Data beside the graph is taken from the file that was given along with it, and only where the
graph names that file alone, without a folder, and stays within it.
"""

from collections.abc import Iterator, Mapping
from math import prod

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from ..errors import NotApplicableError, StorageError
from .limits import MAX_AXES, MAX_DEPTH, MAX_NODES, MAX_TENSORS, MAX_TURNS, check_names, show

OLDEST_OPSET = 7
_FIELDS = {"float_data": 1, "double_data": 1, "int32_data": 1, "int64_data": 1, "uint64_data": 1}
_NO_GRAPH = "this is no ONNX graph, or it is damaged: take another copy"


def open_graph(files: Mapping[str, bytes]) -> onnx.ModelProto:
    """The graph of a file ``*.onnx``, with the data of the file beside it filled in.

    Raises
    ------
    StorageError
        It is no graph, is damaged, lacks its data, or holds more than is read.
    """
    graphs = [name for name in files if name.lower().endswith(".onnx")]
    if len(graphs) != 1:
        raise StorageError(f"there are {len(graphs)} ONNX graphs: give one, with its data")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(files[graphs[0]])
    except (DecodeError, RecursionError) as error:
        raise StorageError(_NO_GRAPH) from error
    if not model.graph.node and not model.graph.initializer:
        raise StorageError(_NO_GRAPH)
    del model.training_info[:]
    data = {name: content for name, content in files.items() if name != graphs[0]}
    if len(data) > 1:
        raise StorageError(
            f"there are {len(files)} files: give an ONNX graph alone, or with its one data file"
        )
    _check_opset(model)
    _check_size(model)
    used = set()
    for tensor in _list_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            used.add(_fill(tensor, data))
        _check_tensor(tensor)
    if unused := data.keys() - used:
        raise StorageError(
            f"the graph does not use {show(unused.pop())}: give the data file that belongs to it"
        )
    return model


def _check_opset(model: onnx.ModelProto) -> None:
    for line in model.opset_import:
        if line.domain in ("", "ai.onnx") and line.version < OLDEST_OPSET:
            raise StorageError(
                f"the graph is of opset {line.version}: export it with opset {OLDEST_OPSET} or later"
            )


def _list_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """All graphs, those in attributes of their nodes too."""
    waiting: list[tuple[onnx.GraphProto | onnx.FunctionProto, int]] = [(model.graph, 0)]
    waiting += [(function, 0) for function in model.functions]
    while waiting:
        graph, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise StorageError(
                f"graphs stand {depth} deep in one another: up to {MAX_DEPTH} are read"
            )
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append((attribute.g, depth + 1))
                waiting += [(inner, depth + 1) for inner in attribute.graphs]


def _check_size(model: onnx.ModelProto) -> None:
    nodes = tensors = 0
    for graph in _list_graphs(model):
        nodes += len(graph.node)
        if nodes > MAX_NODES:
            raise StorageError(f"the graph has over {MAX_NODES:,} nodes: up to that many are read")
        if isinstance(graph, onnx.GraphProto):
            tensors += len(graph.initializer) + len(graph.sparse_initializer)
            check_names([tensor.name for tensor in graph.initializer], "tensors", MAX_TENSORS)
        for node in graph.node:
            check_names([node.name, *node.input, *node.output], "names", MAX_TENSORS)
    if tensors > MAX_TENSORS:
        raise StorageError(f"the graph holds {tensors:,} tensors: up to {MAX_TENSORS:,} are read")


def check_loops(content: bytes) -> None:
    """Raises NotApplicableError where a loop says that it may turn for ever, or nearly.

    A count that the graph computes is not known before it runs; processor time bounds it then.
    """
    model = onnx.load_model_from_string(content)
    graphs = list(_list_graphs(model))
    constants = {
        tensor.name: tensor
        for graph in graphs
        if isinstance(graph, onnx.GraphProto)
        for tensor in graph.initializer
    }
    nodes = [node for graph in graphs for node in graph.node]
    for node in nodes:
        if node.op_type == "Constant" and node.output:
            tensors = [value.t for value in node.attribute if value.name == "value"]
            constants |= dict.fromkeys(node.output[:1], tensors[0]) if tensors else {}
    for node in nodes:
        if node.op_type != "Loop":
            continue
        count = node.input[0] if node.input else ""
        if count and count not in constants:
            continue
        turns = numpy_helper.to_array(constants[count]).max() if count else None
        if turns is None or turns > MAX_TURNS:
            raise NotApplicableError(
                f"a loop of the graph may turn {'without end' if turns is None else f'{turns:,} times'}"
                f", and up to {MAX_TURNS:,} are run: the graph can be looked at, but not judged"
            )


def _list_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    for graph in _list_graphs(model):
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        attributes = [attribute for node in graph.node for attribute in node.attribute]
        if isinstance(graph, onnx.FunctionProto):
            attributes += graph.attribute_proto
        for attribute in attributes:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _fill(tensor: onnx.TensorProto, data: Mapping[str, bytes]) -> str:
    """Put a tensor's part of the data file into it; the name of that file."""
    entries = {line.key: line.value for line in tensor.external_data}
    location = entries.get("location", "")
    if not location or "/" in location or "\\" in location or location in (".", ".."):
        raise StorageError(
            f"tensor {show(tensor.name)} lies at {show(location)}: only a file beside the graph, "
            "named without a folder, is read"
        )
    if not data:
        raise StorageError(
            f"the weights lie in a second file: add {show(location)}, or export with "
            "external_data=False"
        )
    if location not in data:
        raise StorageError(
            f"the weights lie in {show(location)}, and {show(next(iter(data)))} was given: give "
            "the file of that name"
        )
    content = data[location]
    try:
        start = int(entries.get("offset", 0))
        length = int(entries.get("length", len(content) - start))
    except ValueError:
        start = length = -1
    if start < 0 or length < 0 or start + length > len(content):
        raise StorageError(
            f"tensor {show(tensor.name)} lies outside {show(location)}: the two files do not "
            "belong together, or one is cut off"
        )
    for field in _FIELDS:
        tensor.ClearField(field)
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.DEFAULT
    tensor.raw_data = content[start : start + length]
    return location


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """Raises StorageError unless it holds as many numbers as it says."""
    import onnx_ir as ir

    if len(tensor.dims) > MAX_AXES or any(length < 0 for length in tensor.dims):
        raise StorageError(f"tensor {show(tensor.name)} has a shape that no tensor has")
    count = prod(tensor.dims)
    if tensor.data_type == onnx.TensorProto.STRING:
        stored, needed = len(tensor.string_data), count
    else:
        try:
            bits = ir.DataType(tensor.data_type).bitwidth
        except (ValueError, TypeError) as error:
            # A missing attribute is read as a tensor without a type and without numbers.
            if tensor.data_type == 0 and not tensor.dims and not tensor.raw_data:
                return
            raise StorageError(f"tensor {show(tensor.name)} is of an unknown type") from error
        if tensor.HasField("raw_data"):
            stored, needed = len(tensor.raw_data), -(-count * bits // 8)
        else:
            stored = sum(len(getattr(tensor, field)) for field in _FIELDS)
            needed = (
                -(-count * bits // 8) if bits < 8 else count * (2 if _is_complex(tensor) else 1)
            )
    if stored != needed:
        raise StorageError(
            f"tensor {show(tensor.name)} says that it holds {count:,} numbers, and the file does "
            "not hold as many: it is damaged"
        )


def _is_complex(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type in (onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128)
