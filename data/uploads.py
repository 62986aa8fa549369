"""What people upload, kept for a while in a folder of this user's own.

A file is kept under a hash of its bytes, ``file-...``, and a dataset that is made from it under a
hash of that and of the choices made, ``table-...``. Whoever knows a name has the content: no list
of names is ever shown. Every process of this user finds the same folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DatasetError

if TYPE_CHECKING:
    from .base import Dataset
    from .reading import DecodedFile

KEPT_DAYS = 7
KEPT_BYTES = 4 * 2**30
FACTS, ORIGINAL, DECODED = "facts.json", "original", "decoded"
UPLOAD = re.compile(r"file-[0-9a-f]{20}")
DATASET = re.compile(r"table-[0-9a-f]{20}")
GONE = (
    f"an upload is kept for {KEPT_DAYS} days after it was last used, or until newer ones need the "
    "room: upload the file again on the page Your data"
)


def make_folder() -> Path:
    """Where uploads are kept: ``COMPRESS_UPLOADS``, or a folder below the temporary one.

    Raises
    ------
    DatasetError
        It cannot be made, or belongs to somebody else.
    """
    configured = os.environ.get("COMPRESS_UPLOADS")
    path = Path(configured or Path(tempfile.gettempdir()) / f"compress-uploads-{_find_user()}")
    try:
        path.mkdir(mode=0o700, parents=bool(configured), exist_ok=True)
        facts = path.lstat()
    except OSError as error:
        raise DatasetError(f"uploads cannot be kept ({error.strerror}): free some space") from None
    if not path.is_dir() or path.is_symlink() or (not configured and facts.st_uid != _find_user()):
        raise DatasetError("uploads cannot be kept: their folder belongs to somebody else")
    return path


def keep_file(content: bytes | memoryview) -> str:
    """Keep an uploaded file's bytes; the name to have them by, ``file-...``."""
    name = f"file-{blake2b(content, digest_size=10).hexdigest()}"
    directory = make_folder() / name
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        new = not (directory / FACTS).exists() and not (directory / ORIGINAL).exists()
        if new:
            _write(directory / ORIGINAL, content)
    except OSError as error:
        raise DatasetError(
            f"the upload cannot be kept ({error.strerror}): free some space"
        ) from None
    os.utime(directory)
    if new:
        forget_old()
    return name


def decode(upload: str, file_name: str) -> dict[str, Any]:
    """Decode a kept file, once; the facts of what it holds, as ``reading.decode_file`` gives them.

    Raises
    ------
    DatasetError
        It is not kept any more, or cannot be read.
    """
    from .reading import decode_file

    directory = _find_upload(upload)
    if not (directory / FACTS).exists():
        # Two processes may decode one file at a time: each writes its own copy, and the last one
        # stays.
        beside = directory / f"{DECODED}-{os.getpid()}"
        try:
            facts = decode_file(directory / ORIGINAL, file_name, beside)
            ending = "npz" if facts["kind"] == "arrays" else "arrow"
            os.replace(f"{beside}.{ending}", directory / f"{DECODED}.{ending}")
        except FileNotFoundError:  # the upload is gone, or another process finished first
            if not (directory / FACTS).exists():
                raise DatasetError(f"this upload is not kept any more: {GONE}") from None
            return json.loads((directory / FACTS).read_bytes())
        finally:
            for left in directory.glob(f"{beside.name}*"):
                left.unlink(missing_ok=True)
        _write(directory / FACTS, json.dumps(facts).encode())
        (directory / ORIGINAL).unlink(missing_ok=True)
    return json.loads((directory / FACTS).read_bytes())


def read(upload: str) -> DecodedFile:
    """A decoded file's content."""
    from .reading import read_decoded

    directory = _find_upload(upload)
    try:
        return read_decoded(directory / DECODED, json.loads((directory / FACTS).read_bytes()))
    except FileNotFoundError:
        raise DatasetError(f"this upload is not kept any more: {GONE}") from None


def make(upload: str, choices: Mapping[str, Any], seed: int = 0) -> Dataset:
    """The dataset that choices make of an upload.

    Parameters
    ----------
    upload : str
    choices : mapping
        "title"; of a table "target", "task" and "roles"; of arrays the names of "x" and "y", of
        "x_test" and "y_test" or "lengths" where there are any, "task" and "layout".
    seed : int

    Raises
    ------
    DatasetError
        All obstacles, a line each.
    """
    from dataclasses import replace

    from .tables import read_table

    decoded = read(upload)
    name, title = _name(upload, choices), clean_title(choices["title"])
    if decoded.frame is not None:
        table = read_table(
            decoded.frame, choices["target"], choices["task"], dict(choices.get("roles", ()))
        )
        made = table.prepare(seed, name=name, title=title, source="Uploaded")
    else:
        made = replace(_from_arrays(decoded, choices, seed), name=name, title=title)
    return replace(
        made,
        class_names=tuple(map(clean_text, made.class_names)),
        feature_names=tuple(map(clean_text, made.feature_names)),
        feature_units=tuple(map(clean_text, made.feature_units)),
        target_name=clean_text(made.target_name),
        remarks=tuple(map(clean_text, (*decoded.remarks, *made.remarks))),
    )


