"""Files from strangers: a sentence each, nothing executed, and a good file still works after."""

import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import compression
from compression.graphs import child
from compression.graphs.limits import show

from .conftest import safetensors_file, save
from .hostile_files import graph, hostile_files
from .onnx_graphs import endless_loop

RNG = np.random.default_rng(0)
GOOD = {
    "m.safetensors": safetensors_file({"w": RNG.normal(size=(6, 5)), "b": RNG.normal(size=5)}),
    "m.pt": save({"w": torch.ones(6, 5), "b": torch.ones(5)}),
    "m.onnx": graph(),
}


def test_every_hostile_file_gets_one_sentence(tmp_path):
    trace = tmp_path / "trace"
    cases = hostile_files(str(trace))
    assert len(cases) >= 150
    unrefused = []
    for title, files in cases.items():
        try:
            compression.read_model(files)
        except compression.CompressionError as error:
            said = str(error)
            plain = said.isascii() and said.isprintable() and len(said) < 400
            teaches = "weights_only" in said or "allow_pickle" in said or "Traceback" in said
            if not plain or teaches:
                unrefused.append(f"{title}: {said}")
        else:
            unrefused.append(f"{title}: was read")
    assert not unrefused
    assert not trace.exists()
    assert len(compression.read_model({"m.onnx": GOOD["m.onnx"]}).layers) == 1


@pytest.mark.parametrize("name", GOOD)
def test_mutated_bytes_are_refused_or_read_as_what_they_say(name):
    rng = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(GOOD[name])
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            content[place] = rng.integers(256)
        if rng.random() < 0.3:
            content = content[: rng.integers(1, len(content))]
        try:
            model = compression.read_model({name: bytes(content)})
        except compression.CompressionError:
            continue
        assert len(model.layers) == len(model.weights) > 0


def test_one_flipped_bit_of_a_checkpoint_s_numbers_is_never_read():
    start = GOOD["m.pt"].index(torch.ones(30).numpy().tobytes())
    for place in range(start, start + 120, 7):
        content = bytearray(GOOD["m.pt"])
        content[place] ^= 4
        with pytest.raises(compression.CompressionError, match="checksum"):
            compression.read_model({"m.pt": bytes(content)})


@pytest.mark.parametrize("turns", [2**62, 100_001])
def test_a_loop_that_says_it_hardly_ends_is_not_run(turns):
    content = endless_loop(turns)
    with pytest.raises(compression.CompressionError, match=f"may turn {turns:,} times"):
        child.CHILD.ask("compare", {"before": content, "after": content})


def test_a_loop_of_few_turns_is_run():
    found = child.run_graph(endless_loop(3), np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(found, np.full((2, 2), 8.0))


def test_a_child_that_dies_leaves_a_sentence_and_is_replaced(monkeypatch):
    own = child.Child()
    killed = own.start()
    killed.kill()
    killed.wait()
    own.ask("safetensors", {"m": GOOD["m.safetensors"]})
    first = own.start()
    first.send_signal(signal.SIGSTOP)  # it will not answer, however fast the machine is
    monkeypatch.setattr(child, "BUSY_MACHINE", 0.01)
    with pytest.raises(compression.CompressionError, match="more memory or time"):
        own.ask("safetensors", {"m": GOOD["m.safetensors"]})
    monkeypatch.undo()
    own.ask("safetensors", {"m": GOOD["m.safetensors"]})
    assert own.start().pid != first.pid
    own.close()


def test_names_are_quoted_where_they_are_said():
    name = "../../etc/x<script>\n\u202e![x](http://a)"
    model = compression.read_model({"m.safetensors": safetensors_file({name: np.ones((6, 5))})})
    assert list(model.layers["layer"]) == [name]
    with pytest.raises(compression.CompressionError) as error:
        model.compressed({name: 9})
    assert str(error.value).isascii()
    assert str(error.value).isprintable()
    assert not Path(name).exists()
    assert show("n" * 500).endswith("...'")
