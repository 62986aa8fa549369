"""What the documents point to is there, and nothing lies in the project that a tool has written."""

import re
import subprocess

import pytest

from benchmarks.server import ROOT

DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_links_to_are_there(name):
    links = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    own = {link for link in links if not link.startswith(("http:", "https:", "mailto:"))}
    assert not {link for link in own if not (ROOT / link).exists()}


def test_nothing_is_kept_that_git_is_told_to_ignore():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not listed.stdout.split()
