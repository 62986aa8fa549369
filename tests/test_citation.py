"""What others are told to cite is what is shipped."""

import tomllib

import yaml

from benchmarks.server import ROOT

REQUIRED = {"cff-version", "message", "title", "authors"}  # by the Citation File Format 1.2.0
OF_A_REFERENCE = {"authors", "title", "type"}


def read_citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def read_toml(path):
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))


def test_the_citation_names_the_version_and_licence_of_the_project():
    citation = read_citation()
    assert citation.keys() >= REQUIRED
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == read_toml("pyproject.toml")["project"]["version"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith(f"{citation['license']} ")


def test_the_citation_of_the_atlas_has_the_date_of_its_files():
    (atlas,) = read_citation()["references"]
    assert atlas.keys() >= OF_A_REFERENCE
    assert atlas["type"] == "data"
    shipped = read_toml(f"{atlas['filename']}/atlas.toml")
    assert str(atlas["date-released"]) == str(shipped["date"])
