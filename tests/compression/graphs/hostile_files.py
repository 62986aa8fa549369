"""Model files that nobody should have to fear: broken, lying, huge, or made to run something."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .conftest import save
from .onnx_graphs import build, constant, node

Files = dict[str, bytes]


class RunsCode:
    """Unpickling it would leave a file behind."""

    def __init__(self, trace: str):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def header(value: Any, data: bytes = b"", text: bytes | None = None) -> bytes:
    text = json.dumps(value).encode() if text is None else text
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype="F32", shape=(2, 2), offsets=(0, 16)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def safetensors_files() -> Iterator[tuple[str, bytes]]:
    data = b"\0" * 16
    yield "empty", b""
    yield "three bytes", b"\1\2\3"
    yield "length alone", struct.pack("<Q", 2)
    yield "endless header", struct.pack("<Q", 2**63) + b"{}"
    yield "header of no length", struct.pack("<Q", 0) + data
    yield "no JSON", header(None, data, b"not json at all")
    yield "a list", header([1, 2], data)
    yield "deep JSON", header(None, data, b'{"a":' * 100_000)
    yield (
        "two alike",
        header(None, data, b'{"a":%s,"a":%s}' % ((json.dumps(tensor()).encode(),) * 2)),
    )
    yield "no type", header({"a": {"shape": [2, 2], "data_offsets": [0, 16]}}, data)
    yield "unknown type", header({"a": tensor("F33")}, data)
    yield "type that is a list", header({"a": tensor(["F32"])}, data)
    yield "negative shape", header({"a": tensor(shape=(-2, -2))}, data)
    yield "fractional shape", header({"a": tensor(shape=(2.5, 2))}, data)
    yield "overflowing shape", header({"a": tensor(shape=(2**40, 2**40))}, data)
    yield "huge shape", header({"a": tensor(shape=(10**6, 10**6))}, data)
    yield "offsets turned", header({"a": tensor(offsets=(16, 0))}, data)
    yield "offsets outside", header({"a": tensor(offsets=(0, 1600), shape=(20, 20))}, data)
    yield "overlap", header({"a": tensor(), "b": tensor()}, data)
    yield "hole", header({"a": tensor(offsets=(16, 32))}, data * 2)
    yield "too short", header({"a": tensor(shape=(2, 3))}, data)
    yield "trailing bytes", header({"a": tensor()}, data + b"more")
    many = {f"t{i}": tensor(shape=(0,), offsets=(0, 0)) for i in range(20_001)}
    yield "20,001 tensors", header(many)
    yield "endless name", header({"n" * 100_000: tensor()}, data)
    yield "remarks that are numbers", header({"__metadata__": {"a": 1}, "a": tensor()}, data)
    yield "remarks that are a list", header({"__metadata__": [], "a": tensor()}, data)
    yield "9 MB of blanks", header(None, data, b"{" + b" " * (9 << 20) + b"}")
    yield "17 axes", header({"a": tensor(shape=(1,) * 15 + (2, 2))}, data)
    yield "not a number", header(None, data, b'{"a": NaN}')
    yield "an archive", save({"a": torch.ones(2, 2)})
    yield "gzip", gzip.compress(data)
    yield "a web page", b"<!doctype html><script>alert(1)</script>"
    yield "whole numbers only", header({"a": tensor("I32")}, data)
    yield "vectors only", header({"a": tensor(shape=(4,))}, data)
    yield "nothing", header({})
    yield "no rows", header({"a": tensor(shape=(0, 5), offsets=(0, 0))})
    adapter = {"x.lora_A.weight": tensor(), "x.lora_B.weight": tensor(offsets=(16, 32))}
    yield "an adapter", header(adapter, data * 2)
    yield "half a letter", header(None, data, b'{"\xc3": 1}')
    yield "letters of two bytes", header(None, data, json.dumps({"a": 1}).encode("utf-16"))
    yield "a shape in words", header({"a": tensor(shape=("two", "two"))}, data)
    yield "three offsets", header({"a": tensor(offsets=(0, 8, 16))}, data)
    yield "fractional offsets", header({"a": tensor(offsets=(0.5, 16.5))}, data)
    yield "offsets below 0", header({"a": tensor(offsets=(-16, 0))}, data)
    yield "a tensor that is nothing", header({"a": None}, data)
    yield "endless numbers", header(None, data, b'{"a": ' + b"9" * 100_000 + b"}")


def archive(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return content.getvalue()


# Long: a case for each way to be hostile.
def checkpoint_files(trace: str) -> Iterator[tuple[str, bytes]]:
    good = save({"w": torch.arange(1000.0).reshape(20, 50)})
    yield "empty", b""
    yield "letters", b"hello, model"
    yield "cut archive", good[: len(good) // 2]
    flipped = bytearray(good)
    flipped[good.index(struct.pack("<f", 500.0))] ^= 1
    yield "one flipped bit", bytes(flipped)
    yield "no parts", archive({})
    yield "other parts", archive({"m/readme.txt": b"hello"})
    with zipfile.ZipFile(io.BytesIO(good)) as file:
        parts = {member: file.read(member) for member in file.namelist()}
    yield "compressed", archive(parts, zipfile.ZIP_DEFLATED)
    yield "bomb", archive({"m/data.pkl": b"\0" * (64 << 20)}, zipfile.ZIP_DEFLATED)
    yield "40,001 parts", archive({f"m/{i}": b"" for i in range(40_001)})
    yield "runs code", archive(parts | {"archive/data.pkl": pickle.dumps(RunsCode(trace), 2)})
    yield "a pickle that runs code", pickle.dumps({"w": RunsCode(trace)}, 2)
    yield "a state that runs code", save({"w": torch.ones(3, 3), "x": RunsCode(trace)})
    yield (
        "old format that runs code",
        save({"x": RunsCode(trace)}, _use_new_zipfile_serialization=False),
    )
    yield "a whole module", save(nn.Linear(3, 4))
    program = io.BytesIO()
    torch.jit.save(torch.jit.trace(nn.Linear(3, 4), torch.ones(1, 3)), program)
    yield "a program", program.getvalue()
    yield "stride 0", save({"w": torch.zeros(1).expand(10**6, 10**6)})
    yield (
        "stride 0, old",
        save({"w": torch.zeros(1).expand(10**6, 10**6)}, _use_new_zipfile_serialization=False),
    )
    yield "without values", save({"w": torch.empty(10**5, 10**5, device="meta")})
    yield "sparse", save({"w": torch.eye(4).to_sparse()})
    yield "complex", save({"w": torch.ones(4, 4, dtype=torch.complex64)})
    yield (
        "quantised",
        save({"w": torch.quantize_per_tensor(torch.ones(4, 4), 0.1, 0, torch.qint8)}),
    )
    deep: dict[str, Any] = {"w": torch.ones(3, 3)}
    for _ in range(12):
        deep = {"a": deep}
    yield "12 deep", save(deep)
    ring: dict[str, Any] = {"w": torch.ones(3, 3)}
    ring["again"] = ring
    yield "a ring", save(ring)
    one = torch.ones(())
    yield "20,001 tensors", save({f"t{i}": one for i in range(20_001)})
    yield "endless name", save({"n" * 5000: torch.ones(3, 3)})
    yield "a list", save([torch.ones(3, 3)])
    yield "a number", save(3)
    yield "text", save("weights")
    yield "no tensors", save({"epoch": 3})
    yield "whole numbers only", save({"w": torch.ones(3, 3, dtype=torch.int64)})
    yield "moments only", save({"optimizer": {"state": {0: {"exp_avg": torch.ones(3, 3)}}}})
    laughs: list[Any] = ["ha"] * 10
    for _ in range(30):
        laughs = [laughs] * 10
    yield "laughs", pickle.dumps(laughs, 2)
    yield "endless text", b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b"x"
    arrays = io.BytesIO()
    np.savez(arrays, w=np.ones((3, 3)))
    yield "NumPy's archive", arrays.getvalue()
    yield "a table of HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 64
    old = save({"w": torch.ones(30, 30)}, _use_new_zipfile_serialization=False)
    yield "old format, cut", old[:-100]
    yield "parts above the folder", archive({f"../../{n}": c for n, c in parts.items()})
    yield "parts at a place of their own", archive({f"{trace}-{n}": c for n, c in parts.items()})
    locked = bytearray(good)
    for start, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[good.index(start) + place] |= 1
    yield "a locked part", bytes(locked)
    yield "a pickle that opens a file", b"cbuiltins\nopen\n(S'" + trace.encode() + b"'\nS'w'\ntR."
    yield "100,000 open brackets", b"\x80\x02" + b"(" * 100_000
    yield "an array of NumPy's", save({"w": np.ones((3, 3))})
    rebuilt = parts["archive/data.pkl"].replace(b"M\xe8\x03", b"M\xff\xff")
    yield "storage too short", archive(parts | {"archive/data.pkl": rebuilt})


def graph(change: Callable[[onnx.ModelProto], None] | None = None) -> bytes:
    model = onnx.load_model_from_string(
        build([node("MatMul", "x w", "y")], {"w": np.ones((6, 5))}, (3, 6))
    )
    if change is not None:
        change(model)
    return model.SerializeToString()


def external(**entries: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        move(model.graph.initializer[0], **entries)

    return change


def move(held: onnx.TensorProto, **entries: str) -> None:
    held.ClearField("raw_data")
    held.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        line = held.external_data.add()
        line.key, line.value = key, value


def dims(*lengths: int) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(lengths)

    return change


def nest(depth: int) -> bytes:
    inner = helper.make_graph([node("Identity", "x", "o")], "g", [], [])
    for _ in range(depth):
        inner = helper.make_graph(
            [helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner)],
            "g",
            [],
            [],
        )
    return helper.make_model(inner).SerializeToString()


def growing_sum() -> bytes:
    """A graph of a few bytes that asks for 48 MB once it runs, and again, 29 times over."""
    nodes = [constant("shape", np.array([12, 1_000_000]))]
    for place in range(30):  # of several values: equal ones would be one
        value = numpy_helper.from_array(np.array([place + 1], np.float32))
        nodes.append(node("ConstantOfShape", "shape", f"z{place}", value=value))
    nodes.append(node("Sum", " ".join(f"z{place}" for place in range(30)), "z"))
    nodes += [node("ReduceSum", "z", "s"), node("Add", "x s", "y")]
    return build(nodes, {}, (2, 2))


def in_constant(model: onnx.ModelProto) -> None:
    held = numpy_helper.from_array(np.ones((6, 5), np.float32), "c")
    move(held, location="/etc/passwd")
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=held))


def in_branch(model: onnx.ModelProto) -> None:
    held = numpy_helper.from_array(np.ones((6, 5), np.float32), "c")
    move(held, location="secret.bin")
    body = helper.make_graph([node("Identity", "c", "o")], "g", [], [], [held])
    model.graph.node.append(
        helper.make_node("If", ["f"], ["z"], then_branch=body, else_branch=body)
    )


def in_sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(2, np.float32), "s")
    move(values, location="../values")
    indices = numpy_helper.from_array(np.array([0, 1]), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [6, 5]))


def set_fields(**fields: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        for name, value in fields.items():
            setattr(model.graph.initializer[0], name, value)

    return change


def recursive_function(model: onnx.ModelProto) -> None:
    call = helper.make_node("f", ["a"], ["b"], domain="own")
    opset = helper.make_opsetid("own", 1)
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [call], [opset]))
    model.opset_import.append(opset)
    model.graph.node.append(helper.make_node("f", ["y"], ["z"], domain="own"))


# Long: a case for each way to be hostile.
def onnx_files() -> Iterator[tuple[str, Files]]:
    def alone(content: bytes) -> Files:
        return {"m.onnx": content}

    def pair(data: bytes = b"\0" * 120, name: str = "m.onnx.data", **entries: str) -> Files:
        return {"m.onnx": graph(external(**entries)), name: data}

    yield "empty", alone(b"")
    yield "letters", alone(b"hello, model")
    yield "zeros", alone(b"\0" * 100)
    yield "cut", alone(graph()[:-60])
    yield "an archive", alone(save({"w": torch.ones(3, 3)}))
    yield "data missing", alone(graph(external(location="m.onnx.data")))
    yield "no location", pair()
    yield "empty location", pair(location="")
    for place in ("/etc/passwd", "../m.onnx.data", "sub/m.onnx.data", "..", "C:\\m", "a\\b"):
        yield f"at {place}", pair(location=place)
    yield "at another name", pair(location="other.data")
    yield "at the graph itself", {"m.onnx": graph(external(location="m.onnx"))}
    yield "offset outside", pair(location="m.onnx.data", offset="1000", length="120")
    yield "offset below 0", pair(location="m.onnx.data", offset="-120", length="120")
    yield "length outside", pair(location="m.onnx.data", offset="0", length="1200")
    yield "length below 0", pair(location="m.onnx.data", length="-1")
    yield "length in words", pair(location="m.onnx.data", length="all of it")
    yield "endless length", pair(location="m.onnx.data", length="9" * 5000)
    yield "data cut", pair(b"\0" * 60, location="m.onnx.data")
    yield "data of another shape", pair(b"\0" * 124, location="m.onnx.data")
    yield "at a place in a constant", alone(graph(in_constant))
    yield "at a place in a branch", alone(graph(in_branch))
    yield "at a place in a sparse tensor", alone(graph(in_sparse))
    yield "two data files", {"m.onnx": graph(), "a": b"1", "b": b"2"}
    yield "data that nothing uses", {"m.onnx": graph(), "m.onnx.data": b"1"}
    yield "two graphs", {"m.onnx": graph(), "n.onnx": graph()}
    yield "opset 6", alone(graph(lambda m: setattr(m.opset_import[0], "version", 6)))
    yield (
        "no nodes",
        alone(helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString()),
    )
    yield "negative shape", alone(graph(dims(-6, -5)))
    yield "overflowing shape", alone(graph(dims(2**40, 2**40)))
    yield "huge shape", alone(graph(dims(10**6, 10**6)))
    yield "17 axes", alone(graph(dims(*(1,) * 15, 6, 5)))
    yield "cut numbers", alone(graph(set_fields(raw_data=b"\0" * 40)))
    yield "unknown type", alone(graph(set_fields(data_type=99)))
    yield "undefined type", alone(graph(set_fields(data_type=0)))
    yield "numbers that are text", alone(graph(set_fields(data_type=TensorProto.STRING)))
    yield "9 deep", alone(nest(9))
    many = [node("Relu", "x", f"r{i}") for i in range(50_001)]
    yield "50,001 nodes", alone(build(many, {}, (1,)))
    yield "20,001 tensors", alone(build([], {f"w{i}": np.ones(1) for i in range(20_001)}, (1,)))
    yield "endless name", alone(build([node("Relu", "x", "y" * 5000)], {}, (1,)))
    yield "nothing to compress", alone(build([node("Relu", "x", "y")], {}, (1,)))
    yield (
        "a shape that does not fit",
        alone(
            build(
                [node("Reshape", "w s", "r"), node("MatMul", "x r", "y")],
                {"w": np.ones((6, 5)), "s": np.array([7, 7])},
                (3, 6),
            )
        ),
    )
    yield (
        "an order that is none",
        alone(
            build(
                [node("Transpose", "w", "t", perm=[5, 9]), node("MatMul", "x t", "y")],
                {"w": np.ones((6, 5))},
                (3, 6),
            )
        ),
    )
    yield (
        "an input that nothing gives",
        alone(build([node("MatMul", "nobody w", "y")], {"w": np.ones((6, 5))}, (3, 6))),
    )
    yield (
        "an output that nothing gives",
        alone(build([node("MatMul", "x w", "z")], {"w": np.ones((6, 5))}, (3, 6))),
    )
    yield from more_onnx_files()
    yield "a function that calls itself", alone(graph(recursive_function))


def more_onnx_files() -> Iterator[tuple[str, Files]]:
    """Graphs whose shapes, edges or bytes lie."""

    def reshape_by(operator: str, *constants: int, **settings: Any) -> Files:
        inputs = "w s" if constants else "w"
        nodes = [node(operator, inputs, "r", **settings), node("MatMul", "x r", "y")]
        weights = {"w": np.ones((6, 5))} | ({"s": np.array(constants)} if constants else {})
        return {"m.onnx": build(nodes, weights, (3, 6))}

    yield "two lengths to be found", reshape_by("Reshape", -1, -1)
    yield "a length of -7", reshape_by("Reshape", -7, 5)
    yield "axes that are not there", reshape_by("Squeeze", 10**9)
    yield "a billion axes", reshape_by("Unsqueeze", 10**9)
    yield "an axis of -9", reshape_by("Flatten", axis=-9)
    ring = [node("Add", "x z", "y"), node("MatMul", "y w", "z")]
    yield "edges in a ring", {"m.onnx": build(ring, {"w": np.ones((6, 6))}, (3, 6))}
    echo = [node("Identity", "z", "y"), node("Identity", "y", "z"), node("MatMul", "x w", "o")]
    yield "an output in a ring", {"m.onnx": build(echo, {"w": np.ones((6, 6))}, (3, 6))}
    twice = [node("MatMul", "x w", "y"), node("MatMul", "x w", "y")]
    yield "one name given twice", {"m.onnx": build(twice, {"w": np.ones((6, 5))}, (3, 6))}
    yield "a number without end", {"m.onnx": b"\x08" + b"\xff" * 20}
    yield "a million open groups", {"m.onnx": b"\x0b" * 10**6}
    yield "a text that is longer than the file", {"m.onnx": b"\x3a\xff\xff\xff\x7f"}
    place = external(location="..%2Fsecret")
    yield "a place in other letters", {"m.onnx": graph(place), "secret": b"\0" * 120}
    words = external(location="m.onnx.data", offset="0x10")
    yield "an offset in words", {"m.onnx": graph(words), "m.onnx.data": b"\0" * 200}


def other_files() -> Iterator[tuple[str, Files]]:
    yield "nothing", {}
    yield "two files", {"a.pt": b"1", "b.pt": b"2"}
    for name in (
        "m.pkl",
        "m.h5",
        "m.tflite",
        "m",
        "../../etc/passwd",
        "m.onnx.data",
        "m.keras",
        "m.npz",
        "m.joblib",
        "m.gguf",
    ):
        yield f"named {name}", {name: b"\1" * 40}


def hostile_files(trace: str) -> dict[str, Files]:
    """Title -> files; ``trace``: the file that code which runs would leave behind."""
    found = {f"safetensors: {t}": {"m.safetensors": c} for t, c in safetensors_files()}
    found |= {f"state dict: {t}": {"m.pt": c} for t, c in checkpoint_files(trace)}
    found |= {f"ONNX: {title}": files for title, files in onnx_files()}
    return found | {f"other: {title}": files for title, files in other_files()}
