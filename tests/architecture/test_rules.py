"""What DESIGN.md asks of every file beside its imports: where things stand, and how they are named."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from pages.shared import links
from tests.architecture.test_imports import (
    CATALOGUES,
    ROOT,
)

ALL = ("pages", "compression", "data", "tests", "benchmarks")
MAX_FILE, MAX_FUNCTION = 450, 60  # lines; of a function: below its docstring
NAMES = {name for catalogue in CATALOGUES.values() for name in catalogue}
# What a text may be made of: strings, in whatever order or shape.
TEXTS = {"str", "None", "dict", "list", "tuple", "Mapping", "Sequence", "Any", "WeightState"}
# Private names of libraries that tests have no other way to.
FOREIGN = {"_forward_hooks", "_split_scope"}  # of torch, of pytest-xdist
TABLE_ARITHMETIC = {"assign", "groupby", "apply", "eval"}  # of pandas
LINKS = {
    value
    for name, constant in vars(links).items()
    if name.isupper() and isinstance(constant, str | tuple)
    for value in (constant if isinstance(constant, tuple) else (constant,))
}
TRACES = {"scatter", "bar", "heatmap", "contour"}
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


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return (node for node in ast.walk(tree) if isinstance(node, kinds))


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
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
    attributes = {node.name for node in functions(tree) if is_attribute(node)}
    return [
        node.name
        for node in functions(tree)
        if node.name not in attributes and is_participle(node.name.strip("_"))
    ]


def is_attribute(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is used as a value: a property or a fixture."""
    decorators = function.decorator_list
    return any(re.search("property|fixture", ast.unparse(each)) for each in decorators)


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
        elif any(is_private(name) for name in _names_as_strings(node)):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def _names_as_strings(node: ast.AST) -> list[str]:
    """Attributes and keys of a session that are named by a string."""
    named: list[ast.expr] = []
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("setattr", "getattr")):
        named = node.args
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("session_state"):
        named = [node.slice]
    elif isinstance(node, ast.Compare) and ast.unparse(node).endswith("session_state"):
        named = [node.left]
    return [own.value for own in named if isinstance(getattr(own, "value", None), str)]


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
    """What a task does itself that belongs to compression: loops, arithmetic over many values, and
    NumPy beyond conversion.
    """
    conversions = {"array", "asarray", "frombuffer", "float64", "int64", "ndarray"}
    comprehensions = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.While)):
            found.append(f"line {node.lineno}: a loop")
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "np":
            found += [f"line {node.lineno}: np.{node.attr}"] * (node.attr not in conversions)
        elif isinstance(node, ast.Attribute) and node.attr in TABLE_ARITHMETIC:
            found.append(f"line {node.lineno}: .{node.attr}")
        elif isinstance(node, comprehensions) and any(
            isinstance(inner, (ast.BinOp, ast.Compare)) and not _is_membership(inner)
            for part in _results_of(node)
            for inner in ast.walk(part)
        ):
            found.append(f"line {node.lineno}: arithmetic in a comprehension")
    return found


def _results_of(comprehension: ast.AST) -> list[ast.expr]:
    """What a comprehension makes of each value."""
    if isinstance(comprehension, ast.DictComp):
        return [comprehension.key, comprehension.value]
    return [comprehension.elt]


def _is_membership(node: ast.AST) -> bool:
    return isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn, ast.Is))


def literal_links(tree: ast.Module) -> list[str]:
    """Keys of widgets and parameters of links that are written out, and paths of pages."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            owner = ast.unparse(node.func).split(".")[0]
            place = ast.unparse(node.func).endswith(".container")  # no value, so no parameter
            named = [
                keyword.value for keyword in node.keywords if keyword.arg == "key" and not place
            ]
            first = node.args[:1] if owner in ("widgets", "knobs") else []
            found += [
                f"line {node.lineno}: {value.value!r}"
                for value in [*first, *named]
                if isinstance(value, ast.Constant) and value.value in LINKS
            ]
        elif isinstance(node, ast.Constant) and re.match(r"pages/([a-z_]+\.py)?$", str(node.value)):
            found.append(f"line {node.lineno}: {node.value!r}")
    return found


def hand_written_pieces(tree: ast.Module) -> list[str]:
    """Traces and pieces of a screen that the vocabularies of figures and blocks have."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            kinds = {
                getattr(value, "value", None)
                for key, value in zip(node.keys, node.values, strict=True)
                if getattr(key, "value", None) == "type"
            }
            found += [f"line {node.lineno}: {kind}" for kind in kinds & TRACES]
        elif isinstance(node, ast.Attribute) and node.attr in ("download_button", "metric"):
            found.append(f"line {node.lineno}: .{node.attr}")
    return found


def broken(check: Callable[[ast.Module], list[str]], *patterns: str) -> dict[str, list[str]]:
    """File -> what a check finds in it, of the files whose path begins and ends so."""
    folders, ending = patterns[:-1], patterns[-1]
    checked = [file for file in files(*folders) if file.endswith(ending)]
    assert checked
    return {file: found for file in checked if (found := check(parse(file)))}


def is_long(source: str) -> bool:
    return source.count("\n") > MAX_FILE


def long_functions(source: str) -> list[str]:
    """Functions of many lines with no "# Long: why" above them."""
    lines = source.splitlines()
    return [
        function.name
        for function in functions(ast.parse(source))
        if body_lines(function) > MAX_FUNCTION
        and not lines[_first_line(function) - 2].strip().startswith("# Long: ")
    ]


