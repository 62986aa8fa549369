"""The state dict and the code beside it, run by a Python that has never heard of this package."""

import json
import subprocess
import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn

import compression
from compression.errors import StorageError
from compression.low_rank.decomposition import factorize
from compression.network import LowRankPlusSparseLayer, low_rank_layer, replace_layers


def test_the_code_builds_the_network_in_a_folder_of_its_own(tmp_path):
    torch.manual_seed(0)
    dense = nn.Sequential(
        OrderedDict(
            shape=nn.Unflatten(1, (2, 5, 5)),
            conv=nn.Conv2d(2, 4, 3, padding="same", bias=False, padding_mode="reflect"),
            pool=nn.MaxPool2d(3, stride=2, ceil_mode=True),
            relu=nn.ReLU(),
            flat=nn.Flatten(-3),
        )
    )
    dense.add_module('it\'s "one"', nn.Linear(16, 6).double().float())
    dense.add_module("last", nn.Linear(6, 3))
    low_rank = [
        low_rank_layer(layer, factorize(layer.weight.detach().numpy(), 2))
        for layer in (dense[5], dense[6])
    ]
    summed = LowRankPlusSparseLayer(low_rank[1], nn.Linear(6, 3, bias=False))
    network = replace_layers(dense, {'it\'s "one"': low_rank[0], "last": summed})
    exported = compression.export_pytorch(network, tmp_path / "model.pt")
    assert exported.difference == 0
    x = torch.randn(2, 50)
    code = exported.code + (
        f"import json\nx = torch.tensor({x.tolist()})\nprint(json.dumps(network(x).tolist()))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not ran.stderr
    torch.testing.assert_close(torch.tensor(json.loads(ran.stdout)), network(x))
    assert len(exported.code.splitlines()) < 50


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_types_are_kept(dtype, tmp_path):
    network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)).to(dtype)
    code = compression.export_pytorch(network, tmp_path / "m.pt").code
    names = {}
    exec(code.replace("'m.pt'", repr(str(tmp_path / "m.pt"))), names)
    assert {p.dtype for p in names["network"].parameters()} == {dtype}


def test_what_is_no_plain_layer_or_not_finite_is_refused(tmp_path):
    network = nn.Sequential(nn.Linear(2, 2))
    network[0].weight.data.fill_(float("nan"))
    for wrong, words in ((nn.Sequential(nn.Linear(2, 2), nn.GELU()), "GELU"), (network, "finite")):
        with pytest.raises(StorageError, match=words):
            compression.export_pytorch(wrong, tmp_path / "m.pt")
    assert not list(tmp_path.iterdir())
