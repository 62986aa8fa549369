"""One layer's weight in the fewest bytes: states and free values, or the plain numbers.

What is no number of its own (+c, −c, 0) is kept by its state, as a map of a few bits a weight or
by the places of those that are not in the usual state; a quantised value by its code. Maps, places
and codes are deflated where that is shorter; numbers never are.
"""

import itertools
import json
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalog import CONSTRAINTS, find
from .grid import FEW_BITS, AnyGrid, ChannelGrid, Grid
from .network import LayerBound
from .packing import PACKED, bits_of, expand, inflate, pack, pack_shortest, unpack
from .weight_states import FREE, LOWER, UPPER, WeightState

LARGEST_EXPANSION = 256
"""Bytes that a byte of a file may stand for, in a network that is not small."""
_LARGE_BYTES = 1 << 20  # LARGEST_EXPANSION applies to layers above this size
_TENSOR_BYTES = 64  # of a tensor's line in the header
_STATES = [  # every set of states that a layer may have, ascending
    sorted(kinds) for count in range(1, 5) for kinds in itertools.combinations(WeightState, count)
]
_ESCAPE = 255  # 255 usual weights, and the next byte continues the gap

Line = dict[str, Any]
Tensors = dict[str, NDArray]
Stored = tuple[Line, Tensors]
"""Entries of a layer's line in the file's structure, and its tensors by their last names."""


def states(weight: NDArray, bounded: LayerBound) -> NDArray[np.int8]:
    """Which weights are no numbers of their own: FREE, UPPER (+c), LOWER (−c) or ZERO."""
    return (
        find(CONSTRAINTS, bounded.constraint, "constraint set")
        .load()()
        .states(weight, bounded.bound)
    )


def encode(weight: NDArray, bounded: LayerBound | None, grid: AnyGrid | None) -> Stored:
    """The shortest form of a weight that has a bound, a grid or both.

    A grid that the free weights are not (or no longer) on is left out.
    """
    state_map = np.zeros(weight.shape, np.int8) if bounded is None else states(weight, bounded)
    free = weight if bounded is None else weight[state_map == FREE]
    codes = None
    if grid is not None:
        codes = grid.codes(free)
        if grid.values(codes, free.dtype).tobytes() != free.tobytes():
            grid = codes = None
    noted = _note_grid(grid)
    plain = noted[0], noted[1] | {"weight": weight}
    whole = _join(
        noted, min(_list_maps(state_map), key=_measure_length), _store_values(free, codes, grid)
    )
    if weight.nbytes > _LARGE_BYTES and _measure_length(whole) * LARGEST_EXPANSION < weight.nbytes:
        # Store plainly here: a small file must stand for a small network.
        least = 1 if bounded is None else 2
        whole = _join(
            noted, _store_plain_map(state_map, least), _store_values(free, codes, grid, few=False)
        )
    return min(plain, whole, key=_measure_length)


def _note_grid(grid: AnyGrid | None) -> Stored:
    if isinstance(grid, ChannelGrid):
        ends = {"reaches": np.array(grid.reaches, np.float32)}
        if grid.centres:
            ends["centres"] = np.array(grid.centres, np.float32)
        return {"grid": [grid.bits]}, ends
    return {} if grid is None else {"grid": [grid.bits, grid.low, grid.high]}, {}


def _join(*parts: Stored) -> Stored:
    line: Line = {}
    tensors: Tensors = {}
    for entries, arrays in parts:
        ways = line.get("coding", {}) | entries.get("coding", {})
        line |= entries | ({"coding": ways} if ways else {})
        tensors |= arrays
    return line, tensors


def _measure_length(stored: Stored) -> int:
    line, tensors = stored
    # The header holds the structure as text within text, with escaped quotes.
    noted = len(json.dumps(json.dumps(line)))
    return noted + sum(array.nbytes + _TENSOR_BYTES for array in tensors.values())


def _store_sequence(name: str, codes: NDArray, bits: int, few: bool = True) -> Stored:
    """Codes as one tensor, which is left out where they need no bits."""
    if not bits or not codes.size:
        return {}, {}
    stored, way = pack_shortest(codes, bits) if few else (pack(codes, bits), PACKED)
    return {} if way == PACKED else {"coding": {name: way}}, {name: stored}


def _store_values(
    free: NDArray, codes: NDArray | None, grid: AnyGrid | None, few: bool = True
) -> Stored:
    if grid is not None and codes is not None:
        return _store_sequence("free", codes.ravel(), grid.bits, few)
    return {}, {"free": free.ravel()} if free.size else {}


def _store_plain_map(state_map: NDArray, least: int = 1) -> Stored:
    """A few packed bits for each weight's state; bits for at least so many states."""
    kinds = np.unique(state_map).tolist()
    if len(kinds) < least:
        kinds = [kinds[0], kinds[0] + 1] if kinds[0] == 0 else [kinds[0] - 1, kinds[0]]
    codes = np.searchsorted(kinds, state_map.ravel()).astype(np.uint8)
    return _join(
        ({"states": kinds}, {}), _store_sequence("map", codes, bits_of(len(kinds)), few=False)
    )


