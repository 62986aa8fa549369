"""Where what was computed is kept: a database, looked up by what was asked for.

SQLite by default, PostgreSQL by its URL. A fit is there when it is over, and never before: what
is pending is a request without a row. Contents are checked against
their SHA-256 on reading; what fails is dropped, so that it is computed again.
"""

import hashlib
import json
import logging
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sql
from sqlalchemy.dialects import postgresql, sqlite

from compression.errors import CompressionError

BUSY_SECONDS = 10.0  # for a writer that waits for another one
SECONDS_BETWEEN_MARKS = 3600.0  # between two marks of a fit's last use: not every read writes
LOCK = 0x636F6D70  # PostgreSQL's advisory lock for writers
URLS = "choose sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
INSTALL = "python -m pip install 'psycopg[binary]==3.3.9'"
LONGEST_TAG = 40
AT_ONCE = 10_000  # keys per statement, whose parameters databases limit; rows per batch

log = logging.getLogger(__name__)

_metadata = sql.MetaData()
FITS = sql.Table(
    "fits",
    _metadata,
    sql.Column("key", sql.String(64), primary_key=True),
    sql.Column("name", sql.String, nullable=False, index=True),
    sql.Column("request", sql.Text, nullable=False),
    sql.Column("status", sql.String(8), nullable=False),
    sql.Column("sentence", sql.Text, nullable=False),
    sql.Column("seconds", sql.Float, nullable=False),
    sql.Column("host", sql.String, nullable=False),
    sql.Column("finished_at", sql.Float, nullable=False),
    sql.Column("used_at", sql.Float, nullable=False, index=True),
    sql.Column("digest", sql.String(64), index=True),
    sql.Column("bytes", sql.BigInteger, nullable=False),
)
BLOBS = sql.Table(
    "blobs",
    _metadata,
    sql.Column("digest", sql.String(64), primary_key=True),
    sql.Column("content", sql.LargeBinary, nullable=False),
)
NO_BYTES = hashlib.sha256(b"").hexdigest()  # digest of an empty content, which has no blob
NUMBERS = (
    *("knob", "rank", "bound", "bits", "parameters", "bytes", "macs", "ratio", "epochs"),
    *("train_loss", "validation_loss", "test_loss"),
    *("validation_score", "validation_low", "validation_high"),
    *("score", "score_low", "score_high", "change", "change_low", "change_high"),
    *("train_rows", "validation_rows", "test_rows"),
)
ROWS = sql.Table(
    "rows",
    _metadata,
    sql.Column("fit", sql.String(64), primary_key=True),
    sql.Column("position", sql.Integer, primary_key=True),
    *(sql.Column(name, sql.Float) for name in NUMBERS),
)
STUDIES = sql.Table(
    "studies",
    _metadata,
    sql.Column("name", sql.String(100), primary_key=True),
    sql.Column("specification", sql.Text, nullable=False),
    sql.Column("changed_at", sql.Float, nullable=False),
)
STUDY_FITS = sql.Table(
    "study_fits",
    _metadata,
    sql.Column("study", sql.String(100), primary_key=True),
    sql.Column("fit", sql.String(64), primary_key=True),
)
TAGS = sql.Table(
    "tags",
    _metadata,
    sql.Column("fit", sql.String(64), primary_key=True),
    sql.Column("tag", sql.String(LONGEST_TAG), primary_key=True),
)
LEASES = sql.Table(
    "leases",
    _metadata,
    sql.Column("fit", sql.String(64), primary_key=True),
    sql.Column("owner", sql.String(64), nullable=False),
    sql.Column("expires_at", sql.Float, nullable=False),
)
CONTENTS = sql.Table(
    "contents",
    _metadata,
    sql.Column("dataset", sql.String, primary_key=True),
    sql.Column("version", sql.String(64), primary_key=True),
    sql.Column("host", sql.String, primary_key=True),
    sql.Column("digest", sql.String(64), nullable=False),
)


class StoreError(CompressionError):
    """The database cannot be opened, read or written; the sentence says which and why."""


