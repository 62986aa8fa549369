"""Networks that are not of this package: saved as the same function, or refused in words."""

import functools
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

import compression
from compression import accounting, storage
from compression.errors import NotApplicableError, StorageError
from compression.network import LayerBound, LowRankLayer, bounded_of, set_bounded

FILES = Path(__file__).parent / "files"


def save_and_load(network, folder):
    compression.save(network, folder / "m.safetensors")
    return compression.load(folder / "m.safetensors")


def chain(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*[layer() for layer in layers]).eval()


def conv(*arguments, **settings):
    return functools.partial(nn.Conv2d, *arguments, **settings)


KEPT = {
    "dilation": (chain(conv(2, 3, 3, dilation=2)), (2, 2, 9, 9)),
    "circular": (chain(conv(2, 3, 3, padding=1, padding_mode="circular")), (2, 2, 6, 6)),
    "reflect": (chain(conv(2, 3, 3, padding=(2, 1), padding_mode="reflect")), (2, 2, 6, 6)),
    "groups": (chain(conv(4, 6, 3, groups=2)), (2, 4, 6, 6)),
    "same": (chain(conv(2, 3, (4, 3), padding="same")), (2, 2, 6, 6)),
    "valid": (chain(conv(2, 3, 3, padding="valid", bias=False)), (2, 2, 6, 6)),
    "pool": (chain(lambda: nn.MaxPool2d(3, stride=2, padding=1)), (2, 2, 7, 7)),
    "ceiling": (chain(lambda: nn.MaxPool2d((2, 3), ceil_mode=True)), (2, 2, 7, 7)),
    "spread": (chain(lambda: nn.MaxPool2d(2, 1, 0, 2)), (2, 2, 7, 7)),
    "flatten": (chain(lambda: nn.Flatten(2)), (2, 3, 4, 5)),
    "flatten to": (chain(lambda: nn.Flatten(0, -2)), (2, 3, 4, 5)),
    "unflatten": (chain(lambda: nn.Unflatten(2, (2, -1))), (2, 3, 4)),
    "one activation twice": (nn.Sequential(nn.Linear(3, 4), *[nn.ReLU()] * 2), (2, 3)),
}


@pytest.mark.parametrize("case", KEPT)
def test_save_keeps_every_setting_of_a_layer(case, tmp_path):
    network, shape = KEPT[case]
    again = save_and_load(network, tmp_path)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    expected = network(x)
    assert torch.equal(again(x), expected)
    assert repr(again) == repr(network)  # torch's own text of all settings
    assert storage.to_bytes(again) == storage.to_bytes(network)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_save_keeps_the_type_of_every_tensor(dtype, tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2))
    network[1].to(dtype)
    network[2].bias.data = network[2].bias.data.to(dtype)
    again = save_and_load(network, tmp_path)
    for name, tensor in network.state_dict().items():
        assert again.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(again.state_dict()[name], tensor)
    whole = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).to(dtype)
    x = torch.randn(5, 3).to(dtype)
    assert torch.equal(save_and_load(whole, tmp_path)(x), whole(x))
    set_bounded(whole[0], LayerBound("box", 0.5))
    whole[0].weight.data.clamp_(-0.5, 0.5)
    assert torch.equal(save_and_load(whole, tmp_path)(x), whole(x))
    assert accounting.bytes_of(whole) > 0
    assert accounting.parameters(whole) > 0


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def with_hook(register):
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    getattr(network[0], register)(lambda *given: None)
    return network


def with_forward():
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    network[1].forward = lambda x: -x
    return network


def with_buffer():
    network = nn.Sequential(nn.Linear(3, 3))
    network[0].register_buffer("scale", torch.ones(3))
    return network


def with_tied_weights():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    return network


def with_shared_layer():
    layer = nn.Linear(3, 3)
    return nn.Sequential(layer, nn.ReLU(), layer)


def with_weight(weight):
    network = nn.Sequential(nn.Linear(3, 3))
    network[0].weight = nn.Parameter(weight, requires_grad=False)
    return network


def with_pruned_weight():
    network = nn.Sequential(nn.Linear(3, 3))
    prune.l1_unstructured(network[0], "weight", amount=2)
    return network