def _first_line(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return min(node.lineno for node in (function, *function.decorator_list))


def test_no_file_and_no_function_is_long():
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file in files(*ALL)}
    assert not [file for file, source in sources.items() if is_long(source)]
    assert not {file: found for file, own in sources.items() if (found := long_functions(own))}


def test_a_long_file_and_a_long_function_are_noticed():
    assert is_long("x = 0\n" * 451)
    assert not is_long("x = 0\n" * 450)
    for start in ("def f():\n", "async def f():\n", "@g\ndef f():\n    'Said.'\n"):
        assert long_functions(start + "    x = 0\n" * 61) == ["f"]
        assert not long_functions(start + "    x = 0\n" * 60)
        assert not long_functions("# Long: a list of cases.\n" + start + "    x = 0\n" * 61)


def test_results_hold_frozen_dataclasses_only():
    assert not broken(classes_that_are_no_frozen_dataclass, "pages", "/results.py")
    assert not broken(
        lambda tree: [f.name for f in tree.body if isinstance(f, ast.FunctionDef)],
        "pages",
        "/results.py",
    )


def test_texts_return_strings_only():
    assert not broken(returns_more_than_texts, "pages", "text.py")


def test_a_task_unpacks_calls_and_packs():
    assert not broken(loops_and_numerics, "pages", "tasks.py")


def checks_all_types(project: str) -> bool:
    settings = tomllib.loads(project)["tool"]["mypy"]
    left_out = {"exclude", "ignore_errors", "overrides"} & settings.keys()
    return set(settings["packages"]) == {"compression", "data", "pages"} and not left_out


def test_types_are_checked_in_all_packages():
    assert checks_all_types((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('["compression", "data", "pages"]', '["compression", "data"]'),
        ("check_untyped_defs", 'exclude = ["x"]\ncheck_untyped_defs'),
        ("[tool.mypy]", "[[tool.mypy.overrides]]\nignore_errors = true\n[tool.mypy]"),
    ],
)
def test_types_that_are_not_checked_are_noticed(written, instead):
    project = (ROOT / "pyproject.toml").read_text()
    assert written in project
    assert not checks_all_types(project.replace(written, instead))


def test_pages_and_compression_ask_entries_and_compare_no_names():
    assert not broken(comparisons_with_names, "pages", "compression", ".py")


def test_keys_in_links_and_paths_of_pages_are_named_in_one_place():
    found = broken(literal_links, "pages", ".py")
    assert found.pop("pages/shared/links.py")  # the place
    assert not found


def test_figures_and_screens_are_made_of_their_vocabulary():
    found = broken(hand_written_pieces, "pages", ".py")
    assert found.pop("pages/shared/plots/traces.py")
    assert found.pop("pages/shared/ui/blocks.py")
    assert not found


def test_functions_are_not_named_by_a_bare_participle():
    assert not broken(bare_participles, *ALL, ".py")


def test_tests_use_no_private_name_of_our_packages():
    assert not broken(private_names, "tests", ".py")


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
        (private_names, "from compression.storage import _compute_checksum"),
        (private_names, "from compression._storage import checksum"),
        (private_names, "import compression._storage"),
        (private_names, "storage._compute_checksum(header)"),
        (private_names, "jobs[0]._pool.looked"),
        (private_names, "assert not self.line._turns"),
        (private_names, "monkeypatch.setattr(jobs, '_pool', pool)"),
        (private_names, "app.session_state['_shell'] = True"),
        (private_names, "assert '_want' not in app.session_state"),
        (literal_links, "widgets.pick('layer', 'Layer', names, first)"),
        (literal_links, "st.number_input('Seed', key='seed')"),
        (literal_links, "st.switch_page('pages/train.py')"),
        (literal_links, "st.page_link(f'pages/{page}.py')"),
        (hand_written_pieces, "figure.add_trace({'type': 'scatter', 'x': x})"),
        (hand_written_pieces, "st.download_button('Download', content)"),
        (hand_written_pieces, "places[0].metric('Score', 1)"),
        (loops_and_numerics, "def f(x):\n    for y in x: ..."),
        (loops_and_numerics, "def f(x):\n    return np.cumsum(x)"),
        (loops_and_numerics, "def f(x):\n    return [2 * y for y in x]"),
        (loops_and_numerics, "def f(x):\n    return {y: int((y == z).sum()) for y, z in x}"),
        (loops_and_numerics, "def f(x):\n    return x.assign(y=1 - x['z'])"),
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
        (literal_links, "widgets.pick(links.LAYER, 'layer', names, first)"),
        (literal_links, "st.button('Take', key='take_rank')"),
        (hand_written_pieces, "{'type': 'line', 'x0': 0}"),
        (bare_participles, "def constrained_curve(): ..."),
        (returns_more_than_texts, "def f() -> dict[str, str | None]: ..."),
        (private_names, "class A:\n    def f(self):\n        return self._place, self.__class__"),
        (private_names, "from __future__ import annotations\nlayer._forward_hooks"),
        (loops_and_numerics, "def f(x):\n    return np.asarray([y for y in x])"),
        (loops_and_numerics, "def f(x):\n    return {y: z or None for y, z in x if y != 1}"),
    ],
)
def test_a_kept_rule_is_not_taken_for_a_broken_one(check, source):
    assert not check(ast.parse(source))
