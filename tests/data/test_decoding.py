"""Files from strangers: read right, or refused in one sentence; nothing is executed, nothing hangs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from data import DatasetError, reading
from data.decoding import limits
from data.decoding.__main__ import decode, main
from data.decoding.limits import Refusal, clean_names
from tests.compression.graphs.watched_folders import move_into, take_stock
from tests.data.hostile_files import (
    ARRAYS,
    GOOD,
    PARQUET,
    READ,
    REFUSED,
    archive,
    as_csv,
    header,
    npy_of,
    plain_npy,
)


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_one_sentence(case):
    name, content, words = REFUSED[case]
    if case == "Parquet of bytes":
        words = "every column holds bytes"
    with pytest.raises(Refusal, match=words) as caught:
        decode(content, name)
    said = str(caught.value)
    assert "\n" not in said
    assert said.isprintable()
    assert len(said) < 260


@pytest.mark.parametrize("case", READ)
def test_an_unusual_file_is_read_right(case):
    name, content, holds = READ[case]
    found, remarks = decode(content, name)
    assert holds(found)
    assert all(remark.endswith(".") for remark in remarks)


def test_there_are_many_hostile_files():
    assert len(REFUSED) >= 60


def test_too_many_cells_are_sampled_and_both_counts_are_said(monkeypatch):
    monkeypatch.setattr(limits, "MOST_CELLS", 80)
    for name, content in (("a.csv", as_csv()), ("a.parquet", PARQUET)):
        found, remarks = decode(content, name)
        assert 5 < found.num_rows < 36
        assert any(f"{found.num_rows} of 40 rows" in remark for remark in remarks)
    monkeypatch.setattr(limits, "MOST_DECLARED_CELLS", 100)
    for name, content in (("a.csv", as_csv()), ("a.parquet", PARQUET)):
        with pytest.raises(Refusal, match="more than 100 cells"):
            decode(content, name)


def test_a_file_goes_through_its_own_process_and_comes_back(tmp_path):
    kept = {}
    for name, content in (("a.csv", as_csv()), ("b.npz", ARRAYS)):
        (tmp_path / name).write_bytes(content)
        facts = reading.decode_file(tmp_path / name, name, tmp_path / f"{name}-out")
        kept[name] = reading.read_decoded(tmp_path / f"{name}-out", facts)
    np.testing.assert_array_equal(kept["a.csv"].frame["length"], GOOD["length"])
    np.testing.assert_array_equal(kept["a.csv"].frame["when"], GOOD["when"])
    np.testing.assert_array_equal(kept["b.npz"].arrays["x"], np.arange(12.0).reshape(4, 3))


def test_memory_is_bounded_where_a_file_unpacks_to_more(tmp_path):
    size = 80 * 2**20
    (tmp_path / "bomb").write_bytes(archive(("x.npy", npy_of(header((size,), "|u1"), bytes(size)))))
    code = (
        "import sys; from data.decoding import limits; limits.MEMORY = 40 * 2**20\n"
        "from data.decoding.__main__ import main; print(main(*sys.argv[1:]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "bomb"), "a.npz", str(tmp_path / "out")],
        cwd=reading.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "takes more memory than it may" in run.stdout, run.stderr


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("while True: pass", "takes longer"),
        ("import os; os.abort()", "takes more memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "is damaged"),
        ("print('not what was asked')", "is damaged"),
    ],
)
def test_a_reader_that_hangs_or_dies_ends_in_a_sentence(code, sentence, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(b"a\n1\n")
    monkeypatch.setattr(reading, "seconds_for", lambda size: 0.2)
    if sentence != "takes longer":
        monkeypatch.setattr(reading, "PATIENCE", 100)
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}"\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    with pytest.raises(DatasetError, match=sentence):
        reading.decode_file(tmp_path / "a.csv", "a.csv", tmp_path / "out")


# What the decoding process does, of many files in one process.
DECODE = """
import json, sys
import data.decoding.limits as limits
from data.decoding.__main__ import main
limits.limit_process = lambda size: None
print(json.dumps({place: "error" in main(place, name, f"{place}-out")
                  for place, name in json.loads(sys.argv[1]).items()}))
