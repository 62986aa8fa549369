"""What a value is called: by what it is, and not by what happened to it; one class, one name."""

import ast
from collections.abc import Iterable

import pytest

from tests.architecture.test_rules import broken, files, parse

# A value that was found is a rank, a curve, a row or a path.
VAGUE = {"found", "own", "asked", "told", "held"}


def vague_names(tree: ast.AST) -> list[str]:
    """Where a variable, a parameter or an attribute gets one of the vague names."""
    return [
        f"line {node.lineno}: {name}"
        for node in ast.walk(tree)
        if (name := stored_name(node).strip("_")) in VAGUE
    ]


def stored_name(node: ast.AST) -> str:
    """The name to which a node gives a value; "" where it gives none."""
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(getattr(node, "ctx", None), ast.Store):
        return getattr(node, "id", None) or getattr(node, "attr", "")
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        return node.name or ""
    return (node.asname or "") if isinstance(node, ast.alias) else ""


def test_values_are_named_by_what_they_are():
    assert not broken(vague_names, "pages", "compression", "data", "benchmarks", ".py")
    assert not vague_names(parse("app.py"))


@pytest.mark.parametrize(
    "source",
    [
        "found = load()",
        "found: list[int] = []",
        "rows, own = load()",
        "first, *held = load()",
        "for own in rows: ...",
        "[own for own in rows]",
        "with load() as held: ...",
        "if told := load(): ...",
        "lambda own: 1",
        "def f(*, asked=None): ...",
        "def f(*found): ...",
        "class A:\n    own: int",
        "class A:\n    def f(self):\n        self._held = 1",
        "try: ...\nexcept ValueError as told: ...",
        "match x:\n    case [found, *_]: ...",
        "import numpy as own",
    ],
)
def test_a_vague_name_is_noticed(source):
    assert vague_names(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "own_rows, asked_bits = load()",
        "rank = curve.own if found else told(asked=1, key='held')",
        "def held_out(rows): ...",
    ],
)
def test_a_plain_name_is_not_taken_for_a_vague_one(source):
    assert not vague_names(ast.parse(source))


def class_names_of_several(trees: Iterable[ast.AST]) -> list[str]:
    """Class names that are defined more than once; a leading underscore makes no other name."""
    names = [
        node.name.lstrip("_")
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    return sorted({name for name in names if names.count(name) > 1})


def test_a_class_name_has_one_meaning():
    trees = map(parse, files("compression", "data", "pages", "benchmarks"))
    assert not class_names_of_several(trees)


@pytest.mark.parametrize(
    "sources",
    [
        ("class A: ...", "class B: ...\nclass A: ..."),
        ("class A: ...", "class _A: ..."),
        ("class A: ...\nclass B:\n    class A: ...",),
        ("class A: ...", "def f():\n    class A: ..."),
    ],
)
def test_a_class_name_of_several_is_noticed(sources):
    assert class_names_of_several(map(ast.parse, sources)) == ["A"]


def test_one_class_of_a_name_is_none_of_several():
    assert not class_names_of_several([ast.parse("class A(B): ...\nA()\nclass C:\n    a: A")])
