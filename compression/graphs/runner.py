"""ONNX graphs run by ONNX Runtime, in the child process alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..errors import NotApplicableError
from ..low_rank.calibration import RunningMoments

ROWS = 32
BLOCK = 256
_NUMBERS_AT_ONCE = 2**24
_LENGTHS = (8, 32, 224)  # tried in turn for axes whose length the graph leaves open
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
CANNOT = "the graph could not be run on inputs made up for it: judge it with data of its own"


def open_session(content: bytes) -> onnxruntime.InferenceSession:
    """A session of one thread that says nothing.

    Raises
    ------
    NotApplicableError
        ONNX Runtime does not take the graph, or it holds a loop that may go on for ever.
    """
    if b"Loop" in content:
        from .onnx_file import check_loops  # import it here: few graphs have loops

        check_loops(content)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library has no common base of its own errors
        raise NotApplicableError(
            "ONNX Runtime does not take this graph: it needs other operators or another opset"
        ) from error


def run(session: onnxruntime.InferenceSession, inputs: dict[str, NDArray]) -> NDArray:
    """The first output of a floating type, as float64.

    Raises
    ------
    NotApplicableError
        The inputs do not fit, or there is no such output.
    """
    for output in _run_all(session, inputs):
        if isinstance(output, np.ndarray) and output.dtype.kind == "f" and output.size:
            return output.astype(np.float64)
        if isinstance(output, list) and output and isinstance(output[0], dict):
            # scikit-learn's graphs give maps from class to probability
            return np.array([list(line.values()) for line in output], dtype=np.float64)
    raise NotApplicableError("the graph has no output of floating numbers to compare")


def _run_all(session: onnxruntime.InferenceSession, inputs: dict[str, NDArray]) -> list[Any]:
    try:
        return list(session.run(None, inputs))
    except Exception as error:  # as above
        raise NotApplicableError(CANNOT) from error


def compare(before: bytes, after: bytes) -> dict[str, Any]:
    """Outputs of two graphs for the same random inputs.

    Returns
    -------
    dict
        rows; relative (‖y − ŷ‖ / ‖y‖); largest (|y − ŷ|); same (share of rows whose largest
        output is at the same place, None where that says nothing); inputs (in words).
    """
    first, second = open_session(before), open_session(after)
    last: NotApplicableError | None = None
    for length in _LENGTHS:
        try:
            inputs = draw_inputs(first, length)
            y, other = run(first, inputs), run(second, inputs)
        except NotApplicableError as error:
            last = error
            continue
        if y.shape != other.shape or not np.isfinite(y).all():
            raise NotApplicableError("the outputs for random inputs are not finite")
        norm = float(np.linalg.norm(y))
        ranked = y.ndim == 2 and 1 < y.shape[1] <= 10_000
        return {
            "rows": len(y),
            "relative": float(np.linalg.norm(y - other)) / norm if norm else 0.0,
            "largest": float(np.abs(y - other).max()),
            "same": float((y.argmax(1) == other.argmax(1)).mean()) if ranked else None,
        }
    raise last or NotApplicableError(CANNOT)


def describe_inputs(content: bytes) -> list[dict[str, Any]]:
    """Name and shape of each input; an axis that is left open has its name, or None."""
    session = open_session(content)
    return [{"name": value.name, "shape": list(value.shape)} for value in session.get_inputs()]


def predict(content: bytes, x: NDArray) -> NDArray:
    """What a graph of one input gives for samples, in blocks of as many as it takes."""
    session = open_session(content)
    value, fixed = _find_only_input(session)
    x = x.astype(_TYPES[value.type])
    block = fixed if fixed > 0 else BLOCK
    parts = []
    for start in range(0, len(x), block):
        part = x[start : start + block]
        short = (block - len(part)) if fixed > 0 else 0
        # Fill up the last block for a graph with a fixed number of rows.
        full = np.concatenate([part, np.repeat(part[-1:], short, axis=0)])
        outputs = run(session, {value.name: full})
        if len(outputs) != len(full):
            raise NotApplicableError(
                f"the graph gives {len(outputs)} rows for {len(full)} samples: it does not treat "
                "them one by one"
            )
        parts.append(outputs[: len(part)])
    return np.concatenate(parts)


def measure_products(
    content: bytes, x: NDArray, axes: list[tuple[int, int]]
) -> list[RunningMoments]:
    """Moments of what a graph of one input gives over samples.

    Parameters
    ----------
    content : bytes
    x : ndarray, shape (rows, ...)
    axes : list of (int, int)
        Of each output: the place of the moments that it counts for, and the axis whose numbers
        belong together; all other axes are samples.

    Raises
    ------
    NotApplicableError
        The graph cannot be run on these samples.
    """
    moments = [RunningMoments() for _ in range(1 + max(place for place, _ in axes))]
    for (outputs,) in _run_blocks([open_session(content)], x):
        for output, (place, axis) in zip(outputs, axes, strict=True):
            moments[place].add(_as_rows(output, axis))
    return moments


def measure_pairs(
    first: bytes, second: bytes, x: NDArray, axes: list[tuple[int, int]]
) -> RunningMoments:
    """Moments of what two graphs of one input give for the same samples, side by side.

    Parameters
    ----------
    first, second : bytes
        Graphs of as many outputs each.
    x : ndarray, shape (rows, ...)
    axes : list of (int, int)
        Of each pair of outputs: the axes whose numbers belong together; all others are samples.

    Raises
    ------
    NotApplicableError
        A graph cannot be run on these samples.
    """
    moments = RunningMoments()
    for pair in _run_blocks([open_session(first), open_session(second)], x):
        for *outputs, ends in zip(*pair, axes, strict=True):
            rows = [_as_rows(output, axis) for output, axis in zip(outputs, ends, strict=True)]
            moments.add(np.concatenate(rows, axis=1))
    return moments


def _run_blocks(
    sessions: list[onnxruntime.InferenceSession], x: NDArray
) -> Iterator[list[list[Any]]]:
    """All outputs of graphs of the same input, block by block: as many rows as memory has room for."""
    value, fixed = _find_only_input(sessions[0])
    x = x.astype(_TYPES[value.type])
    start = {value.name: np.resize(x, (fixed or 1, *x.shape[1:]))}
    numbers = sum(output.size for each in sessions for output in _run_all(each, start))
    block = fixed or int(np.clip(_NUMBERS_AT_ONCE // max(numbers, 1), 1, BLOCK))
    for begin in range(0, len(x), block):
        part = x[begin : begin + block]
        if fixed and len(part) < fixed:
            if begin:
                break  # rows given twice would count twice
            part = np.resize(part, (fixed, *x.shape[1:]))
        yield [_run_all(each, {value.name: part}) for each in sessions]


def _as_rows(output: NDArray, axis: int) -> NDArray:
    return np.moveaxis(output, axis, -1).reshape(-1, output.shape[axis])


def _find_only_input(session: onnxruntime.InferenceSession) -> tuple[Any, int]:
    """The one input that takes samples, and the number of rows that it is made for (0: any)."""
    value, *others = session.get_inputs()
    if others or value.type not in _TYPES:
        raise NotApplicableError(f"the graph takes {1 + len(others)} inputs, and samples are one")
    fixed = value.shape[0] if value.shape and isinstance(value.shape[0], int) else 0
    return value, max(fixed, 0)


def time_graphs(graphs: dict[str, bytes], x: NDArray, rounds: int) -> list[dict[str, Any]]:
    """Seconds a call of each graph, in turns; see :func:`compression.latency.time_sessions`.

    Samples are repeated to fill a batch. A graph for a fixed number of rows is timed with that.
    """
    from ..latency import BATCHES, time_sessions

    sessions = {name: open_session(content) for name, content in graphs.items()}
    value, fixed = _find_only_input(next(iter(sessions.values())))
    batches = (fixed,) if fixed > 0 else BATCHES
    rows = np.resize(np.arange(len(x)), max(batches))
    samples: NDArray = np.ascontiguousarray(x[rows].astype(_TYPES[value.type]))
    for session in sessions.values():
        run(session, {value.name: samples[: batches[0]]})
    table = time_sessions(sessions, samples, batches, rounds=rounds)
    return table.to_dict("records")


def draw_inputs(session: onnxruntime.InferenceSession, length: int) -> dict[str, NDArray]:
    """Normal numbers, small indices, and ones for masks, of the shapes that the graph asks for."""
    rng = np.random.default_rng(0)
    inputs: dict[str, NDArray] = {}
    for value in session.get_inputs():
        if value.type not in _TYPES:
            raise NotApplicableError(CANNOT)
        shape = [
            axis if isinstance(axis, int) and axis > 0 else (ROWS if place == 0 else length)
            for place, axis in enumerate(value.shape)
        ]
        if np.prod(shape, dtype=float) > 2**24:
            raise NotApplicableError(CANNOT)
        kind = _TYPES[value.type]
        if "mask" in value.name or kind is np.bool_:
            inputs[value.name] = np.ones(shape, kind)
        elif np.issubdtype(kind, np.integer):
            most = 2 if "type" in value.name else 100
            inputs[value.name] = rng.integers(0, most, shape).astype(kind)
        else:
            inputs[value.name] = rng.standard_normal(shape).astype(kind)
    return inputs
