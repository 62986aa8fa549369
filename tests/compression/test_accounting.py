"""What a network costs, module by module."""

from collections import OrderedDict

import torch
from torch import nn

from compression import accounting
from compression.network import LayerBound, set_bounded


def test_the_structure_has_each_module_s_shape_numbers_and_multiplications():
    network = nn.Sequential(
        OrderedDict(
            image=nn.Unflatten(1, (1, 6, 6)),
            conv=nn.Conv2d(1, 3, 3),
            flat=nn.Flatten(),
            fc=nn.Linear(48, 5),
        )
    )
    table = accounting.structure(network).set_index("layer")
    assert list(table["kind"]) == ["Unflatten", "Conv2d", "Flatten", "Linear"]
    assert list(table["output"]) == ["1 × 6 × 6", "3 × 4 × 4", "48", "5"]
    assert list(table["parameters"]) == [0, 3 * 9 + 3, 0, 48 * 5 + 5]
    assert list(table["MACs"]) == [0, 3 * 9 * 16, 0, 48 * 5]


def test_weights_are_pinned_zero_or_free_and_add_up():
    bounded, free = nn.Linear(4, 2), nn.Linear(2, 3)
    with torch.no_grad():
        bounded.weight.copy_(
            torch.tensor([[0.5, -0.5, 0.0, 0.1], [0.5, 0.2, 0.0, 0.0]], dtype=torch.float32)
        )
    set_bounded(bounded, LayerBound("box", 0.5))
    network = nn.Sequential(OrderedDict(first=bounded, relu=nn.ReLU(), last=free))
    assert accounting.shares(network, ["first"]) == {"pinned": 3 / 8, "zero": 3 / 8, "free": 2 / 8}
    assert accounting.shares(network) == {"pinned": 3 / 14, "zero": 3 / 14, "free": 8 / 14}
    # Free weights and biases of the first with its bound; all numbers of the last.
    assert accounting.parameters(network) == (2 + 2 + 1) + (6 + 3)
    assert accounting.layer_macs(network) == {"first": 8, "last": 6}


def test_a_network_of_other_numbers_is_counted_as_it_is():
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).double()
    assert accounting.macs(network) == 4 * 3 + 3 * 2
    assert accounting.structure(network)["MACs"].sum() == 4 * 3 + 3 * 2
    on_meta = nn.Sequential(nn.Linear(4, 3, device="meta"))
    assert accounting.layer_macs(on_meta) == {"0": 12}


def test_all_states_have_a_count():
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.fill_(0.5)
    set_bounded(layer, LayerBound("box", 0.5))
    assert accounting.shares(nn.Sequential(layer)) == {"pinned": 1.0, "zero": 0.0, "free": 0.0}
    with torch.no_grad():
        layer.weight.fill_(0.25)
    assert accounting.shares(nn.Sequential(layer)) == {"pinned": 0.0, "zero": 0.0, "free": 1.0}
