"""Files that are named on the command line, as bytes by their bare names."""

from collections.abc import Sequence
from pathlib import Path

from ..errors import ArgumentError
from ..graphs.limits import MAX_FILE_BYTES


def read_files(paths: Sequence[Path]) -> dict[str, bytes]:
    """Name -> content; the ``.data`` beside an ONNX graph comes along.

    Raises
    ------
    ArgumentError
        Two files have one name, or one is larger than is read.
    OSError
        A file is not there.
    """
    wanted = list(paths)
    for path in paths:
        beside = path.with_name(f"{path.name}.data")
        if path.suffix.lower() == ".onnx" and beside.is_file() and beside not in wanted:
            wanted.append(beside)
    files: dict[str, bytes] = {}
    for path in wanted:
        if path.name in files:
            raise ArgumentError(f"two files are named {path.name}: give each once")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ArgumentError(f"{path.name} is larger than {MAX_FILE_BYTES // 2**20} MB")
        files[path.name] = path.read_bytes()
    return files
