"""The report of a study says what its table says, in one file that asks nobody for anything."""

from html.parser import HTMLParser

import pytest

from compression import studies
from compression.studies.overview import SHARES

CURVES = (
    studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [2]}),
    studies.Curves("baseline", {"method": "rounding", "knobs": [2, 8]}, name="<i>rounding</i>"),
    studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [9999]}, name="too large"),
)
STUDY = studies.Study("sent <b>", ("wine",), ("mlp",), (0, 1), CURVES, 2, vary=("split",))


class Reader(HTMLParser):
    """The tags of a page, and its tables as rows of texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.addresses = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.addresses += [value for name, value in attributes if name in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()


@pytest.fixture(scope="module")
def store():
    store = studies.StudyStore("sqlite://")
    studies.run(STUDY, store, studies.SerialExecutor())
    return store


def test_it_has_every_change_comparison_rank_and_failure(store):
    table, failed = studies.table(store, STUDY.name), studies.failures(store, STUDY.name)
    text = studies.build_report(table, store.read_specification(STUDY.name), failed)
    page = Reader(text)
    for line in studies.changes_at_shares(table, SHARES).to_dict("records"):
        numbers = [f"{100 * line[each]:+.2f}" for each in ("mean", "low", "high")]
        row = [line["label"], f"1/{round(1 / line['share'])}", *numbers, str(line["seeds"])]
        assert [*row, ""] in page.rows
    compared = studies.compare_labels(table, 0.25, "truncated_svd")
    assert any(row[:2] == ["<i>rounding</i>", "truncated_svd"] for row in page.rows)
    assert {row[-1] for row in page.rows if "truncated_svd" in row[1:2]} >= set(compared["verdict"])
    (rank,) = studies.choose_ranks(table)["rank"]
    assert any(row[2:5] == ["truncated_svd", "32", str(rank)] for row in page.rows)
    assert sum("rank 9999 is not possible" in row[-1] for row in page.rows if row) == 2
    assert "a seed chooses split (initialisation and order as seed 0 has them)" in text


def test_it_holds_no_script_asks_nobody_and_escapes_names(store):
    table, failed = studies.table(store, STUDY.name), studies.failures(store, STUDY.name)
    page = Reader(studies.build_report(table, store.read_specification(STUDY.name), failed))
    assert not page.tags & {"script", "link", "img", "iframe", "i", "b"}
    assert not page.addresses
