"""The hashes of datasets' samples, remembered in a store: to load a dataset takes seconds."""

import socket
from collections.abc import Collection

import sqlalchemy as sql

import data
from data import uploads

from .store import CONTENTS, upsert
from .study_store import StudyStore
from .version import code_version


def find_contents(names: Collection[str], store: StudyStore) -> dict[str, str]:
    """The hashes that are known without loading a dataset, by its name.

    Of uploads all; of others what this machine has remembered for the versions that it has: what
    another has made may differ in the last bit. Raises StoreError.
    """
    here = CONTENTS.c.host == socket.gethostname()
    return _name_uploads(names) | _find(names, store, here)


def guess_contents(names: Collection[str], store: StudyStore) -> dict[str, str]:
    """As ``find_contents``; what only other machines have remembered too, and "" for the rest."""
    everywhere = _find(names, store, sql.true())
    return dict.fromkeys(names, "") | everywhere | find_contents(names, store)


def _name_uploads(names: Collection[str]) -> dict[str, str]:
    return {name: name for name in names if uploads.is_name(name)}


def _find(
    names: Collection[str], store: StudyStore, where: sql.ColumnElement[bool]
) -> dict[str, str]:
    query = sql.select(CONTENTS.c.dataset, CONTENTS.c.digest)
    rows = store.read(query.where(CONTENTS.c.version == code_version("data"), where))
    return {row.dataset: row.digest for row in rows if row.dataset in names}


def read_contents(names: Collection[str], store: StudyStore) -> dict[str, str]:
    """The hash of each dataset's samples; what is not known yet is loaded, and remembered.

    Raises StoreError.
    """
    known = find_contents(names, store)
    facts = {"version": code_version("data"), "host": socket.gethostname()}
    new = {name: data.hash_samples(name) for name in names if name not in known}
    rows = [{"dataset": name, "digest": digest, **facts} for name, digest in new.items()]
    if rows:
        # Another driver may have stored the same in between.
        insert = upsert(store.dialect, CONTENTS).on_conflict_do_nothing()
        store.write(lambda connection: connection.execute(insert, rows))
    return known | new


def forget_content(name: str, store: StudyStore) -> None:
    """Forget a dataset's hash, of every version and machine: a worker has found other samples."""
    forget = CONTENTS.delete().where(CONTENTS.c.dataset == name)
    store.write(lambda connection: connection.execute(forget))
