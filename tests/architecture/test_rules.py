"""What DESIGN.md asks of every file beside its imports: where things stand, and how they are named."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from tests.architecture.test_imports import (
    CATALOGUES,
    ROOT,
    modules,
    package,
    project_imports,
)

ALL = ("pages", "compression", "data", "tests", "benchmarks")
MAX_FILE, MAX_FUNCTION = 450, 60  # lines; of a function: below its docstring
NAMES = {name for catalogue in CATALOGUES.values() for name in catalogue}
# What a text may be made of: strings, in whatever order or shape.
TEXTS = {"str", "None", "dict", "list", "tuple", "Mapping", "Sequence", "Any", "WeightState"}
# Private names of libraries that tests have no other way to.
FOREIGN = {"_forward_hooks", "_split_scope"}  # of torch, of pytest-xdist
CONTRACT = {"compressed"}  # a method that scripts outside rely on
IRREGULAR = [
    "asked",
    "begun",
    "bound",
    "built",
    "chosen",
    "drawn",
    "found",
    "given",
    "gone",
    "held",
    "kept",
    "known",
    "left",
    "lost",
    "made",
    "met",
    "own",
    "paid",
    "said",
    "seen",
    "sent",
    "shown",
    "taken",
    "thought",
    "told",
    "written",
]


def files(*folders: str) -> list[str]:
    found = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return sorted(str(file.relative_to(ROOT)) for file in found)


@cache
def parse(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a function below its docstring."""
    first, *rest = function.body
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = rest[0] if said and rest else first
    return function.end_lineno - start.lineno + 1


def comparisons_with_names(tree: ast.AST) -> list[str]:
    """Comparisons with the name of an entry of a catalogue."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
            if any(value in NAMES for value in constants):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.MatchValue) and getattr(node.value, "value", None) in NAMES:
            found.append(ast.unparse(node))
    return found


def bare_participles(tree: ast.AST) -> list[str]:
    """Functions named by one past participle: what was done, and not what they do.

    A property and a fixture are used as values, and may be named like one.
    """
    attributes = {
        node.name
        for node in functions(tree)
        if any(
            re.search("property|fixture", ast.unparse(decorator))
            for decorator in node.decorator_list
        )
    }
    return [
        node.name
        for node in functions(tree)
        if node.name not in attributes and is_participle(node.name.strip("_"))
    ]


def is_participle(name: str) -> bool:
    return name in IRREGULAR or (
        name not in CONTRACT and bool(re.fullmatch(r"(?!need|seed|feed|embed|speed)[a-z]+ed", name))
    )


def classes_that_are_no_frozen_dataclass(tree: ast.Module) -> list[str]:
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not any("dataclass(frozen=True" in ast.unparse(d) for d in node.decorator_list)
        and not any(ast.unparse(base) == "NamedTuple" for base in node.bases)
    ]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(tree: ast.AST) -> list[str]:
    """Private names of our packages in a test: attributes, but of the test's own self, and imports."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            own = ast.unparse(node.value) in ("self", "cls")
            if is_private(node.attr) and node.attr not in FOREIGN and not own:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None)
            for name in ([module] if module else []) + [alias.name for alias in node.names]:
                if any(is_private(part) for part in name.split(".")):
                    found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def returns_more_than_texts(tree: ast.Module) -> list[str]:
    """Public functions of a module of texts whose annotation is made of more than strings."""
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and set(re.findall(r"[A-Za-z.]+", ast.unparse(node.returns or ast.Constant("none"))))
        - TEXTS
    ]


def loops_and_numerics(tree: ast.Module) -> list[str]:
    """What a task does itself that belongs to compression: loops, and NumPy beyond conversion."""
    conversions = {"array", "asarray", "frombuffer", "float64", "int64", "ndarray", "round"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While)):
            found.append(f"line {node.lineno}: a loop")
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
            found += [f"line {node.lineno}: np.{node.attr}"] * (node.attr not in conversions)
    return found


def broken(check: Callable[[ast.Module], list[str]], *patterns: str) -> dict[str, list[str]]:
    """File -> what a check finds in it, of the files whose path begins and ends so."""
    folders, ending = patterns[:-1], patterns[-1]
    checked = [file for file in files(*folders) if file.endswith(ending)]
    assert checked
    return {file: found for file in checked if (found := check(parse(file)))}


