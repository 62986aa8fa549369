"""What things are called: a value by what it is, a class by a noun, a function by what it does."""

import ast
import re
from collections.abc import Iterable

import pytest

from tests.architecture.test_rules import broken, files, functions, is_attribute, parse

# A value that was found is a rank, a curve, a row or a path.
VAGUE = {"found", "own", "asked", "told", "held"}
# Words that end a class's name and leave open what the class is: a SoftmaxLoss, not a Softmax.
ADJECTIVES = {"Aware", "Dense", "Free", "Lower", "Softmax", "Sparse", "Through", "Upper"}
# Names that say how or where, and not what a function does or gives.
BARE = {
    "by",
    "current",
    "done",
    "effective",
    "more",
    "naive",
    "of",
    "over",
    "there",
    "warm",
    "where",
}
NOT_BARE = {"apply", "multiply", "rounding"}  # verbs, and a figure's subject


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


def classes_without_a_noun(tree: ast.AST) -> list[str]:
    """Classes whose name ends with a participle or an adjective."""
    return [
        f"line {node.lineno}: {node.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not ends_with_a_noun(node.name)
    ]


def ends_with_a_noun(name: str) -> bool:
    last = re.findall("[A-Z][^A-Z]*", name)[-1]
    return last not in ADJECTIVES and not re.fullmatch(r"(?!Seed|Feed|Speed)\w+ed", last)


def test_a_class_is_named_by_a_noun():
    assert not broken(classes_without_a_noun, "pages", "compression", "data", "benchmarks", ".py")


@pytest.mark.parametrize(
    "name", ["Trained", "_Damaged", "Dense", "NeverDense", "QuantizationAware", "StraightThrough"]
)
def test_a_class_without_a_noun_is_noticed(name):
    assert classes_without_a_noun(ast.parse(f"def f():\n    class {name}: ..."))


@pytest.mark.parametrize(
    "name", ["TrainedReference", "DenseQuadratic", "_Adam", "RandomSeed", "TruncatedSVD", "Tucker2"]
)
def test_a_noun_is_not_taken_for_an_adjective(name):
    assert not classes_without_a_noun(ast.parse(f"class {name}(Base): ..."))


def bare_functions(tree: ast.AST) -> list[str]:
    """Functions named by one adverb, adjective, preposition or present participle."""
    return [
        f"line {node.lineno}: {node.name}"
        for node in functions(tree)
        if not is_attribute(node) and is_bare(node.name.strip("_"))
    ]


def is_bare(name: str) -> bool:
    return name not in NOT_BARE and (
        name in BARE or bool(re.fullmatch("[a-z]+(ly|ing)|[a-z]{4,}[ai]ble", name))
    )


def test_a_function_is_named_by_what_it_does_or_gives():
    assert not broken(bare_functions, "pages", "compression", "data", "benchmarks", ".py")


@pytest.mark.parametrize(
    "name", ["_tightly", "_there", "_rising", "hashable", "of", "_more", "effective", "listening"]
)
def test_a_bare_function_is_noticed(name):
    assert bare_functions(ast.parse(f"class A:\n    def {name}(self): ..."))


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    @property\n    def current(self): ...",
        "def apply(): ...",
        "def _multiply(): ...",
        "def solve_tightly(): ...",
        "def rising_costs(): ...",
        "def table(): ...",
    ],
)
def test_a_function_with_a_verb_or_a_noun_is_not_taken_for_a_bare_one(source):
    assert not bare_functions(ast.parse(source))
