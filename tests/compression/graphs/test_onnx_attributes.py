"""Weights in attributes of scikit-learn's operators: seen with their spectra, and left whole."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

import compression
from compression.graphs.onnx_model import read_onnx

from .onnx_graphs import run

FILES = Path(__file__).parent / "files"
# Of each export: the operator, the attribute with its matrix, and that matrix's shape.
EXPORTS = {
    "sklearn_logistic": ("LinearClassifier", "coefficients", (3, 4)),
    "sklearn_regression": ("LinearRegressor", "coefficients", (3, 4)),
    "sklearn_svc": ("SVMClassifier", "support_vectors", (20, 4)),
    "sklearn_svr": ("SVMRegressor", "support_vectors", (14, 4)),
}


def matrix_of(content, operator, attribute):
    (node,) = (n for n in onnx.load_model_from_string(content).graph.node if n.op_type == operator)
    held = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return np.reshape(held[attribute], (-1, 4))  # each row one number a feature: there are four


@pytest.mark.parametrize("name", EXPORTS)
def test_weights_in_attributes_have_a_spectrum_and_a_reason(name):
    operator, attribute, shape = EXPORTS[name]
    content = (FILES / f"{name}.onnx").read_bytes()
    matrix = matrix_of(content, operator, attribute)
    assert matrix.shape == shape
    model = read_onnx({"m.onnx": content})
    (row,) = model.layers.to_dict("records")
    assert row["layer"].endswith(f".{attribute}")
    assert (row["kind"], row["shape"], row["parameters"]) == ("attribute", shape, matrix.size)
    singular = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(model.spectrum(row["layer"]), singular, rtol=1e-6)
    energy = np.cumsum(singular**2) / (singular**2).sum()
    for share in (90, 95, 99):
        assert row[f"rank_{share}"] == 1 + int(np.sum(energy < share / 100))
    said = f"stands in an attribute of {operator}, an operator that takes no factors"
    assert row["reason"].startswith(said)
    with pytest.raises(compression.CompressionError, match=said):
        model.compressed({row["layer"]: 1})


@pytest.mark.parametrize("name", EXPORTS)
def test_the_graph_that_was_read_gives_the_same_outputs(name):
    content = (FILES / f"{name}.onnx").read_bytes()
    model = compression.read_model({"m.onnx": content})
    x = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32) + 3
    before = run(content, X=x)
    after = run(model.to_bytes()["m.onnx"], X=x)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other
