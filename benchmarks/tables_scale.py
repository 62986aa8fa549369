"""A person's own table: time and memory against rows and columns, what the page expects of them
against what they take, and 10,000 mutated files."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from data import reading
from data.decoding import limits
from tests.data.test_decoding import mutate

from .table import Row

SIZES = ((10_000, 50), (100_000, 50), (500_000, 50), (100_000, 400))
EXPECTED, TRAINED_EPOCHS, NEAR = ((10_000, 50), (100_000, 400)), 3, 3
GIANT, HELD = (500_000, 500), 4 * 50_000_000
GIANT_SECONDS = 30  # of a processor, to reach: somebody waits for it
CSV_ROWS = 200_000
MUTATIONS = 10_000

# In a process of its own. What getrusage gives may be the peak of the process that started it, or
# of reading the frame: the peak starts from where this one begins.
PEAK = """
import ctypes
def kib(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name))
def begin():
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as peaks:
        peaks.write("5")
    return kib("VmRSS")
"""
MEASURE = """
import json, sys, time
import numpy as np, pandas as pd
import data.tables, data.encoding, sklearn.model_selection
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
way, frame = sys.argv[2], pd.read_parquet(sys.argv[1])
before, began = begin(), time.process_time()
if way == "ours":
    made = data.tables.read_table(frame, "y").prepare(0, name="x", title="x")
    parts = [made.x_train, made.x_test]
