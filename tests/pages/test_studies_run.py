"""Studies: what is told before, during and after a run, and what is looked up."""

from dataclasses import replace

import pytest
import sqlalchemy as sql

from compression import studies
from compression.studies.store import BLOBS, identify
from pages.shared import jobs
from pages.shared.ui import progress
from pages.views.studies import tasks, text
from tests.pages.rendering import open_page, render

from .test_studies_page import SMALL, small_study


def test_a_study_that_is_over_is_looked_up(url, monkeypatch):
    from compression.studies import overview

    study = small_study()
    tasks.run_study(lambda *_: True, study.to_json(), url)
    computed, partials = [], []
    monkeypatch.setattr(overview, "compute_overview", lambda *_: computed.append(1))

    def report(done, total, partial, message):
        partials.append(partial)
        return partial is None or bool(partial())

    results = tasks.run_study(report, study.to_json(), url)
    assert results.done == results.total == 6
    assert not computed
    assert partials
    assert not any(partials)


def test_a_study_that_goes_on_sends_no_single_rows_and_keeps_one_overview(url):
    partials, study = [], small_study()

    def report(done, total, partial, message):
        if partial is not None:
            partials.append(partial().overview)
        return True

    results = tasks.run_study(report, study.to_json(), url)
    assert len(partials[-1].changes) > 0
    assert all(overview.sample.empty for overview in partials)
    assert len(results.overview.sample) == results.overview.facts["curves"].iloc[0] > 0
    assert len(studies.StudyStore(url).table(f"overview {study.name}")) == 1


def test_what_is_left_is_told_by_the_driver_s_pace_and_not_by_what_was_kept(monkeypatch):
    """A study resumed with 90 of its 100 fits: ten fits of 2 s are left, and not 1/9 of 4 s."""
    told = []

    class Job(jobs.Job):
        status, seconds, message, damaged = "running", 4.0, "", False

        def __init__(self):
            pass

    def run(study, store, executor, workers, report):
        monkeypatch.setattr(tasks.time, "monotonic", lambda: began + 4.0)
        report(studies.Progress(92, 0, 100, 16.0))
        raise studies.StoreError("enough")

    began = tasks.time.monotonic()
    monkeypatch.setattr(tasks.time, "monotonic", lambda: began)
    monkeypatch.setattr(studies, "run", run)
    with pytest.raises(studies.StoreError):
        tasks.run_study(lambda *given: not told.append(given), small_study().to_json(), "sqlite://")
    job = Job()
    job.progress = told[-1][0] / told[-1][1]
    assert "about 16 s to go" in progress.describe_progress(job, "Computing the study")


def test_kept_results_that_were_damaged_are_told(url):
    study = small_study()
    tasks.run_study(lambda *_: True, study.to_json(), url)
    store = studies.StudyStore(url)
    reference = next(iter(study.references()))
    kept = store.get(reference)
    engine = sql.create_engine(url)
    with engine.begin() as connection:
        for digest, content in connection.execute(sql.select(BLOBS)).fetchall():
            if content == kept.content:
                flipped = bytes([content[0] ^ 1]) + content[1:]
                changed = BLOBS.update().where(BLOBS.c.digest == digest)
                connection.execute(changed.values(content=flipped))
    curves = list(study.curve_requests(reference))
    store.delete([identify(curves[0])])
    store.close()
    engine.dispose()
    results = tasks.run_study(lambda *_: True, study.to_json(), url)
    assert results.damaged == 1
    assert (results.done, results.total) == (6, 6)
    assert text.count_damaged(1).startswith("1 kept result was damaged")
    assert tasks.run_study(lambda *_: True, study.to_json(), url).damaged == 0


def test_damage_is_told_on_the_page(url, monkeypatch):
    from pages.views.studies import run

    study = small_study()
    results = tasks.run_study(lambda *_: True, study.to_json(), url)

    def submit(specification, url):
        job = jobs.Job("study", "tests.pages.tasks:count", {}, None)
        job.status, job.result = "done", replace(results, damaged=2)
        return job

    monkeypatch.setattr(run, "submit", submit)
    app = render("studies.py", **SMALL)
    assert any("2 kept results were damaged" in each.value for each in app.info)


def test_a_small_study_says_its_size_and_time_while_it_runs(url, monkeypatch):
    from pages.views.studies import run

    def submit(specification, url):
        return jobs.Job("study", "tests.pages.tasks:count", {}, None)

    monkeypatch.setattr(run, "submit", submit)
    app = open_page("studies.py", **SMALL).run()
    said = [each.value for each in (*app.markdown, *app.caption)]
    assert any("**6 fits**" in each and "how long is not known yet" in each for each in said)
    assert any("uses one core" in each for each in said)