def _list_maps(state_map: NDArray) -> list[Stored]:
    """Ways to say which weight is in which state."""
    kinds, counts = np.unique(state_map, return_counts=True)
    ways = [_store_plain_map(state_map)]
    if len(kinds) > 1:
        head: Stored = ({"states": kinds.tolist()}, {})
        codes = np.searchsorted(kinds, state_map.ravel()).astype(np.uint8)
        ways.append(_join(head, _store_sequence("map", codes, bits_of(len(kinds)))))
        usual = kinds[np.argmax(counts)]
        others = np.delete(kinds, np.argmax(counts))
        unusual = state_map.ravel()[state_map.ravel() != usual]
        marks = np.searchsorted(others, unusual).astype(np.uint8)
        ways.append(
            _join(
                ({"states": kinds.tolist(), "usual": int(usual)}, {}),
                _store_sequence("gaps", _count_gaps(state_map.ravel() != usual), 8),
                _store_sequence("marks", marks, bits_of(len(others))),
            )
        )
    return ways


def _count_gaps(unusual: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """How many usual weights stand before each unusual one, in bytes."""
    between = np.diff(np.flatnonzero(unusual), prepend=-1) - 1
    ends = np.cumsum(between // _ESCAPE + 1) - 1
    gaps = np.full(ends[-1] + 1, _ESCAPE, np.uint8)
    gaps[ends] = between % _ESCAPE
    return gaps


def _find_places(gaps: NDArray[np.uint16], count: int) -> NDArray[np.bool_]:
    """Which of so many weights are unusual; ValueError where the gaps lead beyond them."""
    if not len(gaps) or gaps[-1] == _ESCAPE:
        raise ValueError("gaps")
    ends = gaps != _ESCAPE
    places = np.cumsum(gaps, dtype=np.int64)[ends] + np.arange(ends.sum())
    if places[-1] >= count:
        raise ValueError("gaps")
    unusual = np.zeros(count, bool)
    unusual[places] = True
    return unusual


class WeightReader:
    """The parts of one layer's weight, from its line and its tensors; each is taken once.

    Its methods raise ValueError, KeyError or TypeError where they do not fit each other.
    """

    def __init__(self, line: Line, name: str, tensors: Tensors, shape: tuple[int, ...]):
        self._line, self._name, self._tensors, self._shape = line, name, tensors, shape
        self.grid = self._read_grid()

    def weight(self, dtype: np.dtype) -> NDArray:
        """The weight of a line that has states."""
        count = prod(self._shape)
        state_map = self._read_states(count)
        weight = np.zeros(count, dtype)
        if "set" in self._line:
            bound = dtype.type(self._line["c"])
            weight[state_map == UPPER] = bound
            weight[state_map == LOWER] = -bound
        elif state_map.any():
            raise ValueError("states")
        places = state_map == FREE
        if places.any():
            weight[places] = self._read_free(int(places.sum()), dtype)
        return weight.reshape(self._shape)

    def _take(self, name: str) -> NDArray:
        return self._tensors.pop(f"{self._name}.{name}")

    def _read_codes(self, name: str, bits: int, count: int) -> NDArray[np.uint16]:
        if not bits:
            return np.zeros(count, np.uint16)
        way = self._line.get("coding", {}).get(name, PACKED)
        return expand(self._take(name), bits, count, way)

    def _read_states(self, count: int) -> NDArray[np.uint8]:
        line = self._line
        if line["states"] not in _STATES:
            raise ValueError("states")
        kinds = np.array(line["states"], np.uint8)
        if "usual" not in line:
            return kinds[self._read_codes("map", bits_of(len(kinds)), count)]
        others = kinds[kinds != line["usual"]]
        if len(others) != len(kinds) - 1 or not len(others):
            raise ValueError("usual")
        gaps = self._take("gaps")
        if "gaps" in line.get("coding", {}):
            gaps = inflate(gaps, count + count // _ESCAPE + 1, exact=False)
        unusual = _find_places(unpack(gaps, 8, len(gaps)), count)
        state_map = np.full(count, line["usual"], np.uint8)
        state_map[unusual] = others[
            self._read_codes("marks", bits_of(len(others)), int(unusual.sum()))
        ]
        return state_map

    def _read_free(self, count: int, dtype: np.dtype) -> NDArray:
        if self.grid is not None:
            codes = self._read_codes("free", self.grid.bits, count)
            if isinstance(self.grid, ChannelGrid):
                codes = codes.reshape(self._shape)
            return self.grid.values(codes, dtype).ravel()
        free = self._take("free")
        if free.dtype != dtype or free.ndim != 1 or len(free) != count:
            raise ValueError("free values")
        return free

    def _read_grid(self) -> AnyGrid | None:
        if "grid" not in self._line:
            return None
        bits, *ends = self._line["grid"]
        if type(bits) is not int or bits not in FEW_BITS:
            raise ValueError("grid")
        if ends:
            low, high = ends
            if not -inf < low <= high < inf:
                raise ValueError("grid")
            return Grid(bits, low, high)
        reaches = self._take_ends("reaches")
        centres: tuple[float, ...] = ()
        if f"{self._name}.centres" in self._tensors:
            centres = self._take_ends("centres")
        if min(reaches, default=0.0) < 0:
            raise ValueError("grid")
        return ChannelGrid(bits, reaches, centres)

    def _take_ends(self, name: str) -> tuple[float, ...]:
        """A finite number for each row."""
        ends = self._take(name)
        if ends.dtype != np.float32 or ends.shape != self._shape[:1] or not np.isfinite(ends).all():
            raise ValueError("grid")
        return tuple(ends.astype(float).tolist())
