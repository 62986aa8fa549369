"""Adapters with damaged bytes: resized as what they say, or refused in a sentence."""

import numpy as np
import pytest
import torch

import compression

COUNT = 300


def mutate(content, rng, text):
    """A copy with a few other bytes, or bytes missing or too many; mostly where its names stand."""
    changed = bytearray(content)
    names = 8 + int.from_bytes(content[:8], "little")
    end = len(content) if text or rng.random() < 0.3 else names
    for place in rng.integers(0, end, rng.integers(1, 4)):
        how = rng.random()
        if how < 0.3:
            changed[place] = rng.choice(list(b'0123456789"{}[],:._ABlora'))
        elif how < 0.7:
            changed[place] = rng.integers(256)
        elif how < 0.85:
            changed[place] ^= 1 << int(rng.integers(8))
        else:
            del changed[place : place + rng.integers(1, 9)]
            break
    if rng.random() < 0.15:
        changed = changed[: rng.integers(0, len(changed))]
    return bytes(changed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], indirect=True, ids=str)
@pytest.mark.parametrize("layout", ["peft", "kohya"])
def test_a_mutated_adapter_is_resized_or_refused_in_a_sentence(peft_files, kohya_files, layout):
    good = peft_files if layout == "peft" else kohya_files
    rng, read, said = np.random.default_rng(0), 0, []
    for number in range(COUNT):
        name = list(good)[number % len(good)]
        files = good | {name: mutate(good[name], rng, text=name.endswith(".json"))}
        try:
            resized = compression.read_adapter(files).resize({})
            adapter = compression.read_adapter(files)
            smallest = compression.resize_adapter(files, adapter.fewest_parameters)
        except compression.CompressionError as error:
            said.append(str(error))
        else:
            read += 1
            assert resized.files == files
            again = compression.read_adapter(smallest.files).layers
            can = again[again["reason"] == ""]
            assert len(can)
            assert set(can["rank"]) == {1}
    assert read > 20
    assert len(said) > 100
    assert all(sentence and sentence.isprintable() and len(sentence) < 600 for sentence in said)