"""


def test_hostile_tables_write_nothing_but_what_was_read_in_their_own_folder(tmp_path, monkeypatch):
    folders = move_into(tmp_path, monkeypatch)
    climbing = {
        f"a part at {place}": (
            "a.npz",
            archive(("x.npy", plain_npy(np.ones(3))), (f"{place}written", b"1"), ("y.npy", b"")),
            "",
        )
        for place in ("../", "../../", "", f"{folders['home']}/")
    }
    with tempfile.TemporaryDirectory() as session:
        places = {}
        for number, (name, content, _) in enumerate((REFUSED | READ | climbing).values()):
            places[f"{session}/{number}"] = name
            Path(f"{session}/{number}").write_bytes(content)
        before = take_stock(tmp_path)
        run = subprocess.run(
            [sys.executable, "-c", DECODE, json.dumps(places)],
            env=os.environ | {"PYTHONPATH": str(reading.ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert run.returncode == 0, run.stderr[-800:]
        refused = json.loads(run.stdout)
        after = take_stock(tmp_path)
        read = {place for place, was_refused in refused.items() if not was_refused}
        assert len(read) == len(READ)
        own = str(Path(session).relative_to(tmp_path))
        new = {str(tmp_path / path) for path in after.keys() - before.keys()}
        assert {path.rsplit("-out.", 1)[0] for path in new} == read
        assert len(new) == len(read)
        changed = {path for path in before if after.get(path) != before[path]}
        assert changed <= {own}
    del before[own]
    left = take_stock(tmp_path)
    assert left.keys() == {path for path in before if not path.startswith(f"{own}/")}
    kept = {name for name in left if name.endswith("kept.txt")}
    assert len(kept) == 3
    assert all(left[name] == before[name] for name in kept)


def test_a_file_above_the_most_bytes_is_refused_with_both_sizes(tmp_path, monkeypatch):
    content = as_csv()
    monkeypatch.setattr(limits, "limit_process", lambda size: None)
    (tmp_path / "a").write_bytes(content)
    monkeypatch.setattr(limits, "MOST_BYTES", len(content))
    assert main(str(tmp_path / "a"), "a.csv", str(tmp_path / "out"))["rows"] == len(GOOD)
    monkeypatch.setattr(limits, "MOST_BYTES", len(content) - 1)
    size = f"the file has {len(content) / 1e6:,.0f} MB, and at most {len(content) / 1e6:,.0f} MB"
    (tmp_path / "out.arrow").unlink()
    assert size in main(str(tmp_path / "a"), "a.csv", str(tmp_path / "out"))["error"]
    assert not (tmp_path / "out.arrow").exists()
    with pytest.raises(Refusal, match=f"{size} can be read: give fewer rows, or write Parquet"):
        decode(content, "a.csv")


# In one process of its own: pyarrow may end the process that reads a forged file.
MUTATE = """
import json, random, sys
from pathlib import Path
from data.decoding.__main__ import main
files, rounds, folder = json.loads(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
chance, said = random.Random(int(sys.argv[4])), {}
import data.decoding.limits as limits
limits.limit_process = lambda size: None
for round in range(rounds):
    name = files[round % len(files)]
    content = bytearray((folder / name).read_bytes())
    for _ in range(chance.choice([1, 1, 4, 32])):
        place = chance.randrange(len(content))
        how = chance.randrange(3)
        if how == 0: content[place] = chance.randrange(256)
        elif how == 1: del content[place : place + chance.randrange(1, 20)]
        else: content[place:place] = bytes(chance.randrange(256) for _ in range(4))
    (folder / "mutated").write_bytes(content)
    facts = main(str(folder / "mutated"), name, str(folder / "out"))
    kind = "refused" if "error" in facts else "read"
    said[kind] = said.get(kind, 0) + 1
    assert kind == "read" or (facts["error"] and "\\n" not in facts["error"]), facts
print(json.dumps(said))
"""


def mutate(folder: Path, rounds: int, seed: int = 0) -> dict[str, int]:
    """How many mutations of three good files were refused, and how many read."""
    for name, content in (("a.csv", as_csv()), ("b.parquet", PARQUET), ("c.npz", ARRAYS)):
        (folder / name).write_bytes(content)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            MUTATE,
            json.dumps(["a.csv", "b.parquet", "c.npz"]),
            str(rounds),
            str(folder),
            str(seed),
        ],
        cwd=reading.ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 0, run.stderr[-800:]
    return json.loads(run.stdout)


def test_mutations_of_good_files_end_in_a_table_or_a_sentence(tmp_path):
    said = mutate(tmp_path, 300)
    assert said["read"] + said["refused"] == 300
    assert said["refused"] > 100


def test_what_main_prints_is_one_line_that_names_no_path(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "limit_process", lambda size: None)
    (tmp_path / "a").write_bytes(b"a,b\n1\n2,3\n")
    said = json.dumps(main(str(tmp_path / "a"), "a.csv", str(tmp_path / "out")))
    assert "\n" not in said
    assert str(tmp_path) not in said


def test_names_are_shown_told_apart_and_short():
    names, remarks = clean_names(["a", "a", "", "x" * 500, "a (2)"])
    assert names == ["a", "a (3)", "column 3", "x" * limits.LONGEST_NAME, "a (2)"]
    assert len(remarks) == 1
