"""A fit's key is made of its samples, split, seeds and stages, and of nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sql

import data
from compression import studies
from compression.studies import contents, fit, version
from compression.studies.contents import find_contents, read_contents
from compression.studies.estimate import estimate_time
from compression.studies.store import CONTENTS, identify
from compression.studies.study_store import StudyStore
from compression.studies.version import STAGES
from data import catalog
from tests.processes import print_by_hash_seed

CURVES = {
    "low_rank": studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1]}),
    "few_bits": studies.Curves("low_rank", {"method": "cp", "ranks": [1]}, bits=(4,)),
    "constrained": studies.Curves("constrained", {"constraint": "box", "bounds": [0.5]}),
    "baseline": studies.Curves("baseline", {"method": "rounding", "knobs": [8]}),
    "combined": studies.Curves("combined", {"method": "low_rank_then_constrained", "ranks": [1]}),
}
STUDY = studies.Study("keys", ("iris",), ("mlp",), (0,), tuple(CURVES.values()), epochs=1)


def forget_versions():
    """Of a process, whose files do not change."""
    version.name_libraries.cache_clear()
    version.code_version.cache_clear()
    version.stage_version.cache_clear()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the project's files."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("compression", "data", "pages"):
        shutil.copytree(
            version.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.fixture
def project(sources, monkeypatch):
    """The copy stands in for the project while versions are made."""
    monkeypatch.setattr(version, "ROOT", sources)
    forget_versions()
    yield sources
    forget_versions()


def make_keys():
    forget_versions()
    reference = next(STUDY.references())
    requests = dict(zip(CURVES, STUDY.curve_requests(reference), strict=True))
    keys = {name: identify(request) for name, request in requests.items()}
    folded = studies.Study("folds", ("iris",), ("mlp",), (0,), STUDY.curves, folds=3)
    return keys | {"reference": identify(reference), "folds": identify(next(folded.references()))}


ALL = {*CURVES, "reference", "folds"}
WITH_LOW_RANK = ALL - {"reference"}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("compression/training.py", ALL),
        ("compression/studies/fit.py", ALL),
        ("data/splitting.py", ALL),
        ("compression/low_rank/truncated_svd.py", WITH_LOW_RANK),
        ("compression/constrained/training/setup.py", {"constrained", "combined"}),
        ("compression/combined/jointly.py", {"combined"}),
        ("compression/baselines/rounding.py", {"baseline"}),
        ("compression/few_bits.py", {"few_bits"}),
        ("compression/quantization.py", {"few_bits", "baseline"}),
        ("compression/studies/folds.py", {"folds"}),
        ("compression/studies/html_report.py", set()),
        ("compression/studies/export.py", set()),
        ("compression/studies/overview.py", set()),
        ("compression/studies/driver.py", set()),
        ("compression/onnx_export.py", set()),
        ("pages/studies.py", set()),
        ("pages/views/studies/tasks.py", set()),
        # What the samples are is in a key by their own hash, wherever they come from.
        ("data/iris.py", set()),
        ("data/files/mnist_5k/mnist_5k.npz", set()),
    ],
)
def test_a_changed_source_changes_the_keys_of_the_stages_that_use_it(project, file, changed):
    before, content = make_keys(), (project / file).read_bytes()
    try:
        (project / file).write_bytes(content + b" ")
        after = make_keys()
    finally:
        (project / file).write_bytes(content)
    assert {name for name in before if before[name] != after[name]} == changed
    assert make_keys() == before


def test_a_library_of_another_version_changes_every_key(project, monkeypatch):
    before = make_keys()
    monkeypatch.setattr(version, "version", lambda name: "0")
    assert not set(before.values()) & set(make_keys().values())


def test_the_content_is_in_the_key_and_the_curves_keys():
    first, second = (next(STUDY.references({"iris": each * 64})) for each in "ab")
    assert first["content"] == 64 * "a"
    assert identify(first) != identify(second)
    curves = [{identify(each) for each in STUDY.curve_requests(it)} for it in (first, second)]
    assert not curves[0] & curves[1]
    assert next(STUDY.references())["content"] == data.hash_samples("iris")


def test_processes_make_the_same_keys_whatever_the_seed_of_their_hashes():
    program = (
        "import sys; from compression import studies\n"
        "from compression.studies.store import identify\n"
        "study = studies.read_study(sys.stdin.read())\n"
        "for each in study.references():\n"
        "    print(identify(each), *map(identify, study.curve_requests(each)))\n"
    )
    text = (
        'name = "n"\ndatasets = ["iris", "planted"]\nmodels = ["mlp"]\nseeds = 2\n'
        '[[curves]]\nfamily = "baseline"\nmethod = "rounding"\nknobs = [2, 8]\nbits = [4]\n'
    )
    said = print_by_hash_seed(program, text)
    study = studies.read_study(text)
    keys = [
        " ".join([identify(each), *map(identify, study.curve_requests(each))])
        for each in study.references()
    ]
    assert said == {"\n".join(keys) + "\n"}


IMPORTED = """
import json, sys
from compression import studies
from compression.studies import fit