def keep_dataset(upload: str, choices: Mapping[str, Any]) -> str:
    """Make a dataset of an upload and remember it; the name to load it by, ``table-...``."""
    made = make(upload, choices)
    facts = {
        "upload": upload,
        "choices": dict(choices),
        "title": made.title,
        "task": made.task,
        "shape": [len(made.x_train) + len(made.x_test), len(made.feature_names)],
        "input_shape": list(made.input_shape),
        "classes": made.classes,
    }
    _write(make_folder() / f"{made.name}.json", json.dumps(facts).encode())
    return made.name


def read_facts(name: str) -> dict[str, Any]:
    """What is known of a kept dataset without loading it; raises DatasetError when it is gone."""
    file = make_folder() / f"{name}.json"
    try:
        if not DATASET.fullmatch(name):
            raise FileNotFoundError
        record = json.loads(file.read_bytes())
        os.utime(file)
        os.utime(_find_upload(record["upload"]))
    except FileNotFoundError:
        raise DatasetError(f"the dataset {name} is not kept any more: {GONE}") from None
    return record


def load(name: str, seed: int = 0) -> Dataset:
    """A kept dataset, split by a seed."""
    known = read_facts(name)
    return make(known["upload"], known["choices"], seed)


def is_name(name: object) -> bool:
    """Whether a name could be a kept dataset's."""
    return isinstance(name, str) and DATASET.fullmatch(name) is not None


def clean_title(title: str) -> str:
    """A file's name as it can be shown anywhere: letters, digits, dots, dashes and blanks."""
    return " ".join(re.sub(r"[^\w.-]+", " ", title).split())[:40] or "upload"


def clean_text(text: str) -> str:
    """A stranger's text as pages and reports may show it: no tag, no link, no picture, one line."""
    text = text.replace("<", "‹").replace(">", "›").replace("](", "] (").replace("`", "'")
    return "".join(letter if letter.isprintable() else " " for letter in text)


def forget_old() -> None:
    """Remove what was not used for long, and of too much what was used longest ago."""
    directory = make_folder()
    entries = []
    for entry in directory.iterdir():
        with contextlib.suppress(OSError):
            inside = entry.iterdir() if entry.is_dir() else [entry]
            size = sum(file.stat().st_size for file in inside)
            entries.append((entry.stat().st_mtime, size, entry))
    total, oldest = sum(size for _, size, _ in entries), time.time() - KEPT_DAYS * 86_400
    for used, size, entry in sorted(entries)[:-1]:  # the newest stays, however large
        if used >= oldest and total <= KEPT_BYTES:
            break
        total -= size
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _from_arrays(decoded: DecodedFile, choices: Mapping[str, Any], seed: int) -> Dataset:
    import numpy as np

    from .arrays import from_arrays

    def array(role: str) -> Any:
        if choices.get(role) not in decoded.arrays:
            have = ", ".join(decoded.arrays)
            raise DatasetError(
                f"there is no array {choices.get(role)!r} for {role}: choose one of {have}"
            )
        return decoded.arrays[choices[role]]

    x, y, tested = array("x"), array("y"), None
    if choices.get("x_test"):
        x_test, y_test = array("x_test"), array("y_test")
        if x.shape[1:] != x_test.shape[1:] or len(x_test) != len(y_test):
            raise DatasetError(
                f"the test part has the shape {x_test.shape} and {len(y_test)} targets, the rest "
                f"{x.shape}: give rows of the same shape, and a target for each"
            )
        tested = np.arange(len(x) + len(x_test)) >= len(x)
        x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
    lengths = array("lengths") if choices.get("lengths") else None
    task, layout = choices.get("task"), choices.get("layout")
    return from_arrays(x, y, task, seed=seed, layout=layout, lengths=lengths, tested=tested)


def _name(upload: str, choices: Mapping[str, Any]) -> str:
    said = json.dumps([upload, dict(choices)], sort_keys=True, default=list)
    return f"table-{blake2b(said.encode(), digest_size=10).hexdigest()}"


def _find_upload(upload: str) -> Path:
    directory = make_folder() / upload
    if not UPLOAD.fullmatch(upload) or not directory.is_dir():
        raise DatasetError(f"this upload is not kept any more: {GONE}")
    return directory


def _write(file: Path, content: bytes | memoryview) -> None:
    """Write a file whole or not at all."""
    beside = file.with_name(f"{file.name}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)


def _find_user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0
