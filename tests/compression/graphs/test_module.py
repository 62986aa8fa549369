"""Torch modules of many kinds: judged with other weights, and left as they were."""

import copy

import numpy as np
import pytest
import torch
from scipy.spatial import distance
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import remove_parametrizations

import compression
from compression.graphs.judges import accuracy, agreement, cosine, faithfulness, squared_error

RNG = torch.Generator().manual_seed(0)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = x + self.grouped(torch.relu(self.second(x)))
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        return self.out(self.attention(x, x, x, need_weights=False)[0])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.middle = nn.Linear(8, 8)
        self.head = nn.Linear(8, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        return self.head(torch.tanh(self.middle(self.embedding(x.long().abs() % 12))))


class Shared(nn.Module):
    """One module at two places, and used three times."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.again = self.layer

    def forward(self, x):
        return self.again(torch.relu(self.layer(torch.relu(self.layer(x)))))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cells = kind(6, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


class Branches(nn.Module):
    """Which layer is used depends on the sample; one weight is used as a matrix by hand."""

    def __init__(self):
        super().__init__()
        self.low, self.high = nn.Linear(8, 6), nn.Linear(8, 6)
        self.mixing = nn.Parameter(torch.randn(6, 6, generator=RNG))

    def forward(self, x):
        chosen = torch.where(x.sum(-1, keepdim=True) > 0, self.high(x), self.low(x))
        return {"logits": chosen @ self.mixing}


class Hooked(nn.Sequential):
    """A chain that is none."""

    def __init__(self):
        super().__init__(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self[0].register_forward_hook(lambda _, __, output: 2 * output)

    def forward(self, x):
        return x + super().forward(x)


def build_normed(removed):
    layer = parametrizations.weight_norm(nn.Linear(8, 6))
    if removed:
        remove_parametrizations(layer, "weight")
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(6, 4))


MODULES = {
    "chain": (lambda: nn.Sequential(nn.Linear(8, 9), nn.ReLU(), nn.Linear(9, 5)), (6, 8)),
    "residual": (Residual, (3, 3, 6, 6)),
    "attention": (Attention, (4, 5, 8)),
    "encoder": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (4, 5, 8)),
    "tied": (Tied, (4, 5)),
    "shared": (Shared, (6, 8)),
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 5, 6)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 5, 6)),
    "branches": (Branches, (6, 8)),
    "hooked": (Hooked, (6, 8)),
    "norm removed": (lambda: build_normed(True), (6, 8)),
    "signals": (lambda: nn.Sequential(nn.Conv1d(3, 8, 3, stride=2), nn.Flatten()), (4, 3, 9)),
    "upwards": (
        lambda: nn.Sequential(nn.ConvTranspose2d(3, 6, 3), nn.Conv2d(6, 4, 1)),
        (2, 3, 4, 4),
    ),
    "double": (lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)).double(), (6, 8)),
}


@pytest.fixture(params=MODULES)
def case(request):
    torch.manual_seed(0)
    build, shape = MODULES[request.param]
    module = build().eval()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    return module, x.to(next(module.parameters()).dtype)


@torch.no_grad()
def plain_outputs(module, x):
    outputs = module(x)
    return (outputs["logits"] if isinstance(outputs, dict) else outputs).double().numpy()


def test_full_rank_changes_nothing_and_a_lower_rank_what_a_changed_copy_says(case):
    module, x = case
    model = compression.read_module(module)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    can = {weight.name: weight for weight in model.weights if not weight.reason}
    assert can
    full = model.outputs(x, {name: weight.max_rank for name, weight in can.items()})
    np.testing.assert_allclose(full, plain_outputs(module, x), atol=1e-5)
    copied = copy.deepcopy(module)
    state = copied.state_dict()
    for name, weight in can.items():
        u, s, vt = np.linalg.svd(model.matrix(name), full_matrices=False)
        nearest = torch.tensor((u[:, :2] * s[:2]) @ vt[:2]).reshape(weight.shape)
        for key in (name, *weight.aliases):
            state[key] = nearest.to(state[key])
    copied.load_state_dict(state)
    low = model.outputs(x, dict.fromkeys(can, 2))
    np.testing.assert_allclose(low, plain_outputs(copied, x), atol=1e-5)
    assert np.abs(low - full).max() > 1e-3
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_failure_in_the_middle_leaves_the_module_as_it_was(case):
    module, x = case
    model = compression.read_module(module)
    before = plain_outputs(module, x)
    layer = next(weight.name for weight in model.weights if not weight.reason)
    try:
        with model.substitute({layer: 0 * model.matrix(layer)}):
            assert np.abs(plain_outputs(module, x) - before).max() > 0
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (plain_outputs(module, x) == before).all()


def test_reasons_name_ties_groups_and_parametrizations():
    tied = compression.read_module(Tied()).layers.set_index("layer")
    assert tied.loc["embedding.weight", "aliases"] == ("head.weight",)
    assert "same tensor as head.weight" in tied.loc["embedding.weight", "reason"]
    shared = compression.read_module(Shared())
    assert list(shared.layers["layer"]) == ["layer.weight"]
    assert shared.parameters == 72
    groups = compression.read_module(Residual()).layers.set_index("layer")["reason"]
    assert "groups share no channels" in groups["grouped.weight"]
    parts = compression.read_module(build_normed(False)).layers["reason"]
    assert parts.str.contains("remove_parametrizations").any()
    empty = compression.read_module(nn.Linear(4, 5, device="meta"))
    assert "meta device" in empty.weights[0].reason


def test_compressed_module_is_a_factor_file_of_its_state():
    torch.manual_seed(0)
    module = Residual()
    files = compression.read_module(module).compressed({"second.weight": 3}).to_bytes()
    again = compression.read_model(files)
    assert "second.weight.left" in set(again.layers["layer"])
    assert again.tensors["norm.num_batches_tracked"].dtype == "I64"


def test_judges_give_one_value_a_sample_and_more_is_better():
    torch.manual_seed(0)
    layers = nn.Linear(8, 12, bias=False), nn.Tanh(), nn.Linear(12, 5, bias=False)
    module = nn.Sequential(*layers).eval()
    model, x = compression.read_module(module), torch.randn(40, 8).numpy()
    labels = plain_outputs(module, torch.tensor(x)).argmax(1)
    choices = [{"0.weight": rank} for rank in (1, 4, 8)]
    judges = (faithfulness, agreement, cosine, accuracy(labels), squared_error(model.outputs(x)))
    for judge in judges:
        table = compression.judge_ranks(model, x, choices, judge)
        assert table["change"].iloc[-1] == pytest.approx(0, abs=1e-6)
        assert table["value"].iloc[0] < table["value"].iloc[-1]
        assert (table["low"] <= table["value"]).all()
    assert list(table["parameters"]) == [60 + 20 * rank for rank in (1, 4, 8)]
    own = compression.judge_ranks(model, x, choices, lambda _, y: y[:, 0])
    assert own["value"].iloc[-1] == pytest.approx(model.outputs(x)[:, 0].mean(), abs=1e-6)
    with pytest.raises(compression.CompressionError, match="one value each"):
        compression.judge_ranks(model, x, choices, lambda _, y: y)
    with pytest.raises(compression.CompressionError, match="as many"):
        compression.judge_ranks(model, x, choices, accuracy(labels[:5]))


def test_the_cosine_of_embeddings_knows_directions_alone():
    y = np.random.default_rng(0).normal(size=(6, 7))
    turned = np.roll(y, 1, axis=1)
    np.testing.assert_allclose(cosine(y, 3 * y), 1)
    np.testing.assert_allclose(cosine(y, -y), -1)
    expected = [1 - distance.cosine(one, other) for one, other in zip(y, turned, strict=True)]
    np.testing.assert_allclose(cosine(y, turned), expected)
    np.testing.assert_array_equal(cosine(y, np.zeros_like(y)), 0)