study, stage = studies.read_study(sys.argv[1]), sys.argv[2]
reference = next(study.references())
done = fit.compute(reference)
assert not done.sentence, done.sentence
for request in study.curve_requests(reference) if stage != "reference" else ():
    curve = fit.compute(request, done.content)
    assert not curve.sentence, curve.sentence
print(json.dumps([name for name in sys.modules if name.split(".")[0] in ("compression", "data")]))
"""
# What says which fits there are, and what every worker imports for folds that it may be given.
NOT_OF_A_STAGE = {
    *("compression/studies/specification.py", "compression/studies/version.py"),
    *("compression/studies/folds.py", "data/planted.py"),
}


@pytest.mark.parametrize(
    ("stage", "curve"),
    [
        ("reference", 'family = "baseline"\nmethod = "rounding"'),
        ("low_rank", 'family = "low_rank"\nmethod = "activation_aware_svd"\nranks = [1]'),
        ("few_bits", 'family = "low_rank"\nmethod = "truncated_svd"\nranks = [1]\nbits = [4]'),
        ("constrained", 'family = "constrained"\nconstraint = "l1"\nbounds = [0.5]'),
        ("baseline", 'family = "baseline"\nmethod = "quantization_aware"\nknobs = [4]\nepochs = 1'),
        (
            "combined",
            'family = "combined"\nmethod = "jointly"\nranks = [1]\nbounds = [0.5]\nepochs = 1',
        ),
    ],
)
def test_a_stage_that_runs_loads_no_module_that_its_version_leaves_out(stage, curve):
    """What ``tests/architecture/test_stages.py`` reads in the sources is so when they run."""
    text = (
        'name = "n"\ndatasets = ["planted"]\nmodels = ["softmax_regression"]\nseeds = 1\n'
        f"epochs = 1\n[[curves]]\n{curve}\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTED, text, stage],
        cwd=version.ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    paths = [Path(*name.split(".")).with_suffix(".py") for name in json.loads(ran.stdout)]
    files = {path.as_posix() for path in paths if (version.ROOT / path).is_file()}
    assert len(files) > 20
    named = {*STAGES["data"], *STAGES["reference"], *STAGES[stage]}
    if stage == "few_bits":
        named |= {*STAGES["low_rank"]}
    globs = [each if each.endswith(".py") else f"{each}/**/*.py" for each in named]
    listed = {
        file.relative_to(version.ROOT).as_posix() for g in globs for file in version.ROOT.glob(g)
    }
    assert files - listed - NOT_OF_A_STAGE == set()


@pytest.fixture
def store(url):
    store = StudyStore(url)
    yield store
    store.close()


SMALL = studies.Study("small", ("iris",), ("softmax_regression",), (0,), (CURVES["baseline"],), 2)


def run(study, store):
    return studies.run(study, store, studies.SerialExecutor())


def refuse_to_load(name):
    raise AssertionError(f"{name} is loaded")


def test_a_hash_is_remembered_in_the_store_and_nothing_is_loaded_for_it(store, monkeypatch):
    assert find_contents(["iris"], store) == {}
    expected = {name: data.hash_samples(name) for name in ("iris", "wine")}
    assert read_contents(["iris"], store) == {"iris": expected["iris"]}
    assert read_contents(["iris", "wine"], store) == expected
    monkeypatch.setattr(data, "hash_samples", refuse_to_load, raising=False)
    assert (
        read_contents(["wine", "iris"], store) == find_contents(["iris", "wine"], store) == expected
    )
    assert find_contents(["digits"], store) == {}


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [(contents.socket, "gethostname", "another"), (contents, "code_version", "another")],
)
def test_what_other_machines_and_versions_remember_is_not_taken(
    store, monkeypatch, owner, name, value
):
    read_contents(["iris"], store)
    monkeypatch.setattr(owner, name, lambda *arguments: value)
    assert find_contents(["iris"], store) == {}
    assert read_contents(["iris"], store) == {"iris": data.hash_samples("iris")}
    assert len(store.read(sql.select(CONTENTS))) == 2


def test_an_estimate_takes_the_hash_that_another_machine_remembers(store, monkeypatch):
    assert run(SMALL, store).done == 2
    monkeypatch.setattr(contents.socket, "gethostname", lambda: "another")
    monkeypatch.setattr(data, "hash_samples", refuse_to_load, raising=False)
    assert estimate_time(SMALL, store).fits == 0
    wine = studies.Study("w", ("wine",), SMALL.models, (0,), SMALL.curves, SMALL.epochs)
    assert estimate_time(wine, store).fits == 2  # which nobody has hashed


def test_an_upload_s_name_is_its_content(store):
    name = "table-" + 20 * "1"
    assert find_contents([name], store) == read_contents([name], store) == {name: name}
    assert store.read(sql.select(CONTENTS)) == []


def test_a_kept_study_is_opened_without_its_dataset(store, monkeypatch):
    assert run(SMALL, store).done == 2
    monkeypatch.setattr(data, "hash_samples", refuse_to_load, raising=False)
    monkeypatch.setattr(data, "load", refuse_to_load, raising=False)
    assert run(SMALL, store).done == 2
    assert estimate_time(SMALL, store).fits == 0


class ChangedEntry(data.Entry):
    """Iris with another last bit of one number: as a patched library would have it."""

    def samples(self):
        samples = super().samples()
        x = np.array(samples.x, dtype=float)
        x[7, 2] = np.nextafter(x[7, 2], 100)
        return data.Samples(x, samples.y, samples.feature_names, samples.class_names)


def change_iris(monkeypatch):
    iris = ChangedEntry(**vars(data.DATASETS["iris"]))
    monkeypatch.setattr(catalog, "DATASETS", data.DATASETS | {"iris": iris})


def test_a_changed_sample_gives_its_fits_a_sentence_and_no_rows(monkeypatch):
    reference = next(SMALL.references())
    good = fit.compute(reference)
    assert (good.sentence, len(good.rows)) == ("", 1)
    change_iris(monkeypatch)
    reference["seed"] = 1  # Of seed 0 this process has the split.
    bad = fit.compute(reference)
    assert bad.sentence == fit.OTHER_SAMPLES.format("iris")
    assert bad.content is None
    assert bad.rows.empty
    (request,) = SMALL.curve_requests(reference)
    curve = fit.compute(request, good.content)
    assert curve.sentence == bad.sentence
    assert curve.rows.empty


def test_a_study_of_changed_samples_fails_once_and_then_has_keys_of_its_own(store, monkeypatch):
    assert run(SMALL, store).failed == 0
    more = studies.Study("more", SMALL.datasets, SMALL.models, (0, 1), SMALL.curves, SMALL.epochs)
    change_iris(monkeypatch)
    first = run(more, store)  # The store remembers what iris was.
    assert (first.done, first.failed) == (4, 2)
    assert set(studies.table(store, "more")["seed"]) == {0}  # of the old samples
    again = run(more, store)
    assert (again.done, again.failed) == (4, 0)
    requests = [json.loads(text) for text in store.study_fits("more")["request"]]
    named = {request.get("reference", request)["content"] for request in requests}
    assert named == {data.hash_samples("iris")}
    assert set(studies.table(store, "more")["seed"]) == {0, 1}


def test_a_curve_s_version_is_no_part_of_what_its_rows_are_called(store):
    run(SMALL, store)
    assert set(studies.table(store, "small")["label"]) == {"reference", "rounding"}
    assert studies.list_kept(store)["what"].tolist().count("rounding") == 1
