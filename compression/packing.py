"""Numbers as a model file keeps them: arrays of their bits, and codes of a few bits each."""

import zlib
from functools import lru_cache

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
    # Unpack a part at a time: unpacked bits take many times the memory.
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


# Ways to store a sequence of codes.
PACKED = "packed"
DEFLATED = "zlib"  # the packed bits, deflated
PLANES = "bytes"  # a byte of each code, then the next byte of each, deflated
_NOTE_BYTES = 24  # bytes of the note that says which way


def pack_shortest(codes: NDArray[np.unsignedinteger], bits: int) -> tuple[NDArray[np.uint8], str]:
    """Codes of so many bits each in the fewest bytes, and which of the three ways that is."""
    packed = pack(codes, bits)
    best, way = packed, PACKED
    candidates = {DEFLATED: packed}
    if bits not in (1, 2, 4, 8):  # otherwise codes would start inside bytes
        candidates[PLANES] = _split_planes(codes, bits)
    for name, plain in candidates.items():
        deflated = np.frombuffer(_deflate(plain.tobytes()), np.uint8)
        if len(deflated) + (_NOTE_BYTES if way == PACKED else 0) < len(best):
            best, way = deflated, name
    return best, way


def expand(stored: NDArray[np.uint8], bits: int, count: int, way: str) -> NDArray[np.uint16]:
    """``count`` codes of what :func:`pack_shortest` gave; ValueError where the bytes are none of these.

    Never takes more memory than so many codes do, whatever the bytes say.
    """
    if way == PACKED:
        return unpack(stored, bits, count)
    if way == DEFLATED:
        return unpack(inflate(stored, -(-count * bits // 8)), bits, count)
    if way != PLANES:
        raise ValueError("coding")
    planes = inflate(stored, count * -(-bits // 8)).reshape(-1, count).astype(np.uint16)
    codes = np.zeros(count, np.uint16)
    for number, plane in enumerate(planes):
        codes |= plane << np.uint16(8 * number)
    if codes.max(initial=0) >= 1 << bits:
        raise ValueError("codes")
    return codes


def _deflate(plain: bytes) -> bytes:
    """The shorter of two: with repetitions, and with the frequencies of the bytes alone.

    Few different bytes in no order repeat each other by chance, and to say where costs more.
    """
    return _deflate_again(plain) if len(plain) <= _KEPT_BYTES else _deflate_anew(plain)


def _deflate_anew(plain: bytes) -> bytes:
    ways = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        stream = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
        ways.append(stream.compress(plain) + stream.flush())
    return min(ways, key=len)


# Networks in several numbers of bits share their maps.
_KEPT_BYTES = 1 << 18
_deflate_again = lru_cache(maxsize=64)(_deflate_anew)


def _split_planes(codes: NDArray[np.unsignedinteger], bits: int) -> NDArray[np.uint8]:
    return np.concatenate([(codes >> (8 * n)).astype(np.uint8) for n in range(-(-bits // 8))])


def inflate(stored: NDArray[np.uint8], length: int, exact: bool = True) -> NDArray[np.uint8]:
    """Deflated bytes again, ``length`` of them (at most, where not exact); ValueError otherwise."""
    if stored.dtype != np.uint8 or stored.ndim != 1:
        raise ValueError("deflated")
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(stored.tobytes(), length + 1)
    except zlib.error as error:
        raise ValueError("deflated") from error
    if not stream.eof or stream.unused_data or len(plain) > length:
        raise ValueError("deflated")
    if exact and len(plain) != length:
        raise ValueError("deflated")
    return np.frombuffer(plain, np.uint8)
