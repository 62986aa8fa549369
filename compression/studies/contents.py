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
    query = sql.select(CONTENTS.c.dataset, CONTENTS.c.digest).where(
        CONTENTS.c.version == code_version("data"), CONTENTS.c.host == socket.gethostname()
    )
    remembered = {row.dataset: row.digest for row in store.read(query)}
    known = {name: name if uploads.is_name(name) else remembered.get(name) for name in names}
    return {name: digest for name, digest in known.items() if digest is not None}


def read_contents(names: Collection[str], store: StudyStore) -> dict[str, str]:
    """The hash of each dataset's samples; what is not known yet is loaded, and remembered.

    Raises StoreError.
    """
    known = find_contents(names, store)
    facts = {"version": code_version("data"), "host": socket.gethostname()}
    new = {name: data.hash_samples(name) for name in names if name not in known}
    rows = [{"dataset": name, "digest": digest, **facts} for name, digest in new.items()]
    if rows:
        # Another driver may have remembered the same in between.
        insert = upsert(store.dialect, CONTENTS).on_conflict_do_nothing()
        store.write(lambda connection: connection.execute(insert, rows))
    return known | new


def forget_content(name: str, store: StudyStore) -> None:
    """Forget a dataset's hash, of every version and machine: a worker has found other samples."""
    forget = CONTENTS.delete().where(CONTENTS.c.dataset == name)
    store.write(lambda connection: connection.execute(forget))
