"""How many rows a network is run over at once, whoever runs it."""

import numpy as np
import pytest
import torch

import compression
from compression import network
from compression.graphs import module as graph_module
from compression.graphs import runner
from compression.low_rank import running_sum

from .graphs.onnx_graphs import build, constant, node

BLOCK = 16


def clip(reference, dataset):
    curve = compression.constrained_curve(reference, dataset, bounds=[0.5], method="clip")
    return curve.network(0)


CALLS = {
    "low_rank_curve": lambda r, d: compression.low_rank_curve(r, d, ranks=[2, 5]),
    "chosen ranks": lambda r, d: compression.low_rank_curve(r, d, ranks=[{"fc1": 2, "fc2": 3}]),
    "fine-tuned": lambda r, d: compression.low_rank_curve(r, d, ranks=[2], epochs=1),
    "sequential": lambda r, d: compression.low_rank_curve(
        r, d, "activation_aware_svd", ranks=[2], calibration="sequential"
    ),
    "convolutions": lambda r, d: compression.low_rank_curve(r, d, "tucker2", ranks=[2, 4]),
    "filters": lambda r, d: compression.low_rank_curve(r, d, "cp", ranks=[2, 4]),
    "constrained": lambda r, d: compression.constrained_curve(r, d, bounds=[0.5], epochs=1),
    "refit": lambda r, d: compression.constrained_curve(r, d, bounds=[0.5], method="refit"),
    "combined": lambda r, d: compression.combined_curve(r, d, ranks=[2], bounds=[0.5], epochs=1),
    "budget_curve": lambda r, d: compression.budget_curve(r, d, budgets=[20_000]),
    "rounding": lambda r, d: compression.baseline_curve(r, d, knobs=[3]),
    "smaller_network": lambda r, d: compression.baseline_curve(r, d, "smaller_network", [0.5]),
    "quantized_curve": lambda r, d: compression.quantized_curve(r, d, [(4, clip(r, d), 4)]),
    "layer_certificates": lambda r, d: compression.layer_certificates(r, d, clip(r, d)),
    "sensitivity": lambda r, d: compression.sensitivity(r, d),
    "layer_errors": lambda r, d: compression.layer_errors(r, d, ranks=[2]),
    "train": lambda r, d: compression.train(d, model="lenet5", epochs=1),
    "a module": lambda r, d: compression.read_module(r.network).outputs(d.x_train),
    "a module at ranks": lambda r, d: compression.read_module(r.network).outputs(
        d.x_train, {"fc1.weight": 2}
    ),
    "judge_ranks": lambda r, d: compression.judge_ranks(
        compression.read_module(r.network), d.x_train, [{"fc1.weight": 2}, {"fc1.weight": 5}]
    ),
    "split_head": lambda r, d: compression.read_module(r.network).split_head(d.x_train),
}


@pytest.fixture(scope="module")
def lenet(small_images):
    return compression.train(small_images, model="lenet5", epochs=1)


@pytest.fixture
def most_rows(monkeypatch):
    """The most rows that a module in eval mode was given; training has batches of its own."""
    monkeypatch.setattr(network, "BLOCK", BLOCK)
    monkeypatch.setattr(running_sum, "ROWS", BLOCK)
    monkeypatch.setattr(graph_module, "BLOCK", BLOCK)
    seen = [0]

    def note(module, arguments):
        if not module.training and isinstance(arguments[0], torch.Tensor):
            seen.append(len(arguments[0]))

    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    yield lambda: max(seen)
    hook.remove()


@pytest.mark.parametrize("call", CALLS)
def test_a_network_is_never_run_over_more_rows_than_a_block(call, lenet, small_images, most_rows):
    CALLS[call](lenet, small_images)
    assert 0 < most_rows() <= BLOCK


def test_blocks_give_what_all_rows_at_once_give(lenet, small_images):
    x = torch.from_numpy(np.tile(small_images.x_train, (9, 1)))
    assert len(x) > network.BLOCK
    with torch.inference_mode():
        whole = lenet.network(x)
    np.testing.assert_allclose(network.forward_in_blocks(lenet.network, x), whole, atol=1e-5)
    assert network.forward_in_blocks(torch.nn.Sequential(), x) is x


# A graph that adds to its samples how many of them it is run over; it runs in another process.
INPUTS = 8
RNG = np.random.default_rng(0)
SAMPLES = RNG.uniform(-0.4, 0.4, size=(600, INPUTS)).astype(np.float32)


def count_rows_of_runs():
    """A graph whose first output is the mean of a sample and the number of rows of its run.

    Its one weight has rank 2: at that rank the outputs stay what they are.
    """
    first, second = RNG.normal(size=(2, INPUTS))
    first[0], second[0] = 1, 0
    weight = np.outer(first, np.ones(INPUTS) / INPUTS) + np.outer(second, RNG.normal(size=INPUTS))
    nodes = [
        node("Shape", "x", "shape"),
        constant("zero", np.array([0])),
        node("Gather", "shape zero", "rows"),
        node("Cast", "rows", "count", to=1),
        node("Add", "x count", "h"),
        node("MatMul", "h w", "y"),
    ]
    content = build(nodes, {"w": weight.T}, ("rows", INPUTS))
    return compression.read_model({"counting.onnx": content})


def judge_counts(graph):
    seen = []

    def judge(before, after):
        seen.extend([before[:, 0], after[:, 0]])
        return after[:, 0]

    compression.judge_ranks(graph, SAMPLES, [{"w": 2}], judge)
    return np.concatenate(seen)


RUNS = {
    "outputs": lambda graph: graph.outputs(SAMPLES)[:, 0],
    "outputs at ranks": lambda graph: graph.outputs(SAMPLES, {"w": 2})[:, 0],
    "judge_ranks": judge_counts,
    "split_head": lambda graph: graph.split_head(SAMPLES)[1].mean(axis=1),
    "calibrate": lambda graph: graph.calibrate(SAMPLES).calibration["w"].products[:1],
}


@pytest.mark.parametrize("call", RUNS)
def test_a_graph_is_never_run_over_more_rows_than_a_block(call):
    rows = np.rint(RUNS[call](count_rows_of_runs()))
    assert rows.min() > 1
    assert rows.max() <= runner.BLOCK < len(SAMPLES)