def long_functions(tree: ast.Module) -> list[str]:
    return [f.name for f in functions(tree) if body_lines(f) > MAX_FUNCTION]


def test_no_file_and_no_function_is_long():
    lines = {file: (ROOT / file).read_text(encoding="utf-8").count("\n") for file in files(*ALL)}
    assert not {file: count for file, count in lines.items() if count > MAX_FILE}
    assert not broken(long_functions, "pages", "compression", "data", ".py")


def test_results_hold_frozen_dataclasses_only():
    assert not broken(classes_that_are_no_frozen_dataclass, "pages", "/results.py")
    assert not broken(
        lambda tree: [f.name for f in tree.body if isinstance(f, ast.FunctionDef)],
        "pages",
        "/results.py",
    )


def test_texts_return_strings_only():
    assert not broken(returns_more_than_texts, "pages", "/text.py")


def test_a_task_unpacks_calls_and_packs():
    assert not broken(loops_and_numerics, "pages", "tasks.py")


def test_types_are_checked_in_all_packages():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert set(settings["packages"]) == {"compression", "data", "pages"}
    assert not {"exclude", "ignore_errors", "overrides"} & settings.keys()


def test_pages_ask_entries_and_compare_no_names():
    assert not broken(comparisons_with_names, "pages", ".py")


def test_functions_are_not_named_by_a_bare_participle():
    assert not broken(bare_participles, *ALL, ".py")


def test_tests_use_no_private_name_of_our_packages():
    assert not broken(private_names, "tests", ".py")


def pages_that_use() -> dict[str, set[str]]:
    """Module of ``pages.shared`` -> the pages that import it, through other shared modules too."""
    imported = {name: names & modules().keys() for name, names in project_imports().items()}
    users: dict[str, set[str]] = {
        name: set() for name in modules() if package(name) == "shared" and "." in name
    }
    for name in imported:
        if (kind := package(name)) in ("view", "page"):
            page = name.split(".")[2 if kind == "view" else 1]
            reached, ahead = set(), [name]
            while ahead:
                for other in imported[ahead.pop()] - reached:
                    reached.add(other)
                    ahead.append(other)
            for other in reached & users.keys():
                users[other].add(page)
    return users


def test_two_pages_use_what_is_shared():
    users = pages_that_use()
    lonely = {name: pages for name, pages in users.items() if len(pages) == 1}
    assert len(users) > 20
    assert not lonely


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (comparisons_with_names, "def f(x):\n    return x.name == 'box'"),
        (comparisons_with_names, "def f(x):\n    return x in ('l1', 'own')"),
        (comparisons_with_names, "match x:\n    case 'box':\n        pass"),
        (bare_participles, "def kept(): ..."),
        (bare_participles, "class A:\n    def _standardised(self): ..."),
        (classes_that_are_no_frozen_dataclass, "@dataclass\nclass A:\n    x: int"),
        (returns_more_than_texts, "def f() -> pd.DataFrame: ..."),
        (returns_more_than_texts, "def f(): ..."),
        (private_names, "from compression.storage import _checksum"),
        (private_names, "from compression._storage import checksum"),
        (private_names, "import compression._storage"),
        (private_names, "storage._checksum(header)"),
        (private_names, "jobs[0]._pool.looked"),
        (private_names, "assert not self.line._turns"),
        (loops_and_numerics, "def f(x):\n    for y in x: ..."),
        (loops_and_numerics, "def f(x):\n    return np.cumsum(x)"),
    ],
)
def test_a_broken_rule_is_noticed(check, source):
    assert check(ast.parse(source))


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (comparisons_with_names, "def f(x):\n    return x.convex == y or x.name == 'other'"),
        (
            bare_participles,
            "class A:\n    @property\n    def certified(self): ...\n    def need(self): ...",
        ),
        (bare_participles, "def constrained_curve(): ..."),
        (returns_more_than_texts, "def f() -> dict[str, str | None]: ..."),
        (private_names, "class A:\n    def f(self):\n        return self._place, self.__class__"),
        (private_names, "from __future__ import annotations\nlayer._forward_hooks"),
        (loops_and_numerics, "def f(x):\n    return np.asarray([y for y in x])"),
    ],
)
def test_a_kept_rule_is_not_taken_for_a_broken_one(check, source):
    assert not check(ast.parse(source))
