"""The rooms of the house: who may import whom, and what an import may cost."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import compression
import data

ROOT = Path(__file__).parents[1]

# app → pages → pages/shared → {compression, data}
MAY_IMPORT = {
    "app": {"pages", "shared", "compression", "data"},
    "pages": {"shared", "compression", "data"},
    "shared": {"shared", "compression", "data"},
    "compression": {"compression"},
    "data": {"data"},
}
WITHOUT_A_SCREEN = ("compression", "data")
# Of pages/shared: the pictures, and what runs in a worker process.
WITHOUT_STREAMLIT = ("figures", "results", "work", "worker")
HEAVY = (
    "torch",
    "cvxpy",
    "sklearn",
    "pandas",
    "scipy",
    "numpy",
    "matplotlib",
    "streamlit",
    "plotly",
)
CATALOGUES = {
    "models": compression.MODELS,
    "low-rank methods": compression.LOW_RANK_METHODS,
    "constraints": compression.CONSTRAINTS,
    "constrained methods": compression.CONSTRAINED_METHODS,
    "combined methods": compression.COMBINED_METHODS,
    "solvers": compression.SOLVERS,
    "datasets": data.DATASETS,
}
ENTRIES = [
    pytest.param(entry, id=f"{kind}: {entry.name}")
    for kind, catalogue in CATALOGUES.items()
    for entry in catalogue.values()
]


def room(module: str) -> str | None:
    """The room that a module stands in; None for a library, and for the bare package of the pages."""
    first, *rest = module.split(".")
    if first == "pages":
        return None if not rest else "shared" if rest[0] == "shared" else "pages"
    return first if first in ("app", "compression", "data") else None


def modules() -> dict[str, Path]:
    """Every module of the project by its dotted name, stubs included."""
    files = [ROOT / "app.py"]
    for folder in ("pages", "compression", "data"):
        files += sorted((ROOT / folder).rglob("*.py")) + sorted((ROOT / folder).rglob("*.pyi"))
    found = {}
    for file in filter(Path.exists, files):
        parts = file.relative_to(ROOT).with_suffix("").parts
        stub = " (stub)" if file.suffix == ".pyi" else ""
        found[".".join(parts) + stub] = file
    return found


def imports(source: str, module: str) -> set[str]:
    """Dotted names that a module's source imports, at its top or inside its functions."""
    package = module.removesuffix(" (stub)").split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            # What is imported from a package may be a module of it.
            found |= {origin} | {f"{origin}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(
            argument := (node.args or [None])[0], ast.Constant
        ):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in ("import_module", "__import__"):
                found.add(argument.value)
    return found


@cache
def project_imports() -> dict[str, set[str]]:
    return {
        name: imports(file.read_text(encoding="utf-8"), name) for name, file in modules().items()
    }


def trespasses(module: str, imported: set[str]) -> set[str]:
    """Imports that lead out of the module's room in a forbidden direction."""
    own = room(module.removesuffix(" (stub)"))
    if own is None:
        return set()
    wrong = {name for name in imported if room(name) not in MAY_IMPORT[own] | {None}}
    if own in WITHOUT_A_SCREEN:
        wrong |= {name for name in imported if name.split(".")[0] in ("streamlit", "plotly")}
    if module in {f"pages.shared.{name}" for name in WITHOUT_STREAMLIT}:
        wrong |= {name for name in imported if name.split(".")[0] == "streamlit"}
    return wrong


