"""A database of each kind for whoever asks for its URL; PostgreSQL is started for these tests."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sql


def find_programs() -> Path | None:
    """The folder of PostgreSQL's own programs: Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(on_path).parent if on_path else found[-1].parent if found else None


@pytest.fixture(scope="session")
def cluster():
    """URL of a PostgreSQL of this session, on a socket in a folder of its own; no other network."""
    if (programs := find_programs()) is None:
        reason = "PostgreSQL's initdb is neither on the PATH nor in /usr/lib/postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    folder, account = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), {}
    if os.getuid() == 0:  # as whom it refuses to run
        other = pwd.getpwnam("nobody")
        os.chown(folder, other.pw_uid, other.pw_gid)
        account = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}

    def call(program, *arguments):
        subprocess.run(
            [programs / program, "-D", folder / "data", *arguments],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            **account,
        )

    try:
        call("initdb", "--no-sync", "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale=C.UTF-8")
        options = f"-F -k {folder} -c listen_addresses=''"
        call("pg_ctl", "-w", "-l", folder / "log", "-o", options, "start")
        yield f"postgresql+psycopg://tests@/postgres?host={folder}"
        call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(url, statement):
    """Do something to a database behind the store's back; the rows that it gives."""
    engine = sql.create_engine(url, poolclass=sql.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(statement)
        return result.fetchall() if result.returns_rows else []


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'results.db'}"
    cluster, name = request.getfixturevalue("cluster"), f"test_{uuid.uuid4().hex}"
    execute(cluster, sql.text(f"CREATE SCHEMA {name}"))  # a database of its own costs 7 MB
    return f"{cluster}&options=-csearch_path%3D{name}"
