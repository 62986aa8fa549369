"""What a study still costs is told from kept fits like it, or not at all."""

from dataclasses import replace

import pandas as pd
import pytest

from compression import studies
from compression.studies.contents import read_contents
from compression.studies.estimate import describe_estimate, describe_seconds, estimate_time
from compression.studies.study_store import StudyStore

SVD = studies.Curves("low_rank", {"method": "truncated_svd", "ranks": [1, 2]})
BOX = studies.Curves("constrained", {"constraint": "box"})
STUDY = studies.Study("small", ("iris",), ("mlp",), (0, 1), (SVD, BOX), epochs=3)


@pytest.fixture
def store(url):
    store = StudyStore(url)
    read_contents(STUDY.datasets, store)  # as a driver does before the first fit
    yield store
    store.close()


def keep(store, request, seconds, sentence=""):
    content = None if sentence else b""
    name = request.get("family", request["stage"])
    store.put(request, content, name=name, seconds=seconds, sentence=sentence, rows=pd.DataFrame())


def test_nothing_like_it_has_run(store):
    found = estimate_time(STUDY, store)
    assert (found.fits, found.alike, found.seconds) == (6, 0, 0)
    assert "not known yet" in describe_estimate(found)


def test_medians_of_fits_alike_are_added_and_what_is_kept_costs_nothing(store):
    other = replace(STUDY, name="other", seeds=(7, 8, 9), folds=2)
    for seconds, reference in zip((1, 2, 90, 4, 5, 3), other.references(), strict=True):
        keep(store, reference, seconds)  # median 3.5
        svd, box = other.curve_requests(reference)
        keep(store, svd, 10.0 * seconds)  # median 35
        keep(store, box, 999.0, "it failed")  # says nothing of one that works
    first = next(STUDY.references())
    keep(store, first, 100.0)
    found = estimate_time(STUDY, store)
    # One reference, two curves of low rank; the median of seven references is now 4.
    assert (found.fits, found.alike) == (5, 3)
    assert found.seconds == 4 + 2 * 35
    assert "3 of them about 74 s of one core" in describe_estimate(found)
    assert "the other 2 has run here yet" in describe_estimate(found)


def test_the_same_method_with_other_settings_is_like_it_and_another_dataset_is_not(store):
    wider = replace(STUDY, curves=(studies.Curves("low_rank", {"method": "truncated_svd"}),))
    for reference in wider.references():
        for curve in wider.curve_requests(reference):
            keep(store, curve, 7.0)
    assert estimate_time(STUDY, store).seconds == 2 * 7
    assert estimate_time(replace(STUDY, datasets=("wine",)), store).alike == 0
    svd = next(STUDY.curve_requests(next(STUDY.references())))
    keep(store, svd, 1.0)  # with the very settings: the nearest counts
    assert estimate_time(STUDY, store).seconds == 1
    assert estimate_time(STUDY, store).fits == 5


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.4, "4 s"), (99, "99 s"), (720, "12 min"), (12600, "3.5 h")]
)
def test_durations_are_told_in_one_unit(seconds, said):
    assert describe_seconds(seconds) == said
