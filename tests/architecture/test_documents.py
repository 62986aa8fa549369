"""What the documents point to is there, and nothing lies in the project that a tool has written."""

import re
import subprocess
import tomllib

import pytest

from benchmarks.server import ROOT, read_commands

DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_links_to_are_there(name):
    links = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    own = {link for link in links if not link.startswith(("http:", "https:", "mailto:"))}
    assert not {link for link in own if not (ROOT / link).exists()}


def paths_in_tables(document: str) -> set[str]:
    """Paths of the project that stand in backticks in a document's tables."""
    rows = [line for line in document.splitlines() if line.startswith("|")]
    quoted = re.findall(r"`([^`\s]+)`", "\n".join(rows))
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    names = (re.sub(r"<\w+>", "*", path) for path in quoted)  # pages/views/<page>/: any of them
    return {
        path
        for path in names
        if path.split("/")[0] in folders or re.fullmatch(r"[\w-]+\.(py|md|toml|txt)", path)
    }


def find_missing(document: str) -> set[str]:
    """Of those paths the ones that lead nowhere; "test_x.py" beside a path is in its folder."""
    paths = paths_in_tables(document)
    places = {ROOT, *((ROOT / path).parent for path in paths if "*" not in path)}
    return {path for path in paths if not any(any(place.glob(path)) for place in places)}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_paths_in_a_document_s_tables_are_there(name):
    document = (ROOT / name).read_text(encoding="utf-8")
    assert len(paths_in_tables(document)) > 4
    assert not find_missing(document)


def test_a_path_that_is_not_there_is_noticed():
    good = "| `pages/views/<page>/` | `tests/pages/test_jobs.py`, `test_work.py` |"
    assert not find_missing(good)
    for path in ("pages/views/<page>/none.py", "compression/none/", "test_none.py"):
        assert find_missing(f"{good}\n| one | `{path}` |")


def test_the_extra_of_a_way_out_holds_what_the_readme_says_that_it_needs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    for extra, packages in (("mlflow", 2), ("optuna", 1), ("dask", 1)):
        (needs,) = re.findall(rf"`--{extra}[^`]*`[^(]*\(needs ([^)]*)\)", text)
        pinned = re.findall(r"`([\w-]+==[\w.]+)`", needs)
        assert len(pinned) == packages
        assert set(pinned) <= set(extras[extra])


def test_nothing_is_kept_that_git_is_told_to_ignore():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not listed.stdout.split()


def read_comparison():
    """The table that holds other tools beside this one: its head, and its rows."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## Beside other tools\n")[1]
    lines = [line for line in section.split("\n## ")[0].splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return head, rows


def test_every_cell_about_another_tool_links_to_a_source_of_each_of_its_claims():
    (_, own, *tools), rows = read_comparison()
    assert own == "here"
    assert len(tools) >= 3
    assert len(rows) >= 10
    source = re.compile(r"\]\(https://[^)\s]+\)")
    assert all(source.search(tool) for tool in tools)
    for what, ours, *cells in rows:
        assert "](" in ours, what  # a test, or a place of ours
        assert len(cells) == len(tools), what
        claims = [claim for cell in cells for claim in cell.split("; ")]
        assert not [claim for claim in claims if not source.search(claim)], what


def test_contributors_get_the_switch_that_watches_files():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    command, option = re.search(
        r"^## Run it while you write\n\n```bash\n(.+) --server\.fileWatcherType (\w+)\n```",
        text,
        re.MULTILINE,
    ).groups()
    assert command == read_commands()[-1]
    assert option in ("auto", "poll")
    assert f"`{option}` looks at" in text
