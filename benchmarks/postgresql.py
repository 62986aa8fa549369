"""A PostgreSQL of this machine for as long as it is asked for."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_programs() -> Path | None:
    """The folder of PostgreSQL's own programs: Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(on_path).parent if on_path else programs[-1].parent if programs else None


@contextmanager
def serve_postgresql(programs: Path, sync: bool = True) -> Iterator[str]:
    """The URL of an empty database, reached by a socket in a folder of its own.

    ``sync``: whether it waits for the disk, as people run it.
    """
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has to be short
    account: dict = {}
    if os.getuid() == 0:  # as whom it refuses to run
        other = pwd.getpwnam("nobody")
        os.chown(folder, other.pw_uid, other.pw_gid)
        account = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}

    def call(program: str, *arguments: object) -> None:
        subprocess.run(
            [programs / program, "-D", folder / "data", *map(str, arguments)],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **account,
        )

    try:
        call("initdb", "--no-sync", "-A", "trust", "-U", "own", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"{'' if sync else '-F '}-k {folder} -c listen_addresses=''"
        call("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql+psycopg://own@/postgres?host={folder}"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
