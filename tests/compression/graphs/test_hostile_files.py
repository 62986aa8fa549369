"""Files from strangers: a sentence each, nothing executed, and a good file still works after."""

import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import compression
from compression.graphs import child, limits
from compression.graphs.limits import show

from .conftest import safetensors_file, save
from .hostile_files import graph, growing_sum, hostile_files
from .onnx_graphs import endless_loop, hungry_constant
from .watched_folders import move_into, take_stock

MOST_SECONDS, MOST_BYTES = 10, 2**30
RNG = np.random.default_rng(0)
GOOD = {
    "m.safetensors": safetensors_file({"w": RNG.normal(size=(6, 5)), "b": RNG.normal(size=5)}),
    "m.pt": save({"w": torch.ones(6, 5), "b": torch.ones(5)}),
    "m.onnx": graph(),
}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Where this process and the one that decodes work, keep their own, and write for a while."""
    yield move_into(tmp_path, monkeypatch)
    child.CHILD.close()


def peak_bytes(process):
    """Largest resident set of a process so far."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def processor_seconds(process):
    """What a process and all that were ended before it have computed: the clock may be shared."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    own = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return ended.ru_utime + ended.ru_stime + own


def test_every_hostile_file_gets_one_sentence_and_writes_nothing(tmp_path, folders):
    trace = folders["temp"] / "trace"
    cases = hostile_files(str(trace))
    assert len(cases) >= 150
    before = take_stock(tmp_path)
    unrefused, slowest, peak = [], 0.0, 0
    for title, files in cases.items():
        spent = processor_seconds(child.CHILD.start())
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
        slowest = max(slowest, processor_seconds(child.CHILD.start()) - spent)
        peak = max(peak, peak_bytes(child.CHILD.start()))
    assert not unrefused
    assert not trace.exists()
    assert take_stock(tmp_path) == before
    assert slowest <= MOST_SECONDS
    assert peak <= MOST_BYTES
    assert len(compression.read_model({"m.onnx": GOOD["m.onnx"]}).layers) == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_model_above_the_most_bytes_is_refused_with_both_sizes(name, monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", len(GOOD[name]))
    assert len(compression.read_model({name: GOOD[name]}).layers) == 1
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", len(GOOD[name]) - 1)
    with pytest.raises(compression.CompressionError, match="the model has 0 MB: up to 0 MB are"):
        compression.read_model({name: GOOD[name]})


def test_a_model_s_data_count_too(monkeypatch):
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 2**20)
    files = {"m.onnx": GOOD["m.onnx"], "m.onnx.data": bytes(2**20)}
    with pytest.raises(compression.CompressionError, match="the model has 1 MB: up to 1 MB are"):
        compression.read_model(files)


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


def test_a_loop_that_computes_how_often_it_turns_ends_with_its_processor_time(monkeypatch):
    monkeypatch.setattr(child, "BUSY_MACHINE", 30)  # the clock shall not be what ends it
    assert limits.CHILD_CPU_SECONDS <= MOST_SECONDS
    content = endless_loop(None)
    own = child.Child()
    own.ask("compare", dict.fromkeys(("before", "after"), endless_loop(3)))  # loads its libraries
    before = processor_seconds(own.start())
    with pytest.raises(compression.CompressionError, match="more memory or time"):
        own.ask("compare", {"before": content, "after": content}, cpu_seconds=1)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 0.9 < ended.ru_utime + ended.ru_stime - before < 2


@pytest.mark.parametrize("graph", [hungry_constant, growing_sum])
def test_a_graph_that_asks_for_too_much_memory_gets_none_of_it(graph):
    content = graph()
    assert len(content) < 10_000
    own = child.Child()
    before = processor_seconds(own.start())
    with pytest.raises(compression.CompressionError, match=r"could not be run|does not take"):
        own.ask("compare", {"before": content, "after": content})
    assert processor_seconds(own.start()) - before <= MOST_SECONDS
    assert peak_bytes(own.start()) <= MOST_BYTES
    own.close()


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
