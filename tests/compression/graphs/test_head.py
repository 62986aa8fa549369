"""The last layer of somebody's model: found, solved under every bound, and put back."""

import numpy as np
import pytest
import torch
from torch import nn

import compression
from compression.errors import NotApplicableError
from compression.graphs.head_curve import head_curve, write_head

from .onnx_graphs import build, node, run

RNG = np.random.default_rng(0)
FIRST, LAST = RNG.normal(size=(7, 5)) / 2, RNG.normal(size=(3, 7))
BIAS = RNG.normal(size=3)
X = RNG.normal(size=(90, 5)).astype(np.float32)
HIDDEN = np.maximum(X @ FIRST.T.astype(np.float32), 0)

_HEAD = [node("MatMul", "x v", "a"), node("Relu", "a", "h")]
_WEIGHTS = {"v": FIRST.T, "w": LAST, "wt": LAST.T, "b": BIAS}
ENDS = {
    "gemm": [node("Gemm", "h w b", "y", transB=1)],
    "gemm without bias": [node("Gemm", "h wt", "y")],
    "product and sum": [node("MatMul", "h wt", "p"), node("Add", "b p", "y")],
    "product alone": [node("MatMul", "h wt", "y")],
    "turned weight": [node("Transpose", "w", "t", perm=[1, 0]), node("MatMul", "h t", "y")],
    "softmax": [node("Gemm", "h w b", "z", transB=1), node("Softmax", "z", "y", axis=1)],
    "log softmax": [node("MatMul", "h wt", "p"), node("LogSoftmax", "p", "y", axis=1)],
}


def graph(end, opset=17):
    used = {name for n in (*_HEAD, *end) for name in n.input}
    weights = {name: values for name, values in _WEIGHTS.items() if name in used}
    return build([*_HEAD, *end], weights, ("rows", 5), opset=opset)


def read(content):
    return compression.read_model({"m.onnx": content})


@pytest.mark.parametrize("name", ENDS)
def test_features_and_head_give_the_graph_s_outputs_and_another_head_its_own(name):
    content = graph(ENDS[name])
    model = read(content)
    head, features = model.split_head(X)
    np.testing.assert_allclose(features, HIDDEN, atol=1e-5)
    np.testing.assert_allclose(head.answer(features), run(content, x=X)[0], atol=1e-5)
    other = type(head)(head.layer, RNG.normal(size=(3, 7)), RNG.normal(size=3), head.after)
    files, difference = write_head(model, other, X)
    written = run(files["m.onnx"], x=X)[0]
    np.testing.assert_allclose(written, other.answer(HIDDEN), atol=1e-4)
    assert difference < 1e-4
    assert read(files["m.onnx"]).parameters == 35 + 21 + 3


@pytest.mark.parametrize(
    ("end", "word"),
    [
        ([node("Gemm", "h w b", "z", transB=1), node("Sigmoid", "z", "y")], "Sigmoid"),
        ([node("MatMul", "h wt", "z"), node("Relu", "z", "y")], "Relu"),
        ([node("Gemm", "h w b", "y", transB=1, alpha=0.5)], "not a product"),
        ([node("Gemm", "h wt", "z"), node("Flatten", "z", "y", axis=0)], "reshapes"),
    ],
)
def test_a_graph_that_ends_otherwise_gets_a_sentence(end, word):
    with pytest.raises(NotApplicableError, match=word):
        read(graph(end)).split_head(X)


def parts(y):
    return [(X[rows], y[rows]) for rows in (slice(0, 50), slice(50, 70), slice(70, 90))]


def classes(order=(0, 1, 2)):
    logits = HIDDEN @ LAST.T
    noisy = logits - logits.mean(0) + np.random.default_rng(1).normal(size=(90, 3))
    return np.asarray(order)[noisy.argmax(1)]


