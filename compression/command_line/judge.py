"""Two models run on the same data."""

import tempfile
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, NotApplicableError
from .files import read_files
from .judged import Judged, JudgedClasses, JudgedNumbers

Columns = dict[str, NDArray[Any]]
Inputs = tuple[tuple[str, tuple[Any, ...], Any], ...]
"""Name, shape and type of each input of a graph."""

TARGETS = ("y", "target", "label", "labels", "class")
BLOCK = 1024  # rows that a graph is run over at once


def judge(arguments: Namespace) -> Judged:
    """Run both models of a command over its data.

    Raises
    ------
    CompressionError
        A file cannot be read, the data do not fit, or the outputs are no answers to them.
    """
    models = [open_model(path) for path in (arguments.before, arguments.after)]
    inputs, target = read_data(arguments.data, arguments.target, arguments.ignore)
    outputs = [run_in_blocks(model, inputs, len(target)) for model in models]
    same = outputs[0].shape == outputs[1].shape
    difference = float(np.abs(outputs[0] - outputs[1]).max()) if same else float("nan")
    if asks_for_numbers(arguments.task, outputs[0], target):
        before, after = (read_numbers(output, target) for output in outputs)
        return JudgedNumbers((before, after), target.astype(np.float64), difference)
    target = as_classes(target)
    classes = np.unique(target)
    before, after = (read_classes(output, classes) for output in outputs)
    return JudgedClasses((before, after), target, difference, describe_order(outputs[0], classes))


def asks_for_numbers(task: str, outputs: NDArray[np.float64], target: NDArray[Any]) -> bool:
    """Whether models are judged by R²: the task says so, or the data allow nothing else."""
    if task != "auto" or target.dtype.kind not in "fiu":
        return task == "regression"
    whole = bool((target == np.round(target)).all())
    odds = outputs.shape[1] > 1 or (outputs.min() >= 0 and outputs.max() <= 1)
    return not whole or not odds


def read_numbers(outputs: NDArray[np.float64], target: NDArray[Any]) -> NDArray[np.float64]:
    if outputs.shape[1] != 1 or target.dtype.kind not in "fiu":
        raise NotApplicableError(
            f"the model gives {outputs.shape[1]} numbers a row, and the target holds "
            f"{'numbers' if target.dtype.kind in 'fiu' else 'words'}: one number a row on both "
            "sides is needed for R²; classes are given as whole numbers or words"
        )
    return outputs[:, 0]


@dataclass(frozen=True, eq=False)
class RunnableModel:
    """Something that takes arrays by name and gives an array of numbers, a row a sample."""

    inputs: Inputs
    call: Callable[[Columns], NDArray[np.float64]]


def open_model(path: Path) -> RunnableModel:
    """An ONNX graph, or a network that ``compression.save`` wrote, as something to run."""
    return open_content(read_graph(path))


def open_content(content: bytes) -> RunnableModel:
    """An ONNX graph as something to run."""
    from ..graphs import runner

    session = runner.open_session(content)
    described = tuple(
        (value.name, tuple(value.shape), _TYPES.get(value.type)) for value in session.get_inputs()
    )
    return RunnableModel(described, partial(runner.run, session))


_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def read_graph(path: Path) -> bytes:
    """The bytes of a graph in one piece."""
    files = read_files([path])
    if path.suffix.lower() == ".onnx":
        from ..graphs.child import CHILD

        # Accepts a graph without weights to compress too.
        return CHILD.ask("graph", files)[1]["graph"]
    if path.suffix.lower() == ".safetensors":
        from .. import storage
        from ..onnx_export import onnx_bytes
        from ..tensor_file import read_metadata

        if "compression" in (read_metadata(files[path.name]) or {}):
            return onnx_bytes(storage.from_bytes(files[path.name]))
    raise NotApplicableError(
        f"{path.name} holds no graph that can be run: give an .onnx file, or one that "
        "compression.save wrote"
    )


def read_data(path: Path, target: str | None, ignore: list[str]) -> tuple[Columns, NDArray[Any]]:
    """Columns or arrays by name, and the target; decoded under limits by ``data``."""
    columns = _decode(path)
    if target is None:
        target = next((name for name in TARGETS if name in columns), None)
    _check_columns(path, columns, [target or "column named y", *ignore])
    assert target is not None
    classes = columns.pop(target)
    for name in ignore:
        columns.pop(name, None)
    rows = {name: len(column) if column.ndim else 0 for name, column in columns.items()}
    if classes.ndim != 1 or not len(classes) or set(rows.values()) != {len(classes)}:
        raise ArgumentError(
            f"{path.name}: {target} holds {classes.shape}, the others {rows}: give one class and "
            "one sample a row"
        )
    if classes.dtype.kind == "f" and not np.isfinite(classes).all():
        raise NotApplicableError(f"{target} holds values that are missing or not finite")
    return columns, classes


def read_samples(path: Path, target: str | None, ignore: list[str], most: int) -> Columns:
    """Columns or arrays by name, evenly spread rows of them; a target is not needed, and left out."""
    columns = _decode(path)
    _check_columns(path, columns, [*([target] if target else []), *ignore])
    for name in [target] if target else [n for n in TARGETS if n in columns][:1]:
        columns.pop(name)
    for name in ignore:
        columns.pop(name, None)
    rows = {len(column) if column.ndim else 0 for column in columns.values()}
    if len(rows) != 1 or not min(rows):
        raise ArgumentError(f"{path.name} holds no columns of the same length: give a sample a row")
    places = np.unique(np.linspace(0, min(rows) - 1, most).round().astype(int))
    return {name: column[places] for name, column in columns.items()}


