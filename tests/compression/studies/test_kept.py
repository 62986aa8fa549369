"""What is kept can be found, tagged and told apart, by study and by page."""

import pytest

from compression import studies
from compression.errors import ArgumentError
from compression.studies import StudyStore, filter_kept, list_kept
from compression.studies.store import TAGS, identify
from tests.databases import execute

UPLOAD = "table-0123456789abcdef0123456789abcdef"
CURVE = {"family": "low_rank", "settings": {"method": "truncated_svd"}, "bits": []}


@pytest.fixture
def store(url):
    """A page's result, one of an upload, and a study's reference and failed curve."""
    store = StudyStore(url)
    arguments = {"dataset": "digits", "model": "mlp", "seed": 3}
    task = {"task": "pages.shared.models.tasks:low_rank_curve", "version": "0"}
    store.put(task | {"arguments": arguments}, b"12345", seconds=1.5)
    store.put(task | {"arguments": {"dataset": UPLOAD}}, b"1")
    reference = {"stage": "reference", "dataset": "iris", "model": "mlp", "seed": 0}
    curve = {"stage": "curve", "reference": reference, **CURVE}
    study = studies.Study(
        "one", ("iris",), ("mlp",), (0,), (studies.Curves(**CURVE | {"name": "SVD"}),)
    )
    store.put_study("one", study.to_json(), [reference, curve])
    store.put_study("two, three", study.to_json(), [reference])
    store.put(reference, b"weights")
    store.put(curve, None, sentence="no rank is possible")
    return store


def test_each_row_says_what_it_is_and_whose(store):
    table = list_kept(store).set_index("what")
    assert set(table.index) == {"low rank curve", "reference", "SVD"}
    assert table.loc["reference", "studies"] == "one | two, three"
    failed = table.loc["SVD"]
    assert (failed["dataset"], failed["seed"], failed["status"]) == ("iris", "0", "failed")
    assert failed["sentence"] == "no rank is possible"
    page = table[table["dataset"] == "digits"].iloc[0]
    assert (page["seed"], page["bytes"], page["seconds"]) == ("3", 5, 1.5)


def test_an_uploads_whole_name_is_not_shown(store):
    shown = list_kept(store).to_csv()
    assert "table-012345…" in shown
    assert UPLOAD[:15] not in shown


@pytest.mark.parametrize(
    ("words", "failed_only", "count"),
    [
        ("", False, 4),
        ("", True, 1),
        ("IRIS", False, 2),
        ("iris svd", False, 1),
        ("digits", True, 0),
        (".*", False, 0),
        ("two, three", False, 1),
    ],
)
def test_every_word_of_a_filter_is_held_by_what_is_found(store, words, failed_only, count):
    assert len(filter_kept(list_kept(store), words, failed_only)) == count


def test_tags_are_put_on_found_and_taken_off(store, url):
    keys = filter_kept(list_kept(store), "iris").index.tolist()
    for _ in range(2):
        store.tag(keys, " for  the paper ")
    found = filter_kept(list_kept(store), "paper")
    assert found["tags"].tolist() == ["for the paper"] * 2
    store.untag(keys[:1], "for the paper")
    assert len(filter_kept(list_kept(store), "paper")) == 1
    store.delete(keys)
    assert execute(url, TAGS.select()) == []
    for bad in ("", "a|b", "x" * 41, "a\0"):
        with pytest.raises(ArgumentError, match="a tag is 1 to 40"):
            store.tag(keys, bad)


def test_forgetting_what_failed_leaves_the_rest(store):
    assert store.forget_failed("one") == 1
    assert len(store.list_done("one")) == 1
    assert store.get({"stage": "reference", "dataset": "iris", "model": "mlp", "seed": 0})
    assert identify({"rank": 1}) not in list_kept(store).index


def test_an_empty_store_has_an_empty_table(url):
    table = list_kept(StudyStore(url))
    assert len(filter_kept(table, "iris")) == 0
    assert "sentence" in table.columns
