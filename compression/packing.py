"""Numbers as a model file keeps them: arrays of their bits, and codes of a few bits each."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_PART = 1 << 16  # values; a multiple of 8, so that each part begins with a whole byte


def bits_of(count: int) -> int:
    """Bits that tell so many things apart."""
    return (count - 1).bit_length()


def pack(values: NDArray[np.unsignedinteger], bits: int) -> NDArray[np.uint8]:
    """``bits`` bits of each value, one after the other."""
    unpacked = (values.reshape(-1, 1) >> np.arange(bits, dtype=values.dtype)) & 1
    return np.packbits(unpacked.astype(np.uint8))


def unpack(packed: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint16]:
    """``count`` values of so many bits each; ValueError where the bytes are not as many."""
    if packed.shape != (-(-count * bits // 8),):
        raise ValueError("bits")
    values = np.empty(count, np.uint16)
    # A part at a time: while they are unpacked, the bits take many times their place.
    for start in range(0, count, _PART):
        part = packed[start * bits // 8 : -(-(start + _PART) * bits // 8)]
        number = min(_PART, count - start)
        unpacked = np.unpackbits(part, count=number * bits).reshape(number, bits)
        shifted = unpacked.astype(np.uint16) << np.arange(bits, dtype=np.uint16)
        values[start : start + number] = shifted.sum(axis=1, dtype=np.uint16)
    return values


def to_array(tensor: torch.Tensor) -> NDArray:
    """A tensor's bits as NumPy holds them: bfloat16, which it has not, as whole numbers."""
    values = tensor.detach().cpu().contiguous()
    return (values.view(torch.int16) if values.dtype == torch.bfloat16 else values).numpy()


def to_parameter(array: NDArray, dtype: str) -> nn.Parameter:
    """The parameter of such bits; ValueError where the array is not of that type."""
    if array.dtype != (np.int16 if dtype == "bfloat16" else np.dtype(dtype)):
        raise ValueError("dtype")
    values = torch.from_numpy(array.copy())
    return nn.Parameter(values.view(torch.bfloat16) if dtype == "bfloat16" else values)
