"""A file that appears whole or not at all, and one that is read whole."""

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from .errors import StorageError

STALE_SECONDS = 600
"""A temporary file that nobody wrote to for so long was left by a killed process."""

PARTIAL_ENDING = ".compression-partial"


def write_whole(content: bytes, path: Path) -> None:
    """Write a file next to its place, then put it there; remove what killed writers left.

    The mode follows the umask. Raises OSError where the folder cannot be written; an older file
    then stays as it was.
    """
    _sweep(path.parent)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(8)}{PARTIAL_ENDING}"
    try:
        # Open the file by hand, so that its mode follows the umask like any other file's.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_whole(path: str | os.PathLike) -> bytes:
    """A file's bytes; raises StorageError where it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StorageError(
            f"{path} cannot be read ({error.strerror}): give a file that is there"
        ) from None


def _sweep(folder: Path) -> None:
    """Remove what a killed writer left in a folder: nothing else, and nothing still written."""
    for file in folder.glob(f".*{PARTIAL_ENDING}"):
        with contextlib.suppress(OSError):
            ours = re.fullmatch(rf"\..+\.[0-9a-f]{{16}}{re.escape(PARTIAL_ENDING)}", file.name)
            if ours and time.time() - file.lstat().st_mtime > STALE_SECONDS:
                file.unlink()
