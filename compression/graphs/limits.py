"""What a file from a stranger may ask for, and how its names are shown."""

from collections.abc import Mapping

from ..errors import StorageError

MAX_FILE_BYTES = 256 * 2**20
MAX_TENSORS = 20_000
MAX_NODES = 50_000
MAX_DEPTH = 8
MAX_TURNS = 100_000
"""Of a loop in a graph that is run."""
MAX_HEADER_BYTES = 8 * 2**20
MAX_NAME_LENGTH = 1_000
MAX_AXES = 16
LARGEST_LAYER = 4_096
"""Numbers that a layer takes and gives at one place, where its weight is to be refitted."""

CHILD_BYTES = 2**30
CHILD_CPU_SECONDS = 8
RUN_CPU_SECONDS = 60
"""Of a graph that is run on all rows of a dataset."""
BUSY_MACHINE = 8
"""Seconds that a second of processor time may take before a process is ended anyway."""


def show(name: object) -> str:
    """A name out of a file, quoted and short, with what is no letter escaped."""
    text = str(name)
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")


def check_files(files: Mapping[str, bytes]) -> None:
    """Raise StorageError where there is nothing to read, or too much."""
    if not files:
        raise StorageError("there is no file: give one, by its name")
    for name, content in files.items():
        if not isinstance(content, (bytes, bytearray, memoryview)) or not isinstance(name, str):
            raise StorageError("files are given as a mapping of names to bytes")
        if len(content) == 0:
            raise StorageError(f"{show(name)} is empty: take another copy of the file")
    length = sum(len(content) for content in files.values())
    if length > MAX_FILE_BYTES:
        raise StorageError(
            f"the model has {length / 2**20:,.0f} MB: up to {MAX_FILE_BYTES // 2**20} MB are read"
        )


def check_names(names: Mapping[str, object] | list[str], what: str, limit: int) -> None:
    """Raises StorageError for too many names, or one that nobody would give."""
    if len(names) > limit:
        raise StorageError(f"the file holds {len(names):,} {what}: up to {limit:,} are read")
    for name in names:
        if len(name) > MAX_NAME_LENGTH:
            raise StorageError(
                f"a name of {len(name):,} characters stands in the file: up to "
                f"{MAX_NAME_LENGTH:,} are read"
            )
