"""Studies in a store: which fits belong to one, what is done of it, and who works on what."""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sql

from compression.errors import ArgumentError

from .store import (
    FITS,
    LEASES,
    LONGEST_TAG,
    NUMBERS,
    ROWS,
    STUDIES,
    STUDY_FITS,
    TAGS,
    Store,
    as_frame,
    identify,
    upsert,
)


@dataclass(frozen=True)
class FinishedFits:
    """Those of a study's fits that are over.

    Attributes
    ----------
    done, failed : int
        How many; failed ones are among the done.
    moments : int
        When each was over, in milliseconds since 1970, summed: a fit that is deleted and computed
        again, or another in its place, makes another sum.
    """

    done: int
    failed: int
    moments: int


class StudyStore(Store):
    """A store that knows studies too."""

    @property
    def is_shared(self) -> bool:
        """Whether other threads and processes reach it; SQLite in memory has one thread."""
        in_memory = self._engine.url.database in (None, "", ":memory:")
        return self._engine.dialect.name != "sqlite" or not in_memory

    def put_study(
        self, name: str, specification: str, requests: Iterable[Mapping[str, Any]]
    ) -> list[str]:
        """Keep what a study is made of, in place of what it was; its fits' keys, in their order."""
        keys = [identify(request) for request in requests]
        row = {"name": name, "specification": specification, "changed_at": time.time()}

        def write(connection: sql.Connection) -> None:
            connection.execute(STUDIES.delete().where(STUDIES.c.name == name))
            connection.execute(STUDIES.insert(), row)
            connection.execute(STUDY_FITS.delete().where(STUDY_FITS.c.study == name))
            connection.execute(STUDY_FITS.insert(), [{"study": name, "fit": key} for key in keys])

        self.write(write)
        return keys

    def has_study(
        self, name: str, specification: str, requests: Iterable[Mapping[str, Any]]
    ) -> bool:
        """Whether it was put with this specification, and with the keys of these few requests."""
        if self.read_specification(name) != specification:
            return False
        keys = {identify(request) for request in requests}
        query = sql.select(sql.func.count()).where(
            STUDY_FITS.c.study == name, STUDY_FITS.c.fit.in_(keys)
        )
        return int(self.read(query)[0][0]) == len(keys)

    def mark_study(self, name: str) -> None:
        """Put a study first among those that were changed."""
        mark = STUDIES.update().where(STUDIES.c.name == name).values(changed_at=time.time())
        self.write(lambda connection: connection.execute(mark))

    def list_done(self, name: str) -> set[str]:
        """Keys of a study's fits that are over, failed ones too."""
        query = sql.select(STUDY_FITS.c.fit).join(FITS, FITS.c.key == STUDY_FITS.c.fit)
        return {row.fit for row in self.read(query.where(STUDY_FITS.c.study == name))}

    def count_failed(self, name: str) -> int:
        """How many of a study's fits failed."""
        query = sql.select(sql.func.count()).join(FITS, FITS.c.key == STUDY_FITS.c.fit)
        query = query.where(STUDY_FITS.c.study == name, FITS.c.status == "failed")
        return int(self.read(query)[0][0])

    def count_over(self, name: str) -> FinishedFits:
        """How many of a study's fits are over, and what tells them from others."""
        # Integers: their sum does not depend on the order.
        moment = sql.cast(FITS.c.finished_at * 1000, sql.BigInteger)
        query = (
            sql.select(
                sql.func.count(),
                sql.func.count(sql.case((FITS.c.status == "failed", 1))),
                sql.func.coalesce(sql.func.sum(moment), 0),
            )
            .select_from(STUDY_FITS)
            .join(FITS, FITS.c.key == STUDY_FITS.c.fit)
            .where(STUDY_FITS.c.study == name)
        )
        return FinishedFits(*map(int, self.read(query)[0]))

    def count_rows(self, name: str) -> int:
        """How many rows the tables of a study's fits hold."""
        query = sql.select(sql.func.count()).join(ROWS, ROWS.c.fit == STUDY_FITS.c.fit)
        return int(self.read(query.where(STUDY_FITS.c.study == name))[0][0])

    def find_over(self, keys: Collection[str]) -> set[str]:
        """Which of these few fits are over."""
        return {row.key for row in self.read(sql.select(FITS.c.key).where(FITS.c.key.in_(keys)))}

    def list_studies(self) -> pd.DataFrame:
        """A row a study, the last changed first: name, fits, done, failed, seconds, changed_at."""
        fits = STUDY_FITS.outerjoin(FITS, FITS.c.key == STUDY_FITS.c.fit)
        counts = (
            sql.select(
                STUDY_FITS.c.study,
                sql.func.count().label("fits"),
                sql.func.count(FITS.c.key).label("done"),
                sql.func.count(sql.case((FITS.c.status == "failed", 1))).label("failed"),
                sql.func.coalesce(sql.func.sum(FITS.c.seconds), 0.0).label("seconds"),
            )
            .select_from(fits)
            .group_by(STUDY_FITS.c.study)
            .subquery()
        )
        query = (
            sql.select(STUDIES.c.name, *(counts.c[each] for each in _COUNTS), STUDIES.c.changed_at)
            .join(counts, counts.c.study == STUDIES.c.name)
            .order_by(STUDIES.c.changed_at.desc())
        )
        return pd.DataFrame(self.read(query), columns=["name", *_COUNTS, "changed_at"])

    def read_specification(self, name: str) -> str | None:
        """A study's specification as JSON; None where there is no such study."""
        query = sql.select(STUDIES.c.specification).where(STUDIES.c.name == name)
        return next((row.specification for row in self.read(query)), None)

    def study_fits(self, name: str, status: str | None = None) -> pd.DataFrame:
        """A row a fit that is over: key, request, status, sentence, seconds, host.

        ``status``: of those that are "done" or "failed" alone.
        """
        columns = [FITS.c[each] for each in _OF_A_FIT]
        query = sql.select(*columns).join(STUDY_FITS, STUDY_FITS.c.fit == FITS.c.key)
        query = query.where(STUDY_FITS.c.study == name)
        if status is not None:
            query = query.where(FITS.c.status == status)
        return as_frame(self.read_plain(query), _OF_A_FIT)

    def study_rows(self, name: str, columns: Collection[str] = NUMBERS) -> pd.DataFrame:
        """The rows of all its fits: fit (categorical), position and these columns, in their order."""
        # Read the key with a fit's first row only: 64 characters in each of a million rows cost
        # more than all numbers.
        key = sql.case((ROWS.c.position == 0, ROWS.c.fit))
        query = (
            sql.select(key, *(ROWS.c[each] for each in columns))
            .join(STUDY_FITS, STUDY_FITS.c.fit == ROWS.c.fit)
            .where(STUDY_FITS.c.study == name)
            # In the order of both indices, so that nothing is sorted.
            .order_by(STUDY_FITS.c.fit, ROWS.c.position)
        )
        names: list[str] = []  # of the fits, in their order
        firsts, numbers = [np.empty(0, bool)], [np.empty((len(columns), 0))]
        for batch in self.read_batches(query):
            keys, *values = zip(*batch, strict=True)
            names += filter(None, keys)
            firsts.append(np.array([key is not None for key in keys]))
            numbers.append(np.array(values, dtype=float).reshape(len(columns), len(batch)))
        first = np.concatenate(firsts)
        starts, fits = np.flatnonzero(first), np.cumsum(first) - 1
        table = pd.DataFrame(np.concatenate(numbers, axis=1).T, columns=list(columns))
        table.insert(0, "fit", pd.Categorical.from_codes(fits, names))
        table.insert(1, "position", np.arange(len(first)) - starts[fits])
        return table

    def forget_failed(self, name: str) -> int:
        """Forget the fits of a study that failed, so that they are pending again; how many."""
        keys = self.study_fits(name, "failed")["key"].tolist()
        self.delete(keys)
        return len(keys)

    def tag(self, keys: Iterable[str], tag: str) -> None:
        """Put a tag on these fits; raises ArgumentError for one that nobody could find again."""
        tag = " ".join(tag.split())
        if not 0 < len(tag) <= LONGEST_TAG or "|" in tag or not tag.isprintable():
            raise ArgumentError(f"a tag is 1 to {LONGEST_TAG} characters, none of them |")
        rows = [{"fit": key, "tag": tag} for key in keys]

        def write(connection: sql.Connection) -> None:
            for row in rows:
                self._insert(connection, TAGS, row)

        self.write(write)

    def untag(self, keys: Collection[str], tag: str) -> None:
        """Take a tag off these fits."""
        removal = TAGS.delete().where(TAGS.c.tag == tag, TAGS.c.fit.in_(list(keys)))
        self.write(lambda connection: connection.execute(removal))

    def lease(self, keys: Iterable[str], owner: str, seconds: float) -> tuple[list[str], set[str]]:
        """Which of these fits the owner may work on now, and which are over by now.

        All others are held by another driver's lease. A lease is good for ``seconds``; asking again
        makes it longer.
        """
        now, wanted = time.time(), list(keys)
        take, ask = _build_lease(self._engine.dialect.name), _build_question()
        leased: list[str] = []
        over: set[str] = set()

        def take_free(connection: sql.Connection) -> None:
            leased.clear()
            over.clear()
            for key in wanted:
                # Another driver may have stored the fit and released its lease in between.
                if connection.execute(ask, {"asked": key}).first() is not None:
                    over.add(key)
                    continue
                row = {"fit": key, "owner": owner, "expires_at": now + seconds}
                if connection.execute(take, row | {"now": now, "us": owner}).first() is not None:
                    leased.append(key)

        self.write(take_free)
        return leased, over

    def renew(self, owner: str, seconds: float) -> None:
        """Make an owner's leases good for ``seconds`` from now; those of fits that are over end."""
        owned, over = LEASES.c.owner == owner, LEASES.c.fit.in_(sql.select(FITS.c.key))

        def change(connection: sql.Connection) -> None:
            connection.execute(LEASES.delete().where(owned, over))
            later = LEASES.update().where(owned).values(expires_at=time.time() + seconds)
            connection.execute(later)

        self.write(change)

    def list_owners(self) -> list[str]:
        """Who holds leases, good ones or not."""
        return [row.owner for row in self.read(sql.select(LEASES.c.owner).distinct())]

    def release(self, owner: str) -> None:
        """Give all leases of an owner back."""
        self.write(lambda each: each.execute(LEASES.delete().where(LEASES.c.owner == owner)))


@lru_cache(maxsize=2)
def _build_lease(dialect: str) -> Any:
    """An INSERT of a lease, in place of one that is ``us``'s own or over by ``now``; returns it."""
    insert = upsert(dialect, LEASES).values(
        {name: sql.bindparam(name) for name in ("fit", "owner", "expires_at")}
    )
    ours = {"owner": insert.excluded.owner, "expires_at": insert.excluded.expires_at}
    free = (LEASES.c.expires_at < sql.bindparam("now")) | (LEASES.c.owner == sql.bindparam("us"))
    take = insert.on_conflict_do_update(index_elements=["fit"], set_=ours, where=free)
    return take.returning(LEASES.c.fit)


@lru_cache(maxsize=1)
def _build_question() -> sql.Select:
    """Whether the fit ``asked`` is over."""
    return sql.select(FITS.c.key).where(FITS.c.key == sql.bindparam("asked"))


_COUNTS = ("fits", "done", "failed", "seconds")
_OF_A_FIT = ("key", "request", "status", "sentence", "seconds", "host")