REFUSED = {
    "a residual block": (
        lambda: nn.Sequential(Residual(nn.Linear(3, 3))),
        r"layer 0 .*Residual",
    ),
    "a residual network": (lambda: Residual(nn.Linear(3, 3)), "Residual"),
    "one layer": (lambda: nn.Linear(3, 3), "Linear"),
    "a subclass": (lambda: nn.Sequential(Doubled(3, 3)), r"layer 0 .*Doubled"),
    "a layer twice": (with_shared_layer, "0.* and .*2"),
    "tied weights": (with_tied_weights, r"0\.weight and 1\.weight"),
    "a forward hook": (lambda: with_hook("register_forward_hook"), "layer 0.*hook"),
    "a hook before": (lambda: with_hook("register_forward_pre_hook"), "layer 0.*hook"),
    "a hook of gradients": (lambda: with_hook("register_full_backward_hook"), "layer 0.*hook"),
    "another forward": (with_forward, "layer 1.*forward"),
    "a buffer": (with_buffer, "layer 0.*scale"),
    "a parametrization": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3))),
        "layer 0.*parametri",
    ),
    "a pruned layer": (with_pruned_weight, "layer 0"),
    "a transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 2, 3)),
        "layer 0 .*ConvTranspose2d",
    ),
    "indices": (
        lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True)),
        "layer 0.*return_indices",
    ),
    "another size": (lambda: with_weight(torch.ones(2, 3)), "layer 0.*weight"),
    "whole numbers": (lambda: with_weight(torch.ones(3, 3, dtype=torch.int64)), "layer 0.*int64"),
    "no numbers": (lambda: with_weight(torch.ones(3, 3, device="meta")), "layer 0.*weight"),
    "nan": (lambda: with_weight(torch.full((3, 3), float("nan"))), "layer 0.*finite"),
    "inf": (lambda: with_weight(torch.full((3, 3), float("inf"))), "layer 0.*finite"),
    "no fit": (lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(3, 4)), "fit"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_save_refuses_what_it_cannot_keep(case, tmp_path):
    build, sentence = REFUSED[case]
    with pytest.raises(StorageError, match=sentence):
        compression.save(build(), tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_hook_on_the_chain_itself_is_refused(tmp_path):
    network = nn.Sequential(LowRankLayer(OrderedDict(a=nn.Linear(3, 3))))
    network[0].register_forward_hook(lambda *given: None)
    with pytest.raises(StorageError, match=r"layer 0.*hook"):
        save_and_load(network, tmp_path)
    network = with_hook("register_forward_hook")
    network[0]._forward_hooks.clear()
    network.register_forward_hook(lambda *given: None)
    with pytest.raises(StorageError, match=r"network.*hook"):
        save_and_load(network, tmp_path)


def small_network(constraint="box", bound=2.0, last=0.5):
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    for layer in (network[0], network[2]):
        layer.weight.data.fill_(0.5)
        layer.bias.data.fill_(0.0)
    network[0].weight.data[1, 1] = last
    if constraint:
        set_bounded(network[0], LayerBound(constraint, bound))
    return network.eval()


DIFFERENT = {
    "another number": small_network(last=0.25),
    "another sign of zero": small_network(last=-0.0),
    "another type": small_network().double(),
    "another layer": nn.Sequential(small_network()[0], nn.Flatten(), small_network()[2]),
    "a layer more": nn.Sequential(*small_network(), nn.ReLU()),
    "a layer less": small_network()[:2],
    "other names": nn.Sequential(OrderedDict(zip("abc", small_network(), strict=True))),
    "no bound": small_network(constraint=None),
    "another bound": small_network(bound=2.5),
    "another set": small_network(constraint="upper"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_no_file_appears_where_another_network_is_read_back(case, tmp_path, monkeypatch):
    network = small_network(last=0.0 if case == "another sign of zero" else 0.5)
    compression.save(network, tmp_path / "before.safetensors")
    monkeypatch.setattr("compression.storage.from_bytes", lambda content: DIFFERENT[case])
    with pytest.raises(StorageError, match="what was read back is not the same network"):
        compression.save(network, tmp_path / "after.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["before.safetensors"]


def test_no_file_appears_where_another_type_of_as_many_bits_is_read_back(tmp_path, monkeypatch):
    network, again = (nn.Sequential(nn.Linear(2, 2)).to(t) for t in (torch.half, torch.bfloat16))
    for parameter in (*network.parameters(), *again.parameters()):
        parameter.data.zero_()
    monkeypatch.setattr("compression.storage.from_bytes", lambda content: again)
    with pytest.raises(StorageError, match="what was read back is not the same network"):
        compression.save(network, tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


# Networks that do not begin with their features: no file says what samples they take.
WITHOUT_FEATURES = {
    "a convolution": (conv(2, 3, 3), nn.ReLU),
    "a convolution of signals": (lambda: nn.Conv1d(2, 3, 3), nn.ReLU),
    "a fixed side": (
        conv(1, 2, 3, padding=1),
        lambda: nn.MaxPool2d(2),
        nn.Flatten,
        lambda: nn.Linear(2 * 14 * 14, 3),
    ),
    "a fixed length": (lambda: nn.Conv1d(2, 3, 5), nn.Flatten, lambda: nn.Linear(3 * 96, 2)),
    "pools alone": (lambda: nn.MaxPool2d(3, 2, 1), nn.ReLU),
    "flat samples": (lambda: nn.Linear(4, 3), nn.ReLU),
    "samples made flat": (nn.Flatten, lambda: nn.Linear(12, 3)),
}


@pytest.mark.parametrize("case", WITHOUT_FEATURES)
def test_outputs_are_compared_whatever_samples_the_first_layer_takes(case, tmp_path):
    network = chain(*WITHOUT_FEATURES[case])
    own = set(network)

    def shift_copies(module, given, outputs):
        """As if what was read back had the same settings and bits, and computed something else."""
        return outputs if module in own or isinstance(module, nn.Sequential) else outputs + 1

    hook = nn.modules.module.register_module_forward_hook(shift_copies)
    try:
        with pytest.raises(StorageError, match="what was read back is not the same network"):
            compression.save(network, tmp_path / "m.safetensors")
    finally:
        hook.remove()
    assert not list(tmp_path.iterdir())
    compression.save(network, tmp_path / "m.safetensors")


# Settings of which torch itself refuses many: those never become a layer.
SIDES = st.integers(1, 3)
PAIRS = st.tuples(SIDES, SIDES)
CONVOLUTIONS = st.fixed_dictionaries(
    {
        "kernel_size": SIDES | PAIRS,
        "stride": SIDES | PAIRS,
        "padding": st.integers(0, 2) | st.sampled_from(["same", "valid"]),
        "dilation": SIDES | PAIRS,
        "groups": st.sampled_from([1, 2]),
        "bias": st.booleans(),
        "padding_mode": st.sampled_from(["zeros", "circular", "reflect", "replicate"]),
    }
)
POOLS = st.fixed_dictionaries(
    {
        "kernel_size": SIDES | PAIRS,
        "stride": st.none() | SIDES | PAIRS,
        "padding": st.integers(0, 1),
        "dilation": SIDES | PAIRS,
        "ceil_mode": st.booleans(),
        "return_indices": st.sampled_from([False, False, False, True]),
    }
)
DTYPES = st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64])


@given(CONVOLUTIONS, POOLS, st.tuples(st.integers(-4, 3), st.integers(-4, 3)), DTYPES)
@settings(max_examples=150, deadline=None)
def test_a_saved_network_is_the_same_function_or_is_refused(convolution, pool, dims, dtype):
    try:
        network = nn.Sequential(
            nn.Conv2d(2, 4, **convolution),
            nn.ReLU(),
            nn.MaxPool2d(**pool),
            nn.Flatten(*dims),
        ).to(dtype)
    except ValueError:
        return
    try:
        again = storage.from_bytes(storage.to_bytes(network))
    except StorageError:
        assert pool["return_indices"]
        return
    assert not pool["return_indices"]
    assert repr(again) == repr(network)
    x = torch.randn(2, 2, 11, 12).to(dtype)
    try:
        expected = network(x)
    except (RuntimeError, IndexError):
        return
    assert torch.equal(again(x), expected)


# What the network of each file gave for these samples when the file was written.
WRITTEN = {
    "plain_format_1": [
        [-0.540032625, -0.18271488, -0.211117148],
        [-0.465751708, -0.325181216, -0.200230494],
    ],
    "quantised_format_1": [
        [0.0661844164, 0.52789253, -0.229207084, 0.410351127, 0.438586414],
        [0.271619201, -0.127542228, 0.240358129, -0.196170673, -0.207065731],
    ],
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_of_the_first_version_gives_the_outputs_it_gave_then(name):
    content = (FILES / f"{name}.safetensors").read_bytes()
    network = storage.from_bytes(content)
    features = {"plain_format_1": 36, "quantised_format_1": 12}[name]
    x = torch.linspace(-1, 1, 2 * features).reshape(2, -1)
    outputs = network(x)[:, :5].detach().numpy()
    np.testing.assert_allclose(outputs, WRITTEN[name], rtol=1e-5, atol=1e-6)
    assert storage.to_bytes(network) == content
    assert (bounded_of(network[-1]) is None) == (name == "plain_format_1")


def test_counting_a_network_that_begins_with_a_convolution_is_refused_in_words():
    network = nn.Sequential(nn.Conv2d(1, 2, 3))
    with pytest.raises(NotApplicableError, match="Conv2d"):
        accounting.macs(network)
