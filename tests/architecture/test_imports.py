"""Which package may import which, and what an import may cost."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest

import compression
import data

ROOT = Path(__file__).parents[2]

# app → pages/*.py → pages/views/<page> → pages/shared → {compression, data}
MAY_IMPORT = {
    "app": {"page", "shared", "compression", "data"},
    "page": {"view", "shared", "compression", "data"},
    "view": {"shared", "compression", "data"},  # and its own page's package: see forbidden_imports
    "shared": {"shared", "compression", "data"},
    "compression": {"compression"},
    "data": {"data"},
}
# The parts of compression that load datasets by themselves: what a person runs without a page.
LOADS_DATASETS = ("compression.studies", "compression.__main__", "compression.command_line")
WITHOUT_A_SCREEN = ("compression", "data")
# Under pages, wherever they stand: what runs in a worker process, and what is drawn or said.
WITHOUT_STREAMLIT = (
    "*tasks.py",
    "*/results.py",
    "*text.py",
    "*figures.py",
    "*/figures/*.py",
    "*/plots/*.py",
    "*/format.py",
    "*/worker.py",
)
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
    "baselines": compression.BASELINES,
    "datasets": data.DATASETS,
}
ENTRIES = [
    pytest.param(entry, id=f"{kind}: {entry.name}")
    for kind, catalogue in CATALOGUES.items()
    for entry in catalogue.values()
]


def package(module: str) -> str | None:
    """The package that a module stands in; None for a library, and for a bare parent package."""
    first, *rest = module.split(".")
    if first != "pages":
        return first if first in ("app", "compression", "data") else None
    if not rest or module == "pages.views":
        return None
    return {"shared": "shared", "views": "view"}.get(rest[0], "page")


@cache
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


def loads_no_streamlit(module: str) -> bool:
    """Whether its file's name says that it is used without a page."""
    path = PurePosixPath(*module.split(".")).with_suffix(".py")
    return path.parts[0] == "pages" and any(path.match(pattern) for pattern in WITHOUT_STREAMLIT)


def forbidden_imports(module: str, imported: set[str]) -> set[str]:
    """Imports that lead out of the module's package in a forbidden direction."""
    module = module.removesuffix(" (stub)")
    own = package(module)
    if own is None:
        return set()
    wrong = {name for name in imported if package(name) not in MAY_IMPORT[own] | {None}}
    if module.startswith(LOADS_DATASETS):
        wrong = {name for name in wrong if package(name) != "data"}
    if own in ("view", "page"):
        # A view belongs to the page of its name, and to its own modules.
        page = module.split(".")[2 if own == "view" else 1]
        mine = f"pages.views.{page}"
        views = {name for name in imported if package(name) == "view"}
        wrong = (wrong - views) | {n for n in views if n != mine and not n.startswith(f"{mine}.")}
    if own in WITHOUT_A_SCREEN:
        wrong |= {name for name in imported if name.split(".")[0] in ("streamlit", "plotly")}
    if loads_no_streamlit(module):
        wrong |= {name for name in imported if name.split(".")[0] == "streamlit"}
    return wrong


