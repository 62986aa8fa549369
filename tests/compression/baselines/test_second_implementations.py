"""Pruning and the smaller network against plain torch: no trainer, builder or pruner of ours."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import compression
from compression.network import layers


def train_plainly(network, dataset, batch, rate, epochs, order, after_step=lambda: None):
    """Epochs of Adam over the fit rows in shuffled batches; a generator, one step an epoch."""
    x = torch.from_numpy(dataset.x_train[dataset.fit_rows])
    y = torch.from_numpy(dataset.y_train[dataset.fit_rows])
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, fused=True)
    shuffle = torch.Generator().manual_seed(order)
    for epoch in range(epochs):
        yield epoch
        for rows in torch.randperm(len(x), generator=shuffle).split(batch):
            optimiser.zero_grad()
            functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
            after_step()


def perceptron(widths):
    parts = []
    for inputs, outputs in pairwise(widths):
        parts += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


@pytest.mark.parametrize("share", [0.3, 0.05])
def test_pruning_in_rounds_is_that_of_plain_torch(digits, digits_mlp, share):
    epochs = 5
    network = perceptron([64, 256, 128, 10])
    pruned = [part for part in network if isinstance(part, nn.Linear)]
    for part, layer in zip(pruned, layers(digits_mlp.network).values(), strict=True):
        part.load_state_dict(layer.state_dict())
    masks = [torch.ones_like(part.weight) for part in pruned]

    def clear():
        for part, mask in zip(pruned, masks, strict=True):
            part.weight.data *= mask

    count = sum(part.weight.numel() for part in pruned)
    for epoch in train_plainly(network, digits, 256, 1e-3, epochs, 0, clear):
        if epoch < 3:  # the first half of five epochs, rounded up
            kept = round(share ** ((epoch + 1) / 3) * count)
            sizes = torch.cat([part.weight.data.abs().ravel() for part in pruned])
            chosen = torch.zeros(count)
            chosen[sizes.topk(kept).indices] = 1
            parts = chosen.split([part.weight.numel() for part in pruned])
            masks[:] = [m.reshape(p.weight.shape) for m, p in zip(parts, pruned, strict=True)]
            clear()
    found = compression.baseline_curve(
        digits_mlp, digits, "magnitude_pruning", [share], epochs=epochs
    ).network(0)
    for part, layer in zip(pruned, layers(found).values(), strict=True):
        theirs = part.weight.detach()
        assert torch.equal(layer.weight != 0, theirs != 0)
        np.testing.assert_allclose(layer.weight.detach(), theirs, atol=1e-6)
        np.testing.assert_allclose(layer.bias.detach(), part.bias.detach(), atol=1e-6)


@pytest.mark.parametrize("width", [0.5, 0.1])
def test_a_smaller_network_is_that_of_plain_torch(digits, digits_mlp, width):
    epochs = 4
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = perceptron([64, round(256 * width), round(128 * width), 10])
    x, y = (
        torch.from_numpy(part[digits.validation_rows]) for part in (digits.x_train, digits.y_train)
    )
    losses, states = [], []
    for _ in train_plainly(network, digits, 64, 1e-3, epochs + 1, 0):
        # What the network is before an epoch, so after the one before.
        losses.append(functional.cross_entropy(network(x), y).item())
        states.append({name: value.clone() for name, value in network.state_dict().items()})
    network.load_state_dict(states[1 + int(np.argmin(losses[1:]))])
    curve = compression.baseline_curve(
        digits_mlp, digits, "smaller_network", [width], epochs=epochs
    )
    rows = torch.from_numpy(digits.x_test)
    np.testing.assert_allclose(curve.network(0)(rows).detach(), network(rows).detach(), atol=1e-5)
    assert curve.table["epochs"].tolist() == [epochs]