else:
    fit, rest = sklearn.model_selection.train_test_split(frame, test_size=0.32, stratify=frame["y"])
    names = [[c for c in frame if c.startswith(kind)] for kind in "nc"]
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    texts = OneHotEncoder(
        max_categories=32, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    both = make_column_transformer((numbers, names[0]), (texts, names[1]))
    parts = [both.fit_transform(fit).astype(np.float32), both.transform(rest).astype(np.float32)]
seconds = time.process_time() - began
print(json.dumps([seconds, (kib("VmHWM") - before) * 1024, sum(part.nbytes for part in parts)]))
"""


def write_table(rows: int, columns: int, file: Path) -> None:
    """Four numbers to one text of eight values; 2 % of the cells are missing."""
    random = np.random.default_rng(0)
    made = {
        f"{'c' if n % 5 == 0 else 'n'}{n}": random.choice(list("abcdefgh"), rows)
        if n % 5 == 0
        else np.where(random.random(rows) < 0.02, np.nan, random.normal(size=rows))
        for n in range(columns)
    }
    pd.DataFrame(made | {"y": random.integers(0, 3, rows).astype(str)}).to_parquet(file)


def measure(file: Path, way: str) -> tuple[float, float, int]:
    """Processor seconds, bytes of memory beside the frame, and bytes of the result."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK + MEASURE, str(file), way],
        cwd=reading.ROOT,
        env=os.environ | reading.OWN,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(json.loads(run.stdout))


def scale_rows() -> Iterator[Row]:
    for rows, columns in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "table.parquet"
            write_table(rows, columns, file)
            seconds, taken, size = measure(file, "ours")
            peer_seconds, peer_taken, _ = measure(file, "scikit-learn")
        named = f"{rows:,} × {columns} table"
        yield Row(
            f"{named}: look, split, encode",
            f"{seconds:.1f} s of a processor",
            f"{peer_seconds:.1f} s, scikit-learn's split and encoders alone",
            seconds / peer_seconds,
            "<= 2",
            seconds <= 2 * peer_seconds,
        )
        ratio = taken / size
        yield Row(
            f"{named}: memory beside the frame",
            f"{taken / 1e6:.0f} MB",
            f"{size / 1e6:.0f} MB result; scikit-learn {peer_taken / 1e6:.0f} MB",
            ratio,
            "<= 3" if size > 50e6 else "",
            ratio <= 3 if size > 50e6 else None,
        )


# What the page Your data says before training, and what a process takes that trains and computes
# a curve: it says both before it has done either.
EXPECT = """
import json, sys, time
import pandas as pd
import compression, data
from compression.duration import training_seconds
from compression.models import recipe_of
made, epochs = data.from_table(pd.read_parquet(sys.argv[1]), "y"), int(sys.argv[2])
expected = [training_seconds(made), data.review(made).bytes]
began = time.perf_counter()
trained = compression.train(made, model="mlp", epochs=epochs)
seconds = (time.perf_counter() - began) / epochs * recipe_of("mlp", made).epochs
compression.low_rank_curve(trained, made, ranks=[1, 8, 64])
print(json.dumps([*expected, seconds, kib("VmHWM") * 1024]))
"""


def expected_rows() -> Iterator[Row]:
    for rows, columns in EXPECTED:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "table.parquet"
            write_table(rows, columns, file)
            run = subprocess.run(
                [sys.executable, "-c", PEAK + EXPECT, str(file), str(TRAINED_EPOCHS)],
                cwd=reading.ROOT,
                env=os.environ | reading.OWN,
                capture_output=True,
                text=True,
                check=True,
            )
        expected_seconds, expected_bytes, seconds, taken = json.loads(run.stdout)
        named, goal = f"{rows:,} × {columns} table", f"1/{NEAR} to {NEAR}"
        ratio = expected_seconds / seconds
        yield Row(
            f"{named}: seconds of training that the page expects",
            f"{expected_seconds:,.0f} s",
            f"{seconds:,.0f} s, {TRAINED_EPOCHS} epochs and the others as long",
            ratio,
            goal,
            1 / NEAR <= ratio <= NEAR,
        )
        ratio = expected_bytes / taken
        yield Row(
            f"{named}: memory of a curve that the page expects",
            f"{expected_bytes / 1e6:,.0f} MB",
            f"{taken / 1e6:,.0f} MB at most, reading and training included",
            ratio,
            goal,
            1 / NEAR <= ratio <= NEAR,
        )


# From the file that somebody brings to the dataset, with the peak of the process that decodes it.
WHOLE = """
import json, resource, sys
from pathlib import Path
import data.tables, data.reading, data.encoding, sklearn.model_selection
file, out = Path(sys.argv[1]), Path(sys.argv[2])
before = begin()
found = data.reading.read_decoded(out, data.reading.decode_file(file, file.name, out))
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
made = data.tables.read_table(found.frame, "y").prepare(0, name="x", title="x")
own = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = sum(part.ru_utime + part.ru_stime for part in own)
rows = len(made.x_train) + len(made.x_test)
print(json.dumps([seconds, child, kib("VmHWM") - before, rows, made.x_train.shape[1]]))
"""


def write_giant(file: Path) -> None:
    """500,000 rows of 500 numbers of 16 values each, ten groups of rows."""
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(0)
    rows, columns = GIANT
    writer = None
    for _ in range(10):
        values = random.integers(0, 16, (columns, rows // 10)).astype(np.float32) / 4
        made = {f"n{n}": column for n, column in enumerate(values[:-1])}
        part = pa.table(made | {"y": random.integers(0, 3, rows // 10)})
        writer = writer or parquet.ParquetWriter(file, part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def giant_rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "giant.parquet"
        write_giant(file)
        size = file.stat().st_size
        run = subprocess.run(
            [sys.executable, "-c", PEAK + WHOLE, str(file), str(Path(folder) / "out")],
            cwd=reading.ROOT,
            env=os.environ | reading.OWN,
            capture_output=True,
            text=True,
            check=True,
        )
    seconds, child, parent, rows, features = json.loads(run.stdout)
    named = f"{GIANT[0]:,} × {GIANT[1]} Parquet of {size / 1e6:.0f} MB"
    yield Row(
        f"{named}: from the file to a dataset",
        f"{rows:,} rows × {features} in {seconds:.0f} s of a processor",
        f"{GIANT_SECONDS} s; 50,000,000 numbers are held at most",
        seconds / GIANT_SECONDS,
        "<= 1",
        seconds <= GIANT_SECONDS and rows * features <= limits.MOST_CELLS,
    )
    parts = {
        "decoding it": (child, limits.MEMORY + 5 * size, "what the decoding process is given"),
        "looking, splitting and encoding": (parent, 3 * HELD, "three times the sample in float32"),
    }
    for what, (kib, most, named_most) in parts.items():
        taken = kib * 1024
        yield Row(
            f"{named}: memory of {what}",
            f"{taken / 1e6:,.0f} MB",
            f"{most / 1e6:,.0f} MB, {named_most}",
            taken / most,
            "<= 1",
            taken <= most,
        )


def reading_row() -> Row:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(CSV_ROWS, 20)).round(5))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.csv"
        frame.to_csv(file, index=False)
        began = time.perf_counter()
        facts = reading.decode_file(file, "a.csv", Path(folder) / "out")
        decoded = reading.read_decoded(Path(folder) / "out", facts)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        peer = pd.read_csv(file)
        theirs = time.perf_counter() - began
        assert decoded.frame is not None
        np.testing.assert_allclose(decoded.frame.to_numpy(), peer.to_numpy())
        size = file.stat().st_size / 1e6
    question = f"CSV of {size:.0f} MB in a bounded process of its own"
    return Row(
        question,
        f"{ours:.1f} s",
        f"{theirs:.1f} s, pandas.read_csv here",
        ours / theirs,
        "<= 3",
        ours <= 3 * theirs,
    )


def mutation_row(seed: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        said = mutate(Path(folder), MUTATIONS, seed)
    ended = said.get("read", 0) + said.get("refused", 0)
    return Row(
        "mutations of CSV, Parquet and NPZ that end in a table or a sentence",
        f"{ended:,}: {said.get('refused', 0):,} refused",
        f"{MUTATIONS:,} tried",
        ended / MUTATIONS,
        "1",
        ended == MUTATIONS,
    )


def rows(seed: int = 0) -> Iterator[Row]:
    yield from scale_rows()
    yield from expected_rows()
    yield from giant_rows()
    yield reading_row()
    yield mutation_row(seed)
