"""Is the app quick and its terminal quiet where the README was followed to the letter?"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from .app_first_paint import BARE, COLD, wait_for_charts
from .browser import open_browser, open_page, wait_until_idle, write_bare_app
from .server import ROOT, read_commands, serve_app
from .table import Row


def rows() -> Iterator[Row]:
    """What is committed, cloned, with its environment inside, as the README's command makes it."""
    *install, start = read_commands()
    with tempfile.TemporaryDirectory() as place:
        clone, bare = Path(place) / "clone", Path(place) / "bare"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        for command in install:
            subprocess.run(command, shell=True, cwd=clone, check=True, stdout=subprocess.DEVNULL)
        streamlit = clone / start.removesuffix(" run app.py")
        bare.mkdir()
        write_bare_app(bare, BARE)
        _first_visit(clone, streamlit, Path(place) / "first.txt")  # Python compiles its packages
        seconds, said = _first_visit(clone, streamlit, Path(place) / "clone.txt")
        _, peers = _first_visit(bare, streamlit, Path(place) / "bare.txt", charts=False)
    yield Row(
        "README's command in a fresh clone, until all charts",
        f"{seconds:.2f} s",
        f"{COLD:g} s, the limit",
        seconds / COLD,
        f"≤ {COLD:g} s",
        seconds <= COLD,
    )
    if len(said) > len(peers):
        print(*said, sep="\n", file=sys.stderr)
    noise = sum("inotify" in line.lower() for line in said)
    yield Row(
        "the same, lines in the terminal",
        f"{len(said)}, {noise} of inotify",
        f"{len(peers)}, a bare page",
        len(said) / len(peers),
        "≤ 1",
        len(said) <= len(peers) and not noise,
    )


def _first_visit(
    folder: Path, streamlit: Path, log: Path, charts: bool = True
) -> tuple[float, list[str]]:
    """Seconds from the command to all charts, and the lines in the terminal when all is idle."""
    start = time.perf_counter()
    with (
        open_browser() as browser,
        serve_app(folder, streamlit, log) as server,
        open_page(browser) as page,
    ):
        page.goto(server.address, wait_until="commit")
        if charts:
            wait_for_charts(page)
        seconds = time.perf_counter() - start
        wait_until_idle(page)
        return seconds, [line for line in log.read_text().splitlines() if line.strip()]