def _decode(path: Path) -> Columns:
    from data.errors import DatasetError
    from data.reading import decode_file, read_decoded

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "decoded"
        try:
            decoded = read_decoded(out, decode_file(path.resolve(), path.name, out))
        except DatasetError as error:
            raise ArgumentError(f"{path.name}: {error}") from None
    columns: Columns = dict(decoded.arrays)
    if decoded.frame is not None:
        columns = {str(name): decoded.frame[name].to_numpy() for name in decoded.frame.columns}
    return columns


def _check_columns(path: Path, columns: Columns, names: list[str]) -> None:
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise ArgumentError(
            f"{path.name} has no {unknown[0]!r}: give one of {', '.join(list(columns)[:20])} as "
            "--target or --ignore"
        )


def as_classes(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers, or texts."""
    if values.dtype.kind == "f" and (values != np.round(values)).any():
        raise NotApplicableError(
            "the target holds numbers that are no classes: leave out --task, or say regression"
        )
    if values.dtype.kind in "fiub":
        return values.astype(np.int64)
    return values.astype(str)


def run_in_blocks(model: RunnableModel, columns: Columns, rows: int) -> NDArray[np.float64]:
    """The model's outputs for all rows."""
    inputs = fit_inputs(model.inputs, columns)
    parts = []
    for start in range(0, rows, BLOCK):
        block = {name: array[start : start + BLOCK] for name, array in inputs.items()}
        parts.append(model.call(block))
    outputs = np.concatenate(parts)
    if len(outputs) != rows or not np.isfinite(outputs).all():
        raise NotApplicableError("the model gives outputs that are not finite, or not one a row")
    return outputs.reshape(rows, -1)


def fit_inputs(inputs: Inputs, columns: Columns) -> Columns:
    """The data as the graph's inputs: by their names, or side by side for the only one."""
    names = [name for name, _, _ in inputs]
    if len(names) > 1 or (names and names[0] in columns):
        missing = [name for name in names if name not in columns]
        if missing:
            raise ArgumentError(
                f"the model reads {', '.join(names)}, the data have no {', '.join(missing)}"
            )
        return {name: _fit(columns[name], name, shape, kind) for name, shape, kind in inputs}
    ((name, shape, kind),) = inputs
    whole = "x" if "x" in columns and columns["x"].ndim > 1 else None
    if whole is None:
        wide = [array.reshape(len(array), -1) for array in columns.values()]
        texts = [key for key, array in columns.items() if array.dtype.kind not in "fiub"]
        if texts:
            raise ArgumentError(
                f"{', '.join(texts[:5])}: no numbers, and the model reads numbers: encode them as "
                "in training, or leave them out with --ignore"
            )
        samples = np.concatenate(wide, axis=1)
    else:
        samples = columns[whole]
    return {name: _fit(samples, whole or "the data", shape, kind)}


def _fit(values: NDArray[Any], name: str, shape: tuple[Any, ...], kind: Any) -> NDArray[Any]:
    """An array in the type and shape that an input has."""
    if kind is not None and values.dtype.kind not in "fiub":
        raise ArgumentError(f"{name} holds no numbers, and the model reads numbers")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ArgumentError(f"{name} holds values that are missing or not finite: fill them in")
    values = values.astype(kind) if kind is not None else values.astype(str).astype(object)
    sizes = shape[1:]
    known = all(isinstance(size, int) and size > 0 for size in sizes)
    if known and values.shape[1:] != sizes:
        if int(np.prod(values.shape[1:])) != int(np.prod(sizes)):
            raise ArgumentError(
                f"{name} has {int(np.prod(values.shape[1:]))} numbers a row, the model reads "
                f"{' x '.join(map(str, sizes)) or 'one'}: are there columns to --ignore?"
            )
        values = values.reshape(len(values), *sizes)
    return values


def read_classes(outputs: NDArray[np.float64], classes: NDArray[Any]) -> NDArray[Any]:
    """The class that each row of outputs stands for."""
    count = outputs.shape[1]
    if count == 1:
        if len(classes) != 2 or outputs.min() < 0 or outputs.max() > 1:
            raise NotApplicableError(
                "the model gives one number a row, and it is no probability of one of two "
                "classes: only classifiers are judged"
            )
        return classes[(outputs[:, 0] > 0.5).astype(int)]
    places = outputs.argmax(axis=1)
    if classes.dtype.kind == "i" and classes.min() >= 0 and classes.max() < count:
        return places
    if len(classes) != count:
        raise ArgumentError(
            f"the model tells {count} classes apart, the data hold {len(classes)} others "
            f"({', '.join(map(str, classes[:5]))}): give them as 0 to {count - 1}"
        )
    return classes[places]


def describe_order(outputs: NDArray[np.float64], classes: NDArray[Any]) -> str:
    if classes.dtype.kind == "i" and classes.min() >= 0 and classes.max() < outputs.shape[1]:
        return "the target is the place of the largest output"
    return f"outputs are read as {', '.join(map(str, classes[:8]))}, the target's values in order"