@pytest.mark.parametrize("module", modules())
def test_imports_lead_one_way_only(module):
    assert not trespasses(module, project_imports()[module])


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("compression.curve", "import data"),
        ("compression.curve", "from data import load"),
        ("compression.low_rank.factors", "def f():\n    import streamlit as st"),
        ("compression.low_rank.factors", "from plotly import graph_objects"),
        ("compression.low_rank.factors", "import importlib\nimportlib.import_module('data.iris')"),
        ("data.base", "from compression.errors import CompressionError"),
        ("data.base", "import plotly.express"),
        ("data.base", "from pages.shared import cache"),
        ("pages.shared.cache", "from pages import compare"),
        ("pages.shared.cache", "from .. import compare"),
        ("pages.shared.cache", "from ..compare import draw"),
        ("pages.shared.cache", "import app"),
        ("pages.shared.figures", "import streamlit"),
        ("pages.shared.figures", "from streamlit.runtime import exists"),
        ("pages.compare", "from pages.train import draw"),
        ("pages.compare", "import app"),
    ],
)
def test_a_broken_wall_is_noticed(module, source):
    assert trespasses(module, imports(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app", "from pages.shared import shell\nimport streamlit"),
        (
            "pages.compare",
            "from pages.shared import figures\nfrom compression import CompressionError",
        ),
        (
            "pages.shared.cache",
            "from . import jobs\nfrom .figures import curve\nimport data, compression",
        ),
        ("compression.curve", "from .low_rank.factors import Factors\nimport torch"),
        ("data.catalog", "from .base import prepare"),
    ],
)
def test_an_open_door_is_not_taken_for_a_broken_wall(module, source):
    assert not trespasses(module, imports(source, module))


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter, started in the project's folder, prints for this code."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def loaded_by(statement: str, libraries: tuple[str, ...]) -> set[str]:
    code = f"import sys; {statement}; print(*sorted(set({libraries!r}) & set(sys.modules)))"
    return set(python(code).split())


@pytest.mark.parametrize(
    "statement",
    [
        "import compression",
        "import compression; compression.MODELS, compression.SOLVERS, compression.CompressionError",
        "import data",
        "import data; [(entry.title, entry.shape) for entry in data.DATASETS.values()]",
    ],
)
def test_names_and_menus_cost_no_heavy_import(statement):
    assert not loaded_by(statement, HEAVY)


def shared_modules(names: tuple[str, ...] | None = None) -> list[str]:
    files = sorted((ROOT / "pages" / "shared").glob("*.py"))
    return [
        f"pages.shared.{file.stem}"
        for file in files
        if file.stem != "__init__" and (names is None or file.stem in names)
    ]


def test_the_pictures_and_the_worker_s_side_load_no_streamlit():
    found = shared_modules(WITHOUT_STREAMLIT)
    if not found:
        pytest.skip("none of them is written yet")
    assert not loaded_by(f"import {', '.join(found)}", ("streamlit",))


def test_the_app_s_own_process_loads_no_heavy_library_for_its_shared_modules():
    found = shared_modules()
    if not found:
        pytest.skip("none of them is written yet")
    assert not loaded_by(f"import {', '.join(found)}", ("torch", "cvxpy", "sklearn"))


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_line_of_a_catalogue_leads_to_its_implementation(entry):
    from importlib import import_module

    module, _, attribute = entry.where.partition(":")
    assert room(module) in WITHOUT_A_SCREEN
    assert callable(getattr(import_module(module), attribute))


@pytest.fixture
def standard_library_of_3_14(tmp_path):
    """A stand-in for the standard package named compression, and what Python 3.14 keeps in it."""
    package = tmp_path / "lib" / "compression"
    for name in ("", "_common", "gzip"):
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").write_text(f"NAME = 'standard {name}'\n")
    (package / "_common" / "_streams.py").write_text("BUFFER_SIZE = 1\n")
    return tmp_path / "lib"


def test_the_standard_package_of_the_same_name_is_found_through_ours(standard_library_of_3_14):
    code = f"""
import os
os.__file__ = {str(standard_library_of_3_14 / "os.py")!r}
import compression
import compression._common
import compression.gzip
from compression._common import _streams
from compression import gzip
print(compression.__file__)
print(compression._common.NAME, gzip.NAME, _streams.BUFFER_SIZE)
import compression.catalog, compression.low_rank.factors
print(compression.catalog.__file__)
print(len(compression.MODELS) > 0)
"""
    ours, standard, catalogue, models = python(code).splitlines()
    assert Path(ours) == ROOT / "compression" / "__init__.py"
    assert standard == "standard _common standard gzip 1"
    assert Path(catalogue) == ROOT / "compression" / "catalog.py"
    assert models == "True"


def test_without_a_standard_package_the_path_is_ours_alone():
    if sys.version_info >= (3, 14):
        pytest.skip("this Python has one")
    assert python("import compression; print(len(compression.__path__))").strip() == "1"


def test_archives_still_open_beside_our_package():
    assert python("import compression, gzip, bz2, lzma, zipfile; print('open')").strip() == "open"


@pytest.mark.parametrize("file", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_to_one_version(file):
    lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
    named = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert len(named) > 5
    assert [line for line in named if not re.fullmatch(r"[\w-]+==[\w.]+", line)] == []
