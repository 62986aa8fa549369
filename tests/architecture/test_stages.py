"""The version of a stage is made of all that the stage imports, and of no more."""

import ast
from functools import cache

import pytest

from compression.catalog import MODELS
from compression.studies.specification import FAMILIES
from compression.studies.version import ROOT, STAGES
from tests.architecture.test_imports import CATALOGUES, modules, project_imports

FIT = "compression.studies.fit"
# What a fit's worker imports of other stages, and what says which fits there are: a key has that.
NOT_OF_A_REFERENCE = (
    "compression.few_bits",
    "compression.studies.folds",
    "compression.studies.specification",
)
# What a catalogue's entries are loaded from, by the name that it has in compression/catalog.py.
LOADED_BY_NAME = {
    name: {entry.where.partition(":")[0] for entry in catalogue.values()}
    for name, catalogue in {
        "MODELS": MODELS,
        "LOW_RANK_METHODS": CATALOGUES["low-rank methods"],
        "CONSTRAINTS": CATALOGUES["constraints"],
        "CONSTRAINED_METHODS": CATALOGUES["constrained methods"],
        "COMBINED_METHODS": CATALOGUES["combined methods"],
        "SOLVERS": CATALOGUES["solvers"],
        "BASELINES": CATALOGUES["baselines"],
    }.items()
}


@cache
def lazy_names() -> dict[str, str]:
    """The public names of compression and data, and the module that each is loaded from."""
    names = {}
    for package in ("compression", "data"):
        stub = ast.parse(modules()[f"{package}.__init__ (stub)"].read_text(encoding="utf-8"))
        for node in stub.body:
            if isinstance(node, ast.ImportFrom):
                names |= {
                    f"{package}.{each.name}": f"{package}.{node.module}" for each in node.names
                }
    return names


@cache
def find_imports(module: str) -> set[str]:
    """Modules that a module imports: by its statements, by lazy names, and through catalogues."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    used = set(project_imports()[module])
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used.add(f"{node.value.id}.{node.attr}")
    named = {name.rpartition("catalog.")[2] for name in used if "catalog." in name}
    used |= {lazy_names()[name] for name in used if name in lazy_names()}
    used |= {each for name in named for each in LOADED_BY_NAME.get(name, ())}
    return used & modules().keys()


def find_all(roots: set[str], without: tuple[str, ...] = ()) -> set[str]:
    """The roots and all that they import, itself or through others."""
    reached: set[str] = set()
    ahead = set(roots)
    while ahead:
        reached |= ahead
        ahead = {name for each in ahead for name in find_imports(each)} - reached - {*without}
    return reached


def list_needed(stage: str) -> set[str]:
    if stage in ("data", "reference"):
        return find_all({FIT}, NOT_OF_A_REFERENCE)
    if stage == "folds":
        return find_all({"compression.studies.folds"})
    if stage == "few_bits":
        return find_all({"compression.few_bits"})
    module, _, name = FAMILIES[stage].where.partition(":")
    return find_all({lazy_names()[f"{module}.{name}"]})


def list_files(patterns: tuple[str, ...]) -> set[str]:
    globs = [each if each.endswith(".py") else f"{each}/**/*.py" for each in patterns]
    return {str(file.relative_to(ROOT)) for glob in globs for file in ROOT.glob(glob)}


def find_unlisted(needed: set[str], listed: set[str]) -> set[str]:
    paths = {str(modules()[name].relative_to(ROOT)) for name in needed}
    return {path for path in paths if not path.endswith("__init__.py")} - listed


def test_every_family_and_catalogue_is_known():
    assert {*FAMILIES, "data", "reference", "folds", "few_bits"} == STAGES.keys()
    catalogues = ast.parse((ROOT / "compression/catalog.py").read_text(encoding="utf-8"))
    names = {node.target.id for node in catalogues.body if isinstance(node, ast.AnnAssign)}
    assert names == LOADED_BY_NAME.keys()
    assert lazy_names()["compression.low_rank_curve"] == "compression.low_rank.curve"


@pytest.mark.parametrize("stage", STAGES)
def test_all_that_a_stage_imports_is_in_its_version(stage):
    patterns = (*STAGES["data"], *STAGES["reference"], *STAGES[stage])
    needed = list_needed(stage)
    assert len(needed) > 2
    assert not find_unlisted(needed, list_files(patterns))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_s_version_lists_nothing_that_it_does_not_import(stage):
    needed = {str(modules()[name].relative_to(ROOT)) for name in list_needed(stage)}
    assert [each for each in STAGES[stage] if not list_files((each,)) & needed] == []


def test_a_module_that_is_not_listed_is_noticed():
    listed = list_files((*STAGES["data"], *STAGES["reference"]))
    assert find_unlisted(list_needed("low_rank"), listed)
    for file in (
        "compression/evaluation.py",
        "compression/constrained/sets.py",
        "data/splitting.py",
    ):
        assert find_unlisted(list_needed("reference"), listed - {file}) == {file}
    assert "compression.low_rank.tucker2" in list_needed(
        "low_rank"
    )  # of which no module imports it


@pytest.mark.parametrize(
    "file",
    [
        *("html_report", "export", "overview", "kept", "driver", "comparison", "atlas"),
        *("executors", "estimate", "study_store", "winners"),
    ],
)
def test_what_only_shows_or_runs_a_study_is_in_no_version(file):
    path = ROOT / "compression" / "studies" / f"{file}.py"
    assert path.exists()
    assert not any(str(path.relative_to(ROOT)) in list_files(each) for each in STAGES.values())
    assert not any("pages" in pattern for each in STAGES.values() for pattern in each)
