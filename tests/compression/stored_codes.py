"""What stands in a file, read without the code under test."""

import json
import zlib

import numpy as np
import safetensors.numpy


def open_file(content):
    """The header's structure and the tensors of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["compression"])
    return header, safetensors.numpy.load(content)


def list_lines(structure, name=""):
    """Each layer's full name and its line of the header."""
    for child, line in (structure.get("chain") or structure.get("sum") or {}).items():
        full = f"{name}.{child}".lstrip(".")
        yield full, line
        yield from list_lines(line, full)


def codes_in(line, name, tensors, count):
    """The codes of a layer: a bit string, cut into numbers."""
    if count == 0:  # all weights are pinned or zero
        assert f"{name}.free" not in tensors
        return []
    bits, stored = line["grid"][0], tensors[f"{name}.free"].tobytes()
    way = line.get("coding", {}).get("free", "packed")
    plain = stored if way == "packed" else zlib.decompress(stored)
    if way == "bytes":
        planes = [plain[n * count : (n + 1) * count] for n in range(-(-bits // 8))]
        return [sum(byte << 8 * n for n, byte in enumerate(code)) for code in zip(*planes)]  # noqa: B905
    text = "".join(f"{byte:08b}" for byte in plain)
    return [int(text[k * bits : (k + 1) * bits][::-1], 2) for k in range(count)]


def middles_in(line, name, tensors, codes, rows):
    """The middle of each code's cell, float32: of one grid, or of each row's own."""
    bits, *ends = line["grid"]
    codes = np.array(codes, np.float64)
    if ends:
        low, high = ends
        return (low + (codes + 0.5) * (high - low) / 2**bits).astype(np.float32)
    reaches = tensors[f"{name}.reaches"].astype(np.float64)[:, None]
    centres = np.zeros_like(reaches)
    if f"{name}.centres" in tensors:
        centres = tensors[f"{name}.centres"].astype(np.float64)[:, None]
    step = 2 * reaches / 2**bits
    return (centres - reaches + (codes.reshape(rows, -1) + 0.5) * step).astype(np.float32).ravel()
