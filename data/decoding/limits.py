"""What a file may hold, and what its reader may use."""

import contextlib
import os
import resource
import signal

MOST_BYTES = 200 * 2**20  # of one file
MOST_COLUMNS = 10_000
MOST_CELLS = 50_000_000  # cells kept; of a larger table a sample is kept
MOST_DECLARED_CELLS = 300_000_000  # cells that are read
MOST_UNPACKED = 800 * 2**20  # bytes of arrays
MOST_MEMBERS = 100  # arrays in a file
MOST_ROW_GROUPS = 20_000
LONGEST_LINE = 2**20  # bytes
LONGEST_TEXT = 100_000  # bytes of one cell
LONGEST_NAME = 100  # characters
MEMORY = 600 * 2**20  # bytes for reading, besides five times the file
SECONDS = 8  # of processor time, besides one for every 10 MB


class Refusal(Exception):  # noqa: N818
    """A file cannot be used: one sentence on what was seen and what to do."""


def seconds_for(size: int) -> int:
    """Processor seconds that reading a file of so many bytes may take."""
    return SECONDS + size // 10_000_000


def limit_process(size: int) -> None:
    """Bound memory, time and files of this process, and let it end with the one that started it."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    with contextlib.suppress(OSError):
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        most = taken + MEMORY + 5 * size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    seconds = seconds_for(size)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**31, 2**31))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def clean_names(names: list[str]) -> tuple[list[str], list[str]]:
    """Names that can be shown and told apart, and remarks on those that were changed."""
    cleaned: list[str] = []
    remarks: list[str] = []
    taken = set(names)
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        clean = "".join(letter if letter.isprintable() else " " for letter in name).strip()
        clean = clean[:LONGEST_NAME] or f"column {number}"
        if clean in seen:
            again = next(
                other
                for n in range(2, len(names) + 2)
                if (other := f"{clean} ({n})") not in taken and other not in seen
            )
            if len(remarks) < 5:
                remarks.append(f"Another column is named {clean!r}: it is {again!r} here.")
            clean = again
        seen.add(clean)
        cleaned.append(clean)
    return cleaned, remarks
