"""A database of each kind for whoever asks for its URL; PostgreSQL is started for these tests."""

import os
import uuid

import pytest
import sqlalchemy as sql

from benchmarks.postgresql import find_programs, serve_postgresql


@pytest.fixture(scope="session")
def cluster():
    """URL of a PostgreSQL of this session, on a socket in a folder of its own; no other network."""
    if (programs := find_programs()) is None:
        reason = "PostgreSQL's initdb is neither on the PATH nor in /usr/lib/postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with serve_postgresql(programs, sync=False) as url:
        yield url


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