@dataclass(frozen=True)
class Fit:
    """What is kept of one request: its content, or the sentence with which it failed."""

    content: bytes | None
    sentence: str
    seconds: float


@dataclass(frozen=True, eq=False)
class NewFit:
    """A fit that is over, to be kept: its content and rows, or None and why it failed.

    Of ``rows`` the columns of ``NUMBERS`` are kept; ``name`` is what tables of what is kept call
    it, ``seconds`` what it took.
    """

    request: Mapping[str, Any]
    content: bytes | None
    name: str = ""
    seconds: float = 0.0
    sentence: str = ""
    rows: pd.DataFrame | None = None


def identify(request: Mapping[str, Any]) -> str:
    """Key of a request: the SHA-256 of its canonical JSON, in hexadecimal."""
    return hashlib.sha256(_write_canonical(request).encode()).hexdigest()


def _write_canonical(request: Mapping[str, Any]) -> str:
    return json.dumps(request, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Store:
    """Fits by their requests, in a database.

    Parameters
    ----------
    url : str
        Of the database, as SQLAlchemy writes it: "sqlite:///results.db",
        "postgresql+psycopg://user@host/name". A SQLite file's folder is made.
    max_bytes : int, optional
        Bound on all contents; the least recently used go first.

    Attributes
    ----------
    damaged : set of str
        Keys of what ``get`` has found damaged, and dropped.

    Raises
    ------
    StoreError
        Here and in every method: the database says no. Nothing that was kept is lost by that.
    """

    def __init__(self, url: str, max_bytes: int | None = None):
        self._max_bytes = max_bytes
        self.damaged: set[str] = set()
        try:
            kind = sql.make_url(url).get_backend_name()
            if kind not in ("sqlite", "postgresql"):
                raise StoreError(f"no store can be opened at {_hide_password(url)}: {URLS}")
            self._engine = sql.create_engine(url, pool_pre_ping=kind == "postgresql")
            if kind == "sqlite":
                file = self._engine.url.database
                if file and file != ":memory:":
                    Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _set_up_sqlite(self._engine)
            else:
                _set_up_postgresql(self._engine)
            with self._begin_change() as connection:
                _metadata.create_all(connection)
        except (sql.exc.SQLAlchemyError, ImportError, OSError) as error:
            hint = f"; {INSTALL}" if isinstance(error, ModuleNotFoundError) else ""
            reason = f"no store can be opened at {_hide_password(url)}: {error}{hint}"
            raise StoreError(reason) from error

    @property
    def dialect(self) -> str:
        """The kind of database, "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    def put(self, request: Mapping[str, Any], content: bytes | None, **facts: Any) -> None:
        """Keep one fit: see ``put_each``; ``facts`` are the other fields of ``NewFit``."""
        self.put_each([NewFit(request, content, **facts)])

    def put_each(self, fits: Iterable[NewFit]) -> None:
        """Keep fits, all of them or none.

        The first that is kept of a request stays: others had the same answer.
        """
        now = time.time()
        inserts = [(fit, self._describe(fit, now)) for fit in fits]

        def keep(connection: sql.Connection) -> None:
            for fit, row in inserts:
                if fit.content:
                    blob = {"digest": row["digest"], "content": fit.content}
                    self._insert(connection, BLOBS, blob)
                if self._insert(connection, FITS, row) and fit.rows is not None:
                    _insert_rows(connection, row["key"], fit.rows)
            if self._max_bytes is not None:
                _drop_least_used(connection, self._max_bytes)

        self.write(keep)

    def _describe(self, fit: NewFit, now: float) -> dict[str, Any]:
        """A fit's row in ``fits``."""
        content = fit.content
        return {
            "key": identify(fit.request),
            "name": fit.name,
            "request": _write_canonical(fit.request),
            "status": "failed" if content is None else "done",
            "sentence": fit.sentence.replace("\0", "�"),  # PostgreSQL has no NUL
            "seconds": fit.seconds,
            "host": socket.gethostname(),
            "finished_at": now,
            "used_at": now,
            "digest": None if content is None else hashlib.sha256(content).hexdigest(),
            "bytes": len(content or b""),
        }

    def get(self, request: Mapping[str, Any]) -> Fit | None:
        """The fit of a request, or None where there is none, or a damaged one."""
        key = identify(request)
        both = FITS.outerjoin(BLOBS, FITS.c.digest == BLOBS.c.digest)
        query = sql.select(FITS, BLOBS.c.content).select_from(both).where(FITS.c.key == key)
        row = next(iter(self.read(query)), None)
        if row is None:
            return None
        content = b"" if row.digest == NO_BYTES else row.content
        if row.digest is not None and not _is_intact(content, row.digest):
            log.warning("what was kept of %s is damaged: it is computed again", row.name)
            self.damaged.add(key)
            self.delete([key])
            return None
        if time.time() - row.used_at > SECONDS_BETWEEN_MARKS:
            mark = FITS.update().where(FITS.c.key == key).values(used_at=time.time())
            self.write(lambda connection: connection.execute(mark))
        return Fit(content, row.sentence, row.seconds)

    def table(self, name: str | None = None) -> pd.DataFrame:
        """What is kept, a row a fit without its content, the newest first.

        Columns: key, name, request, status, sentence, seconds, host, finished_at, used_at, digest,
        bytes. Moments are seconds since 1970.
        """
        query = sql.select(FITS).order_by(FITS.c.finished_at.desc())
        if name is not None:
            query = query.where(FITS.c.name == name)
        return as_frame(self.read(query), [column.name for column in FITS.columns])

    def delete(self, keys: Iterable[str]) -> None:
        """Forget these fits."""
        chosen = list(keys)
        self.write(lambda connection: _drop(connection, chosen))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _insert(self, connection: sql.Connection, table: sql.Table, row: dict[str, Any]) -> bool:
        """Insert a row unless there is one of its key: two writers may have the same answer.

        Returns whether it was inserted.
        """
        insert = _build_insert_of_new(self.dialect, table)
        return connection.execute(insert, row).first() is not None

    def _begin_change(self) -> Any:
        return self._engine.begin()

    def write(self, change: Callable[[sql.Connection], Any]) -> None:
        """Make a change of these tables as one transaction, beside no other writer."""
        try:
            with self._begin_change() as connection:
                change(connection)
        except sql.exc.SQLAlchemyError as error:
            raise StoreError(f"the store could not be written: {error}") from error

    def read(self, query: sql.Select) -> list[Any]:
        """The rows of any query of these tables."""
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as reading:
                return list(reading.execute(query).fetchall())
        except sql.exc.SQLAlchemyError as error:
            raise StoreError(f"the store could not be read: {error}") from error

    def read_plain(self, query: sql.Select) -> list[Any]:
        """As ``read``, in plain tuples: for many rows."""
        return [row for batch in self.read_batches(query) for row in batch]

    def read_batches(self, query: sql.Select) -> Iterator[Sequence[Any]]:
        """As ``read_plain``, some thousand at a time: for millions of rows.

        Python looks through all tuples that there are again and again while they become more.
        """
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as reading:
                cursor = reading.execute(query).cursor
                while batch := cursor.fetchmany(AT_ONCE):
                    yield batch
        except sql.exc.SQLAlchemyError as error:
            raise StoreError(f"the store could not be read: {error}") from error


def as_frame(rows: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a table, column by column: pandas is slow on SQLAlchemy's rows."""
    if not rows:
        return pd.DataFrame(columns=list(columns))
    return pd.DataFrame(dict(zip(columns, zip(*rows, strict=True), strict=True)))


def _is_intact(content: bytes | None, digest: str) -> bool:
    return content is not None and hashlib.sha256(content).hexdigest() == digest


def _drop_least_used(connection: sql.Connection, max_bytes: int) -> None:
    """Forget the fits beyond a bound, but never the one that was used last, nor a study's."""
    in_no_study = FITS.c.key.not_in(sql.select(STUDY_FITS.c.fit))
    size = sql.select(sql.func.sum(FITS.c.bytes)).where(in_no_study)
    if (connection.scalar(size) or 0) <= max_bytes:
        return
    columns = sql.select(FITS.c.key, FITS.c.bytes).where(in_no_study)
    newest_first = columns.order_by(FITS.c.used_at.desc())
    total, dropped = 0, []
    for place, (key, size) in enumerate(connection.execute(newest_first)):
        total += size
        if place and total > max_bytes:
            dropped.append(key)
    if dropped:
        _drop(connection, dropped)


def _insert_rows(connection: sql.Connection, key: str, rows: pd.DataFrame) -> None:
    """Insert a fit's rows through the driver: SQLAlchemy's processing of each value is slower.

    Of ``rows`` the columns of ``NUMBERS`` are inserted; what is not there, or NaN, is NULL.
    """
    places = {name: place for place, name in enumerate(rows.columns.tolist())}
    names = [name for name in NUMBERS if name in places]  # in the order of the compiled INSERT
    if rows.empty or not names:
        return
    order = ("fit", "position", *names)
    # Let NumPy choose the columns: pandas is slow with small tables.
    numbers = rows.to_numpy()[:, [places[name] for name in names]].astype(float)
    lines: list[Any] = [
        (key, place, *[value if value == value else None for value in line])
        for place, line in enumerate(numbers.tolist())
    ]
    insert = _compile_insert(connection.dialect, order)
    if not insert.positional:  # PostgreSQL's driver takes values by name
        lines = [dict(zip(order, line, strict=True)) for line in lines]
    connection.exec_driver_sql(str(insert), lines)


def upsert(dialect: str, table: sql.Table) -> Any:
    """An INSERT that can say what happens to a row whose key is there."""
    return (sqlite if dialect == "sqlite" else postgresql).insert(table)


@lru_cache(maxsize=32)  # building a statement takes as long as executing it
def _build_insert_of_new(dialect: str, table: sql.Table) -> Any:
    """An INSERT of rows whose keys are not there; it returns these."""
    key = next(iter(table.primary_key))
    return upsert(dialect, table).on_conflict_do_nothing().returning(key)


@lru_cache(maxsize=32)
def _compile_insert(dialect: sql.Dialect, columns: tuple[str, ...]) -> Any:
    return ROWS.insert().compile(dialect=dialect, column_keys=columns)


def _drop(connection: sql.Connection, keys: Sequence[str]) -> None:
    """Delete fits, their rows, and the contents that nobody shares."""
    for first in range(0, len(keys), AT_ONCE):
        some = keys[first : first + AT_ONCE]
        connection.execute(FITS.delete().where(FITS.c.key.in_(some)))
        for table in (ROWS, TAGS):
            connection.execute(table.delete().where(table.c.fit.in_(some)))
    used = sql.select(FITS.c.digest).where(FITS.c.digest.is_not(None))
    connection.execute(BLOBS.delete().where(BLOBS.c.digest.not_in(used)))


def _set_up_sqlite(engine: sql.Engine) -> None:
    """Readers beside a writer, and writers that wait for each other instead of failing."""

    @sql.event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA busy_timeout = {int(1000 * BUSY_SECONDS)}")
        connection.execute("PRAGMA synchronous = NORMAL")  # WAL stays atomic under kill -9

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        # A transaction that begins as a reader and then writes fails when another has written.
        if _is_writing(connection):
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def _set_up_postgresql(engine: sql.Engine) -> None:
    """One writer at a time, as SQLite has it: no deadlocks, no blob dropped while it is shared."""

    @sql.event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        # Like SQLite's NORMAL: a commit survives a crash of any of our processes. If the whole
        # database server crashes, it may lose the last second, but never a part of a transaction.
        connection.execute("SET SESSION synchronous_commit = off")
        connection.commit()

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        if _is_writing(connection):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


def _is_writing(connection: sql.Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT"


def _hide_password(url: str) -> str:
    try:
        return sql.make_url(url).render_as_string(hide_password=True)
    except sql.exc.ArgumentError:
        return repr(url)
