"""The app's server, started as the README starts it, for tests and benchmarks."""

import contextlib
import os
import re
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
STREAMLIT = Path(sysconfig.get_path("scripts")) / "streamlit"
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running app: where it answers, its process, and the file of what its terminal shows."""

    address: str
    pid: int
    log: Path

    def workers(self) -> list[int]:
        """Process ids of its workers, found as its children."""
        listing = subprocess.run(
            ["pgrep", "-P", str(self.pid), "-f", "LokyProcess"], capture_output=True, text=True
        )
        return [int(pid) for pid in listing.stdout.split()]


def read_commands(readme: Path = ROOT / "README.md") -> list[str]:
    """The commands of the README's section "Run it", in their order; the last starts the server."""
    text = readme.read_text(encoding="utf-8")
    block = re.search(r"^## Run it$.*?^```bash\n(.*?)\n```", text, re.MULTILINE | re.DOTALL)
    if block is None:
        raise ValueError(f"{readme} has no bash block below the line '## Run it'")
    return block[1].split(" && ")


@contextlib.contextmanager
def serve_app(
    folder: Path = ROOT,
    streamlit: Path = STREAMLIT,
    log: Path = Path(os.devnull),
    store: str = "none",
    script: str = "app.py",
) -> Iterator[Server]:
    """A cold server of a folder's app, up but not asked for a page yet.

    ``store``: URL of the database that results are kept in; by default everything is computed.

    No option but those that a machine needs which runs several and has no screen: what a test or
    a benchmark sees is then what somebody who follows the README sees.

    Raises
    ------
    RuntimeError
        The server ended, or did not answer within a minute; with what it said.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = {"port": port, "address": "127.0.0.1", "headless": "true"}
    command = [str(streamlit), "run", script]
    command += [f"--server.{name}={value}" for name, value in options.items()]
    with log.open("w") as terminal:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=terminal,
            stderr=subprocess.STDOUT,
            env=_read_environment() | {"COMPRESS_STORE": store},
        )
    server = Server(f"http://127.0.0.1:{port}", process.pid, log)
    try:
        _wait_for_health(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _read_environment() -> dict[str, str]:
    """This process's, as a person has it: Python keeps what it has compiled."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _wait_for_health(server: Server, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"{server.address}/_stcore/health") as answer,
        ):
            if answer.read() == b"ok":
                return
        time.sleep(0.05)
    raise RuntimeError(
        f"no Streamlit server answered at {server.address}: {server.log.read_text()}"
    )
