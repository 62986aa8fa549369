"""Weights that scikit-learn's exporter keeps in attributes of nodes."""

import numpy as np
import onnx_ir as ir

from .onnx_uses import read_attribute
from .spectra import Array
from .weights import ATTRIBUTE, Weight

_COEFFICIENTS = ("LinearClassifier", "LinearRegressor", "SVMClassifier", "SVMRegressor")


def find_attributes(model: ir.Model) -> list[tuple[Weight, Array]]:
    """The weights in attributes, each with its matrix (outputs, inputs)."""
    weights: list[tuple[Weight, Array]] = []
    for place, node in enumerate(model.graph.all_nodes()):
        if node.domain != "ai.onnx.ml" or node.op_type not in _COEFFICIENTS:
            continue
        name = "support_vectors" if node.op_type.startswith("SVM") else "coefficients"
        values = np.asarray(read_attribute(node, name, ()), dtype=np.float64)
        rows = _count_rows(node)
        if values.size < 4 or rows < 1 or values.size % rows:
            continue
        matrix = values.reshape(rows, -1)
        title = f"{node.name or f'{node.op_type} {place}'}.{name}"
        reason = (
            f"stands in an attribute of {node.op_type}, an operator that takes no factors: export "
            "the model with matrices of its own"
        )
        shape = (matrix.shape[0], matrix.shape[1])
        weights.append((Weight(title, ATTRIBUTE, shape, shape, reason=reason), matrix))
    return weights


def _count_rows(node: ir.Node) -> int:
    if node.op_type.startswith("SVM"):
        return int(
            sum(read_attribute(node, "vectors_per_class", ()))
            or read_attribute(node, "n_supports", 0)
        )
    if node.op_type == "LinearRegressor":
        return int(read_attribute(node, "targets", 1))
    labels = read_attribute(node, "classlabels_ints", ()) or read_attribute(
        node, "classlabels_strings", ()
    )
    return len(labels) or len(read_attribute(node, "intercepts", ())) or 1
