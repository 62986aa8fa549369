"""Whether a written model is the one that was promised, found by reading it back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CompressionError, StorageError
from .child import CHILD
from .limits import show
from .model import Model, Ranks
from .reading import read_model

if TYPE_CHECKING:
    from .onnx_model import OnnxModel

_TOLERANCES = {2: 2e-2, 4: 1e-4, 8: 1e-6}  # share of a weight's norm, by bytes per number


@dataclass(frozen=True, eq=False)
class Check:
    """What was found in the files that were read back.

    Attributes
    ----------
    errors : dict
        Layer -> ‖W − Ŵ‖ / ‖W‖ of the weight that the file holds.
    difference : float
        The largest distance of such an error from the one that its method promised.
    outputs : dict
        What both models give for random inputs: see ``runner.compare``; empty where they cannot
        be run.
    why_not : str
        Why they cannot be run.
    """

    errors: dict[str, float]
    difference: float
    outputs: dict[str, Any] = field(default_factory=dict)
    why_not: str = ""


def write_checked(model: Model, ranks: Ranks) -> tuple[dict[str, bytes], Check]:
    """The files of a smaller model, read back and compared.

    Raises
    ------
    StorageError
        What was read back is not what the method promised.
    """
    smaller = model.compressed(ranks)
    files = smaller.to_bytes()
    again = read_model(files)
    errors, difference = {}, 0.0
    for layer, rank in model.check_ranks(ranks).items():
        left, right = model.factor_names(layer)
        weight, matrix = model.weight(layer), model.matrix(layer)
        norm = np.linalg.norm(matrix)
        errors[layer] = float(
            np.linalg.norm(matrix - again.matrix(left) @ again.matrix(right)) / norm
        )
        promised = model.weight_error(layer, rank)
        difference = max(difference, abs(errors[layer] - promised))
        if not abs(errors[layer] - promised) <= _TOLERANCES[weight.bytes_each]:
            raise StorageError(
                f"layer {show(layer)} of the written file is off by {errors[layer]:.3g} of its "
                f"norm, and {promised:.3g} was expected: the file is not given out"
            )
    return files, _compare_outputs(model, files, errors, difference)


def write_rounded(model: Model, ranks: Ranks, bits: int) -> tuple[dict[str, bytes], Check]:
    """The files of a smaller model with weights of 8 or 4 bits, read back and compared.

    Raises
    ------
    StorageError
        A weight that was read back is over half a step from its own.
    NotApplicableError
        The format, or the graph's opset, has no such weights.
    """
    files = model.compressed(ranks).rounded_bytes(bits)
    return files, _compare_outputs(model, files, {}, 0.0)


def write_bounded(
    model: "OnnxModel", share: float, x: NDArray, bits: int = 32
) -> tuple[dict[str, bytes], Check]:
    """The files of a model whose every layer is clipped and refitted, read back and compared.

    Parameters
    ----------
    model : OnnxModel
    share, x
        See :meth:`OnnxModel.with_bounds`.
    bits : int
        32: as they are; or 8 or 4.

    Raises
    ------
    StorageError
        What was read back is not what the refit gave, or passes its bound.
    """
    smaller, layers = model.with_bounds(share, x)
    if bits < 32:
        files = smaller.rounded_bytes(bits)
        return files, _compare_outputs(model, files, {}, 0.0)
    files, errors = smaller.to_bytes(), {}
    again = read_model(files)
    for name, layer in layers.items():
        written, matrix = again.matrix(name), model.matrix(name)
        if not np.array_equal(written, layer.weight) or np.abs(written).max() > layer.bound:
            raise StorageError(
                f"layer {show(name)} of the written file is not what its refit gave: the file is "
                "not given out"
            )
        errors[name] = float(np.linalg.norm(matrix - written) / np.linalg.norm(matrix))
    return files, _compare_outputs(model, files, errors, 0.0)


def _compare_outputs(
    model: Model, files: Mapping[str, bytes], errors: dict[str, float], difference: float
) -> Check:
    """A check with what both graphs give for the same random inputs, or why that is not known."""
    try:
        graphs = {"before": _find_graph(model.to_bytes()), "after": _find_graph(files)}
        return Check(errors, difference, CHILD.ask("compare", graphs)[0])
    except CompressionError as error:
        return Check(errors, difference, {}, str(error))


def _find_graph(files: Mapping[str, bytes]) -> bytes:
    for name, content in files.items():
        if name.lower().endswith(".onnx"):
            return content
    raise StorageError(
        "the file holds tensors without a graph, which cannot be run: give an ONNX export too"
    )
