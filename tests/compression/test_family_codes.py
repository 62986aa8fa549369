"""Every family in few bits: the file is read back bit by bit, and holds the codes of its weights."""

import pytest
import torch

import compression
from compression import storage
from compression.errors import NotApplicableError
from compression.network import bounded_of, grid_of, layers, matrix
from tests.compression.families import FAMILIES
from tests.compression.stored_codes import codes_in, list_lines, middles_in, open_file

GRIDS = {
    "one grid": {},
    "channels": {"per_channel": True},
    "zero point": {"zero_point": True},
    "both": {"per_channel": True, "zero_point": True},
}


FEW = 100  # weights that can be shorter as they are than as codes with a note of them


def quantize(network, bits, kind):
    """The network in few bits; bounded layers, whose grids have no options, refuse them."""
    bounded = any(bounded_of(layer) is not None for layer in layers(network).values())
    options = GRIDS[kind]
    if bounded and options:
        with pytest.raises(NotApplicableError, match="is bounded"):
            compression.quantize(network, bits, **options)
        options = {}
    return compression.quantize(network, bits, **options)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("bits", "kind"), [(1, "one grid"), (3, "channels"), (4, "zero point"), (11, "one grid")]
)
def test_every_family_comes_back_bit_by_bit_from_its_codes(families, family, bits, kind, tmp_path):
    network = families[family]
    quantized = quantize(network, bits, kind)
    compression.save(quantized, tmp_path / "m")
    again = compression.load(tmp_path / "m")
    for name, layer in layers(quantized).items():
        assert matrix(layers(again)[name]).tobytes() == matrix(layer).tobytes()
        assert grid_of(layers(again)[name]) == grid_of(layer)
        assert grid_of(layer).bits == bits
        if layer.bias is not None:
            assert torch.equal(layer.bias, layers(network)[name].bias)
    content = storage.to_bytes(quantized)
    assert storage.to_bytes(again) == content == (tmp_path / "m").read_bytes()
    assert compression.bytes_of(quantized) == len(content)
    if not any(grid_of(layer) for layer in layers(network).values()):
        assert len(content) < compression.bytes_of(network)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("bits", "kind"),
    [
        *((bits, "one grid") for bits in (1, 3, 8, 12)),
        *((bits, kind) for bits in (3, 9) for kind in ("channels", "zero point", "both")),
    ],
)
def test_the_codes_in_a_file_are_those_of_its_weights(families, family, bits, kind):
    quantized = quantize(families[family], bits, kind)
    header, tensors = open_file(storage.to_bytes(quantized))
    seen = set()
    for name, line in list_lines(header["network"]):
        if "grid" not in line:
            continue
        layer = layers(quantized)[name]
        weight = matrix(layer).ravel()
        if bounded_of(layer) is not None:
            weight = weight[storage.states(weight, bounded_of(layer)) == 0]
        seen.add(name)
        if f"{name}.weight" in tensors:
            assert tensors[f"{name}.weight"].tobytes() == weight.tobytes()
            assert weight.size <= FEW
            continue
        codes = codes_in(line, name, tensors, len(weight))
        found = middles_in(line, name, tensors, codes, len(matrix(layer)))
        assert found.tobytes() == weight.tobytes()
    assert seen == set(layers(quantized))
