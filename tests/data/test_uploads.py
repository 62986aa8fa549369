"""Uploads are kept by their content, found by every process, and gone with a sentence."""

import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import data
from data import DatasetError, uploads
from data.reading import ROOT
from tests.data.hostile_files import as_npz

RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RANDOM.normal(size=90), "b": ["u", "v"] * 45, "y": np.arange(90) % 3})
CHOICES = {
    "title": "My <b>table</b>.csv",
    "target": "y",
    "task": "classification",
    "roles": {"b": "feature"},
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPRESS_UPLOADS", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


def keep(choices=CHOICES, table=TABLE):
    upload = uploads.keep_file(table.to_csv(index=False).encode())
    assert uploads.decode(upload, "a.csv")["kind"] == "table"
    return uploads.keep_dataset(upload, choices)


def test_an_upload_is_a_dataset_like_any_other_in_every_process():
    name = keep()
    made, direct = (
        data.load(name, seed=2),
        data.from_table(TABLE, "y", task="classification", seed=2),
    )
    np.testing.assert_array_equal(made.x_train, direct.x_train)
    np.testing.assert_array_equal(made.y_test, direct.y_test)
    assert made.name == name
    entry = data.find(name)
    assert (entry.task, entry.classes, entry.input_shape, entry.shape) == (
        "classification",
        3,
        (3,),
        (90, 3),
    )
    assert entry.title == f"My b table b .csv ({name})"
    code = f"import data; print(data.load({name!r}, 2).fingerprint)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.stdout.strip() == made.fingerprint


def test_the_same_bytes_and_choices_have_the_same_name_and_no_others_do():
    name = keep()
    assert keep() == name
    assert keep(CHOICES | {"task": "regression"}) != name
    assert keep(table=TABLE.assign(a=TABLE["a"] + 1)) != name


def test_a_dataset_that_is_not_kept_any_more_says_so(own_folder):
    name = keep()
    for file in own_folder.glob("table-*"):
        file.unlink()
    for ask in (data.load, data.find):
        with pytest.raises(DatasetError, match=r"not kept any more: .* upload the file again"):
            ask(name)
    name = keep()
    for folder in own_folder.glob("file-*"):
        os.rename(folder, f"{folder}-elsewhere")
    with pytest.raises(DatasetError, match="not kept any more"):
        data.find(name)


def test_what_was_not_used_for_long_goes_and_what_is_used_stays(own_folder, monkeypatch):
    old, used = (keep(table=TABLE.assign(a=TABLE["a"] + n)) for n in range(2))
    past = time.time() - 8 * 86_400
    for entry in own_folder.iterdir():
        os.utime(entry, (past, past))
    data.find(used)
    new = keep(table=TABLE.assign(a=TABLE["a"] + 9))
    with pytest.raises(DatasetError):
        data.find(old)
    assert data.find(used).name == used
    assert data.find(new).name == new
    monkeypatch.setattr(uploads, "KEPT_BYTES", 1)
    keep(table=TABLE.assign(a=TABLE["a"] + 3))
    assert len(list(own_folder.glob("file-*"))) == 1


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "table-", "file-00000000000000000000", "table-" + "0" * 20, "/", None],
)
def test_a_made_up_name_opens_nothing(name):
    with pytest.raises(DatasetError, match=r"no dataset named|not kept any more"):
        data.load(name)
    for ask in (uploads.read, lambda upload: uploads.decode(upload, "a.csv")):
        with pytest.raises(DatasetError, match="not kept any more"):
            ask(str(name))


def test_the_folder_is_one_s_own(own_folder, tmp_path, monkeypatch):
    keep()
    assert own_folder.stat().st_mode & 0o077 == 0
    monkeypatch.delenv("COMPRESS_UPLOADS")
    monkeypatch.setattr(uploads.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"compress-uploads-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="belongs to somebody else"):
        uploads.keep_file(b"a\n1\n")


def test_a_file_that_cannot_be_read_leaves_nothing_behind(own_folder):
    upload = uploads.keep_file(b"a,b\n1,\x00\n")
    with pytest.raises(DatasetError, match="zero bytes"):
        uploads.decode(upload, "a.csv")
    assert [file.name for file in (own_folder / upload).iterdir()] == ["original"]


def test_arrays_keep_their_test_part_and_are_asked_for_their_layout():
    x = RANDOM.integers(0, 255, (60, 5, 4)).astype(np.uint8)
    upload = uploads.keep_file(
        as_npz(x_train=x[:40], y_train=np.arange(40) % 2, x_test=x[40:], y_test=np.arange(20) % 2)
    )
    assert uploads.decode(upload, "a.npz")["arrays"]["x_train"] == [40, 5, 4]
    choices = {
        "title": "a.npz",
        "x": "x_train",
        "y": "y_train",
        "x_test": "x_test",
        "y_test": "y_test",
        "task": "classification",
    }
    with pytest.raises(DatasetError, match="can be read in several ways"):
        uploads.keep_dataset(upload, choices)
    made = data.load(uploads.keep_dataset(upload, choices | {"layout": "NHW"}))
    assert made.input_shape == (1, 5, 4)
    own = np.rint((made.x_test * made.scale + made.mean) * 255).astype(int)
    np.testing.assert_array_equal(own.reshape(20, 5, 4), x[40:])
    with pytest.raises(DatasetError, match="no array 'nothing' for y: choose one of x_train"):
        uploads.keep_dataset(upload, choices | {"y": "nothing"})


def test_sequences_of_an_upload_are_padded_by_its_lengths_where_that_is_chosen():
    lengths = np.arange(60) % 5 + 2
    steps = np.arange(1.0, lengths.sum() + 1)
    padded = np.zeros((60, 6))
    for row, piece in zip(padded, np.split(steps, np.cumsum(lengths)[:-1]), strict=True):
        row[: len(piece)] = piece
    upload = uploads.keep_file(as_npz(x=steps, y=np.arange(60) % 2, lengths=lengths))
    assert uploads.decode(upload, "a.npz")["arrays"]["lengths"] == [60]
    choices = {"title": "a.npz", "x": "x", "y": "y", "task": "classification", "layout": None}
    with pytest.raises(DatasetError, match=r"the inputs have the shape \(240,\)"):
        uploads.keep_dataset(upload, choices)
    made = data.load(uploads.keep_dataset(upload, choices | {"lengths": "lengths"}))
    assert made.input_shape == (6,)
    own = np.concatenate([made.x_train, made.x_test]) * made.scale + made.mean
    np.testing.assert_allclose(own[np.argsort(own[:, 0])], padded, atol=1e-3)
    with pytest.raises(DatasetError, match="no array 'sizes' for lengths: choose one of x, y"):
        uploads.keep_dataset(upload, choices | {"lengths": "sizes"})