def test_each_bound_is_the_optimum_that_a_cone_solver_finds():
    import cvxpy

    y = classes()
    curve = head_curve(read(graph(ENDS["gemm"])), *parts(y), bounds=[0.05, 0.3, 1.0])
    assert curve.table["certified"].all()
    x, hot = HIDDEN[:50].astype(np.float64), np.eye(3)[y[:50]]
    for row, bound in enumerate(curve.table["knob"]):
        weight, level = cvxpy.Variable((3, 7)), cvxpy.Variable((1, 3))
        logits = x @ weight.T + np.ones((50, 1)) @ level
        loss = cvxpy.sum(
            cvxpy.log_sum_exp(logits, axis=1) - cvxpy.sum(cvxpy.multiply(hot, logits), axis=1)
        )
        problem = cvxpy.Problem(cvxpy.Minimize(loss / 50), [cvxpy.abs(weight) <= bound])
        problem.solve(solver=cvxpy.CLARABEL)
        gap = curve.table["duality_gap"][row]
        assert problem.value - 1e-6 <= curve.table["train_loss"][row] <= problem.value + gap + 1e-6
        assert np.abs(curve.heads[row].weight).max() <= bound * (1 + 1e-9)
        right = (HIDDEN[70:] @ curve.heads[row].weight.T + curve.heads[row].intercept).argmax(1)
        assert curve.table["score"][row] == pytest.approx((right == y[70:]).mean())


def test_classes_in_another_order_come_back_in_the_model_s():
    order = (2, 0, 1)
    y = classes(order)
    model = read(graph(ENDS["softmax"]))
    curve = head_curve(model, *parts(y), bounds=[0.5], order=order)
    own = np.asarray(order)[run(graph(ENDS["softmax"]), x=X[70:])[0].argmax(1)]
    assert curve.original["score"] == pytest.approx((own == y[70:]).mean())
    files, _ = write_head(model, curve.head_of(curve.heads[0]), X)
    said = np.asarray(order)[run(files["m.onnx"], x=X[70:])[0].argmax(1)]
    assert (said == y[70:]).mean() == pytest.approx(curve.table["score"][0])


def test_a_regression_s_loosest_bound_is_least_squares():
    end = [node("MatMul", "h r", "p"), node("Add", "p s", "y")]
    weights = {"v": FIRST.T, "r": RNG.normal(size=(7, 1)), "s": np.array([4.0])}
    model = read(build([*_HEAD, *end], weights, ("rows", 5)))
    y = HIDDEN @ RNG.normal(size=7) + 3 + RNG.normal(size=90)
    curve = head_curve(model, *parts(y), task="regression", bounds=[0.01, 50.0])
    design = np.column_stack([HIDDEN[:50], np.ones(50)]).astype(np.float64)
    expected = np.linalg.lstsq(design, y[:50], rcond=None)[0]
    np.testing.assert_allclose(curve.heads[-1].weight[0], expected[:-1], atol=1e-3)
    np.testing.assert_allclose(curve.heads[-1].intercept, expected[-1:], atol=1e-3)
    assert curve.table["train_loss"][0] > curve.table["train_loss"][1]
    assert curve.table["pinned"].tolist() == [1.0, 0.0]


class Branching(nn.Module):
    """Its last layer is found by running it: it stands first in its list of layers."""

    def __init__(self):
        super().__init__()
        self.last, self.first = nn.Linear(7, 3), nn.Linear(5, 7)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)) + x.sum(1, keepdim=True)).log_softmax(1)


def test_a_module_s_head_is_seen_by_a_hook_that_goes_and_its_file_fits_the_module():
    torch.manual_seed(0)
    module = Branching()
    model = compression.read_module(module)
    head, features = model.split_head(X)
    assert (head.layer, head.after) == ("last.weight", "LogSoftmax")
    np.testing.assert_allclose(head.answer(features), model.outputs(X), atol=1e-5)
    assert not any(layer._forward_hooks for layer in module.modules())
    assert module.training
    curve = head_curve(model, *parts(classes()), bounds=[0.4])
    content = model.with_head(curve.heads[0]).to_bytes()["module.safetensors"]
    import safetensors.torch

    module.load_state_dict(safetensors.torch.load(content))
    np.testing.assert_allclose(
        model.outputs(X), _replace(curve.heads[0], head.after, features), atol=1e-4
    )


def _replace(head, after, features):
    return type(head)(head.layer, head.weight, head.intercept, after).answer(features)


def test_modules_and_tensors_without_such_an_end_get_a_sentence():
    with pytest.raises(NotApplicableError, match="something else"):
        compression.read_module(nn.Sequential(nn.Linear(5, 3), nn.ReLU())).split_head(X)
    with pytest.raises(NotApplicableError, match="3 classes are to be predicted"):
        head_curve(compression.read_module(nn.Linear(5, 4)), *parts(classes()))
    with pytest.raises(NotApplicableError, match="not convex"):
        head_curve(read(graph(ENDS["gemm"])), *parts(classes()), constraint="cardinality")
