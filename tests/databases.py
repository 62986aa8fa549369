"""Databases of both kinds, for tests that ask for their URLs: see ``conftest.py``."""

import os
import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sql

from benchmarks.postgresql import find_programs, serve_postgresql


def start_postgresql() -> Iterator[str]:
    """URL of a PostgreSQL on a socket in a folder of its own; no other network."""
    if (programs := find_programs()) is None:
        reason = "PostgreSQL's initdb is neither on the PATH nor in /usr/lib/postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with serve_postgresql(programs, sync=False) as url:
        yield url


def make_schema(cluster: str) -> str:
    """URL of an empty schema: a database of its own costs 7 MB."""
    name = f"test_{uuid.uuid4().hex}"
    execute(cluster, sql.text(f"CREATE SCHEMA {name}"))
    return f"{cluster}&options=-csearch_path%3D{name}"


def execute(url, statement):
    """Do something to a database behind the store's back; the rows that it gives."""
    engine = sql.create_engine(url, poolclass=sql.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(statement)
        return result.fetchall() if result.returns_rows else []