def imports_between_siblings(parent: str, imported: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Which children of a package, modules or packages with all that is in them, import which."""
    depth = parent.count(".") + 2
    inside = [name for name in imported if name.startswith(f"{parent}.")]
    found: dict[str, set[str]] = {".".join(name.split(".")[:depth]): set() for name in inside}
    for name in inside:
        child = ".".join(name.split(".")[:depth])
        targets = {".".join(other.split(".")[:depth]) for other in imported[name]}
        found[child] |= (targets & found.keys()) - {child}
    return found


def find_circle(imported: Mapping[str, set[str]]) -> list[str]:
    """Children that import each other in a circle, first and last the same; empty if none do."""
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def parents(modules: Iterable[str]) -> set[str]:
    """Every package that some module stands in."""
    return {
        ".".join(parts[:n])
        for m in modules
        if (parts := m.split("."))
        for n in range(1, len(parts))
    }


def numerical_modules() -> dict[str, set[str]]:
    # The stub names what is loaded on first use: importing the package imports none of it.
    found = {
        name: names for name, names in project_imports().items() if not name.endswith("(stub)")
    }
    return {
        name: names for name, names in found.items() if name.startswith(("compression.", "data."))
    }


# Imports inside functions count: a circle that only works when called is one as well. What the
# catalogues load by name does not: an entry knows nothing of its implementation.
@pytest.mark.parametrize("parent", sorted(parents(numerical_modules())))
def test_nothing_imports_in_a_circle(parent):
    assert not find_circle(imports_between_siblings(parent, numerical_modules()))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from .low_rank.factors import Factors", "from ..network import layers"),
        ("def f():\n    from .low_rank import factors", "from .. import network"),
        ("import compression.low_rank.factors", "def f():\n    import compression.network"),
    ],
)
def test_a_circle_is_noticed(first, second):
    names = {"compression.network": first, "compression.low_rank.factors": second}
    found = {name: imports(source, name) for name, source in names.items()}
    circle = find_circle(imports_between_siblings("compression", found))
    assert set(circle) == {"compression.network", "compression.low_rank"}


@pytest.mark.parametrize("module", modules())
def test_imports_lead_one_way_only(module):
    assert not forbidden_imports(module, project_imports()[module])


def reachable_modules(module: str, imported: Mapping[str, set[str]]) -> set[str]:
    """Modules of the project that a module imports, itself or through others."""
    reached, ahead = set(), [module]
    while ahead:
        found = {name for name in imported.get(ahead.pop(), ()) if name in imported} - reached
        reached |= found
        ahead += found
    return reached


def databases(module: str, imported: Mapping[str, set[str]]) -> set[str]:
    """Modules by which a module reaches a database, libraries among them."""
    own = {module, *reachable_modules(module, imported)}
    ways = {f"compression.studies.{name}" for name in ("store", "study_store", "driver")}
    return {
        name
        for each in own
        for name in imported[each]
        if name in ways or name.split(".")[0] in ("sqlalchemy", "sqlite3", "psycopg")
    }


def test_a_study_s_worker_hands_its_rows_back_and_reaches_no_database():
    """One writer a process: the driver. See ``compression/studies/driver.py``."""
    imported = project_imports()
    assert len(reachable_modules("compression.studies.fit", imported)) > 3
    assert not databases("compression.studies.fit", imported)


@pytest.mark.parametrize(
    "source",
    ["from .store import Store", "def f():\n    from . import study_store", "import sqlalchemy"],
)
def test_a_worker_that_reaches_a_database_is_noticed(source):
    imported = project_imports()
    for module in ("compression.studies.fit", "compression.studies.folds"):
        changed = imported[module] | imports(source, module)
        assert databases("compression.studies.fit", imported | {module: changed})


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("compression.curve", "import data"),
        ("compression.curve", "from data import load"),
        ("compression.low_rank.decomposition", "def f():\n    import streamlit as st"),
        ("compression.low_rank.decomposition", "from plotly import graph_objects"),
        (
            "compression.low_rank.decomposition",
            "import importlib\nimportlib.import_module('data.iris')",
        ),
        ("data.base", "from compression.errors import CompressionError"),
        ("data.base", "import plotly.express"),
        ("compression.studies.fit", "import streamlit"),
        ("compression.studies.fit", "from pages.shared import jobs"),
        ("data.base", "from pages.shared.models import requests"),
        ("pages.shared.models.requests", "from pages import compare"),
        ("pages.shared.models.requests", "from ... import compare"),
        ("pages.shared.models.requests", "from pages.views.compare import tasks"),
        ("pages.shared.models.requests", "import app"),
        ("pages.shared.plots.standard", "import streamlit"),
        ("pages.shared.models.tasks", "from streamlit.runtime import exists"),
        ("pages.views.decide.figures.bars", "import streamlit"),
        ("pages.views.decide.text", "import streamlit"),
        ("pages.views.decide.answer_text", "import streamlit"),
        ("pages.views.decide.answer_figures", "import streamlit"),
        ("pages.shared.models.decide_tasks", "import streamlit"),
        ("pages.views.decide.answer", "from pages.views.constrained import results"),
        ("pages.views.decide.answer", "from ..constrained.results import Constrained"),
        ("pages.views.decide.answer", "from pages import decide"),
        ("pages.compare", "from pages.views.train import data"),
        ("pages.compare", "from pages.train import draw"),
        ("pages.compare", "import app"),
    ],
)
def test_a_forbidden_import_is_noticed(module, source):
    assert forbidden_imports(module, imports(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app", "from pages.shared import app_shell\nimport streamlit"),
        (
            "pages.compare",
            "from pages.views.compare import plane\nfrom compression import CompressionError",
        ),
        ("pages.views.compare.plane", "from . import text\nfrom .results import Pin"),
        ("pages.views.compare.plane", "import streamlit\nfrom pages.shared.ui import widgets"),
        ("pages.shared.models.requests", "from . import tasks\nimport data, compression"),
        ("compression.curve", "from .factors import Factors\nimport torch"),
        ("data.catalog", "from .base import prepare"),
        ("compression.studies.fit", "import data"),
    ],
)
def test_an_allowed_import_is_not_taken_for_a_forbidden_one(module, source):
    assert not forbidden_imports(module, imports(source, module))


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


def modules_under_pages() -> list[str]:
    """Modules of views and shared: no page script, which would draw when imported."""
    return [name for name in modules() if package(name) in ("view", "shared")]


def test_pictures_words_and_what_runs_in_a_worker_load_no_streamlit():
    names = [name for name in modules_under_pages() if loads_no_streamlit(name)]
    assert len(names) > 10
    assert not loaded_by(f"import {', '.join(names)}", ("streamlit",))


def test_no_module_of_the_pages_loads_a_heavy_library_in_the_app_s_own_process():
    names = modules_under_pages()
    assert len(names) > 30
    assert not loaded_by(f"import {', '.join(names)}", ("torch", "cvxpy", "sklearn"))


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_line_of_a_catalogue_leads_to_its_implementation(entry):
    from importlib import import_module

    module, _, attribute = entry.where.partition(":")
    assert package(module) in WITHOUT_A_SCREEN
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
import compression.catalog, compression.low_rank.decomposition
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
    pinned = r"[\w-]+==[\w.]+(; .+)?"  # a condition says on which systems it can be had
    assert [line for line in named if not re.fullmatch(pinned, line)] == []
