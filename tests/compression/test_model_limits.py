"""What a forged file may cost, and what a killed writer leaves."""

import json
import os
import time
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
import torch
from torch import nn

import compression
from compression import atomic_file, storage
from compression.errors import StorageError
from compression.network import LayerBound, set_bounded


def forge(structure, tensors=None):
    tensors = tensors or {"none": np.zeros(0, np.float32)}
    header = {"format": storage.FORMAT, "dtype": "float32", "network": structure}
    return storage.assemble_file(header, tensors)


def constant(inputs, outputs):
    return {"linear": [inputs, outputs], "set": "box", "c": 0.5, "states": [1]}


@pytest.mark.parametrize(
    "layers",
    [
        [constant(1 << 14, 1 << 14)],
        [constant(1 << 10, 1 << 10)] * 60,  # none alone is too large
    ],
)
def test_a_small_file_cannot_stand_for_a_large_network(layers):
    content = forge({"chain": {str(i): layer for i, layer in enumerate(layers)}})
    tracemalloc.start()
    with pytest.raises(StorageError, match="far larger"):
        storage.from_bytes(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_a_file_of_very_many_layers_is_refused():
    with pytest.raises(StorageError, match="layers"):
        storage.from_bytes(forge({"chain": {str(i): {"relu": []} for i in range(20_000)}}))


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_large_layer_of_one_value_is_written_and_read(value, tmp_path):
    layer = nn.Linear(3000, 2000, bias=False)  # 24 MB, more than a small file may stand for
    layer.weight.data.fill_(value)
    set_bounded(layer, LayerBound("box", 0.5))
    compression.save(nn.Sequential(layer), tmp_path / "m")
    assert torch.equal(compression.load(tmp_path / "m")[0].weight, layer.weight)
    assert (tmp_path / "m").stat().st_size < 3000 * 2000 / 8 + 500  # a bit a weight


def header_of(content):
    length = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["compression"])


def change_file(network, change):
    content = storage.to_bytes(network)
    tensors, header = safetensors.numpy.load(content), header_of(content)
    change(header["network"]["chain"], tensors)
    return forge(header["network"], tensors)


def without_second(lines, tensors):
    del lines["2"], tensors["2.weight"], tensors["2.bias"]


BROKEN = {
    "nan": (lambda lines, tensors: tensors["0.weight"].fill(np.nan), "layer 0.*weight.*finite"),
    "inf": (lambda lines, tensors: tensors["0.bias"].fill(np.inf), "layer 0.*bias.*finite"),
    "set": (lambda lines, tensors: lines["0"].update(set="ball", c=1.0), "ball.*box"),
    "bound": (lambda lines, tensors: lines["0"].update(set="box", c=float("nan")), "damaged"),
    "fit": (without_second, "layer 3 takes 5 features and is given 4"),
    "setting": (lambda lines, tensors: lines["1"].update(settings={"bias": 1}), "damaged"),
    "arguments": (lambda lines, tensors: lines["1"].update(relu=[1, 2]), "damaged"),
    "type": (lambda lines, tensors: lines["0"].update(dtype="int8"), "damaged"),
    "other type": (lambda lines, tensors: lines["0"].update(dtype="float64"), "damaged"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_forged_file_is_refused_in_words(case):
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.Linear(5, 2))
    change, sentence = BROKEN[case]
    assert storage.from_bytes(change_file(network, lambda lines, tensors: None))
    with pytest.raises(StorageError, match=sentence):
        storage.from_bytes(change_file(network, change))


def test_layers_behind_an_image_that_does_not_fit_them_are_refused():
    network = nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 3)
    )
    assert storage.from_bytes(storage.to_bytes(network))
    network[3] = nn.Linear(33, 3)
    with pytest.raises(StorageError, match="do not fit"):
        storage.from_bytes(storage.to_bytes(network))


def test_save_sweeps_what_a_killed_save_left_and_nothing_else(tmp_path, monkeypatch):
    def kill(*arguments):
        raise KeyboardInterrupt

    network = nn.Sequential(nn.Linear(2, 2))
    with monkeypatch.context() as patch:  # as if nothing ran after the kill
        patch.setattr(os, "replace", kill)
        patch.setattr("pathlib.Path.unlink", lambda *arguments, **options: None)
        for name in ("old", "young"):
            with pytest.raises(KeyboardInterrupt):
                compression.save(network, tmp_path / name)
    old = time.time() - 2 * atomic_file.STALE_SECONDS
    kept = [".old.abc.partial", f".mine{atomic_file.PARTIAL_ENDING}", "old"]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    for file in tmp_path.iterdir():
        if not file.name.startswith(".young"):
            os.utime(file, (old, old))
    compression.save(network, tmp_path / "new")
    left = {file.name for file in tmp_path.iterdir()}
    assert left > {*kept, "new"}
    assert [name.split(".")[1] for name in left - {*kept, "new"}] == ["young"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_saved_file_has_the_mode_that_the_umask_gives(umask, mode, tmp_path):
    before = os.umask(umask)
    try:
        compression.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "m")
    finally:
        os.umask(before)
    assert (tmp_path / "m").stat().st_mode & 0o777 == mode
