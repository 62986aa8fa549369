"""The learning network, and the compressed layers that follow it."""

import numpy as np
import pytest
import torch
from torch import nn

from compression.combined.learning_compression import LearningCompression, share_bias, weight_of
from compression.constrained.training.setup import Start
from compression.factors import Factors
from compression.network import LowRankPlusSparse, low_rank_layer
from compression.training import Samples


def low_rank(layer):
    rows, columns = layer.weight.shape
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=(rows, 2)), generator.normal(size=(2, columns))
    return low_rank_layer(layer, Factors(left, right, np.zeros(rows)))


def plus_sparse(layer):
    return LowRankPlusSparse(low_rank(layer), nn.Linear(*layer.weight.T.shape, bias=False))


@pytest.mark.parametrize("form", [low_rank, plus_sparse, lambda layer: layer])
def test_the_weight_of_a_part_and_the_shared_bias_give_its_outputs(form):
    learns = nn.Linear(6, 4)
    part = form(nn.Linear(6, 4))
    share_bias(part, learns)
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.linear(x, weight_of(part), learns.bias)
    torch.testing.assert_close(part(x), expected)


def test_the_weights_are_drawn_to_their_parts_and_the_biases_learn(digits, digits_softmax):
    network = digits_softmax.network
    learns = nn.Sequential(nn.Linear(64, 10))
    learns.load_state_dict({f"0.{k}": v for k, v in network[0].state_dict().items()})
    part = nn.Linear(64, 10)
    share_bias(part, learns[0])
    bias = learns[0].bias.detach().clone()
    aim = torch.full_like(part.weight, 0.05)

    start = Start(learns, Samples(digits), learning_rate=0.01, seed=0, epochs=40)
    before = float((learns[0].weight.detach() - aim).norm())
    LearningCompression(learns, start).run(
        {"0": part}, lambda name, target: part.weight.detach().copy_(aim)
    )
    assert float((learns[0].weight.detach() - aim).norm()) < 0.3 * before
    assert not torch.equal(part.bias, bias)


def test_the_parts_begin_at_the_weights_themselves_and_end_after_the_last_pass(
    digits,
):
    learns = nn.Sequential(nn.Linear(64, 10))
    before = learns[0].weight.detach().clone()
    start = Start(learns, Samples(digits), learning_rate=0.01, seed=0, epochs=3)
    targets = []
    LearningCompression(learns, start).run(
        {"0": nn.Linear(64, 10)}, lambda name, target: targets.append(target.clone())
    )
    assert len(targets) == 1 + 3
    assert torch.equal(targets[0], before)
    assert not torch.equal(targets[1], before)
