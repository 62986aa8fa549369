"""The frame: the way in for a link straight to a page, and how a page waits for a job."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import jobs
from pages.shared.app_shell import ICON, SHELL, WANTED
from pages.shared.jobs import Job
from pages.shared.ui import progress
from tests.pages.job_states import mark_running, seconds_ago

ROOT = Path(__file__).parents[2]
PAGES = {
    path.stem: path.stem.capitalize().replace("_", " ")
    for path in sorted((ROOT / "pages").glob("*.py"))
    if path.name != "__init__.py"
}


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_page_of_a_cold_server_goes_through_the_entry(page):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params.update(dataset="iris", model="softmax_regression", seed="3")
    app.switch_page(f"pages/{page}.py").run()  # as its first run: Streamlit runs that file alone
    assert not app.exception
    assert app.session_state[SHELL]
    assert WANTED not in app.session_state
    assert app.title[0].value == PAGES[page]
    if "dataset" in {menu.key for menu in app.selectbox}:  # a page of a reference
        assert app.selectbox(key="dataset").value == "iris"
        assert app.number_input(key="seed").value == 3


def test_a_link_keeps_a_parameter_that_is_given_twice():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.query_params.update(dataset="iris", model="softmax_regression", twice=["a", "b"])
    app.switch_page("pages/train.py").run()
    assert app.session_state[SHELL]
    assert app.query_params["twice"] == ["a", "b"]


UP_TO_THE_TITLE = """
import sys

import streamlit as st
from streamlit.testing.v1 import AppTest


def look(*title, **settings):
    print({"numpy", "pandas", "torch", "sqlalchemy", "pages.shared.jobs"} & {*sys.modules})
    st.stop()


st.title = look
AppTest.from_file(sys.argv[1]).run()
"""


def test_what_paints_the_title_imports_no_tables_arrays_or_jobs():
    done = subprocess.run(
        [sys.executable, "-c", UP_TO_THE_TITLE, str(ROOT / "app.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "set()", done.stderr


def waiting():
    import streamlit as st

    from pages.shared.ui.progress import wait_for

    result = wait_for(
        st.session_state["job"], "Counting", lambda job: st.text(f"so far {job.partial}")
    )
    st.text(f"result {result}")


class Pool:
    """Remembers what it was asked for."""

    def __init__(self):
        self.cancelled, self.retried, self.looked = [], [], []
        self.outlook = 3, 20.4

    def look(self, job):
        self.looked.append(job)

    def look_ahead(self, job):
        return self.outlook

    def cancel(self, job):
        self.cancelled.append(job)
        job.status = "cancelled"

    def retry(self, job):
        self.retried.append(job)
        job.status = "waiting"


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
def job(pool):
    return Job("counting", "tests.pages.tasks:count", {}, pool)


@pytest.fixture
def app(job):
    app = AppTest.from_function(waiting, default_timeout=20)
    app.session_state["job"] = job
    return app


def texts(app):
    assert not app.exception
    return [text.value for text in app.text]


def test_a_job_that_is_done_shows_nothing_but_its_result(app, job):
    job.status, job.result = "done", 10
    assert texts(app.run()) == ["result 10"]
    assert not app.button
    assert not app.get("progress")


def test_a_job_that_ends_within_a_blink_never_shows_a_bar(app, job):
    def wait(timeout):
        job.status, job.result = "done", 10

    job.wait = wait
    with seconds_ago(-60):  # at this very moment, however long the script takes to begin
        job.reset()
    assert texts(app.run()) == ["result 10"]
    assert not app.get("progress")


def test_a_running_job_shows_how_far_it_is_and_what_it_has(app, job, pool):
    mark_running(job, partial="four")
    assert texts(app.run()) == ["so far four", "result None"]
    (bar,) = app.get("progress")
    assert bar.proto.value == 40
    assert bar.proto.text.startswith("Counting: at 4 · ")
    assert pool.looked == [job]
    assert [button.label for button in app.button] == ["Cancel"]


@pytest.mark.parametrize(
    ("outlook", "said"),
    [
        ((3, 20.4), "Counting: waiting, 3rd in line · 12 s so far, about 20 s to go"),
        ((1, None), "Counting: waiting, 1st in line · 12 s so far"),
        ((None, None), "Counting: waiting · 12 s so far"),
    ],
)
def test_a_waiting_job_says_its_place_and_an_estimate_where_there_is_one(
    app, job, pool, outlook, said
):
    pool.outlook = outlook
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text.startswith("Counting: waiting")
    with seconds_ago(12.2):
        job.reset()
    assert progress.describe_progress(job, "Counting") == said


@pytest.mark.parametrize(
    ("share", "seconds", "said"),
    [
        (0.25, 10.2, "10 s so far, about 31 s to go"),  # 10.2 × 0.75 / 0.25 = 30.6
        (0.0, 10.2, "10 s so far"),
        (0.5, 1.2, "1 s so far"),
    ],
)
def test_a_running_job_estimates_the_rest_from_the_share_done(job, share, seconds, said):
    mark_running(job, progress=share, message="", seconds=seconds)
    assert progress.describe_progress(job, "Counting") == f"Counting · {said}"


def test_places_in_a_line_are_written_as_in_english():
    written = {1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th"}
    written |= {21: "21st", 102: "102nd", 111: "111th", 113: "113th"}
    assert {number: progress.write_ordinal(number) for number in written} == written


def test_a_job_that_one_person_stopped_goes_on_for_the_others(app, job, pool):
    mark_running(job, partial="four")
    job.withdrawn_by.add("test session id")  # of every AppTest
    app.run()
    assert app.info[0].value == "Counting was stopped."
    assert [button.label for button in app.button] == ["Start again"]
    assert not app.get("progress")
    app.button[0].click().run()
    assert pool.retried == [job]
    job.withdrawn_by = {"another"}
    app.run()
    assert [button.label for button in app.button] == ["Cancel"]


def test_a_job_is_cancelled_by_its_button_and_keeps_what_it_has(app, job, pool):
    mark_running(job, partial="four")
    app.run().button[0].click().run()
    assert pool.cancelled == [job]
    assert app.info[0].value == "Counting was stopped."
    assert texts(app) == ["so far four", "result None"]
    assert [button.label for button in app.button] == ["Start again"]
    assert not app.get("progress")


@pytest.mark.parametrize(
    ("status", "label"), [("failed", "Try again"), ("cancelled", "Start again")]
)
def test_a_job_that_is_over_without_a_result_can_be_started_again(app, job, pool, status, label):
    job.status, job.error = status, "its weight is zero"
    app.run()
    assert [button.label for button in app.button] == [label]
    app.button[0].click().run()
    assert pool.retried == [job]
    assert app.get("progress")


def test_a_failed_job_says_its_sentence(app, job):
    job.status, job.error = "failed", "its weight is zero"
    app.run()
    assert app.error[0].value == "Counting did not work: its weight is zero"


def test_a_page_looks_again_while_a_job_goes_on_and_no_longer(app, job, monkeypatch):
    seen = []
    real = progress.st.fragment

    def fragment(draw, *, run_every, key):
        seen.append(run_every)
        return real(draw, run_every=run_every, key=key)

    monkeypatch.setattr(progress.st, "fragment", fragment)
    mark_running(job)
    app.run()
    job.status = "cancelled"
    app.run()
    assert seen == [progress.POLL_SECONDS, None]


def test_the_theme_has_ten_colours_of_each_kind_in_light_and_dark_and_asks_nobody():
    import tomllib

    text = (ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    theme = tomllib.loads(text)["theme"]
    for scheme in ("light", "dark"):
        for kind in ("Categorical", "Sequential", "Diverging"):
            colours = theme[scheme][f"chart{kind}Colors"]
            assert len(set(colours)) == 10  # of any other number Streamlit takes its own
    assert theme["light"] != theme["dark"]
    assert "//" not in text  # no font, no icon from elsewhere
    icon = Path(ICON).read_text(encoding="utf-8")
    assert icon.startswith("<svg")
    assert "href" not in icon


def beside_a_slider():
    import streamlit as st

    from pages.shared import jobs
    from pages.shared.ui.progress import follow, show_status
    from tests.pages import tasks

    st.slider("Rank k", 1, 5, key="rank")
    job = jobs.submit(tasks.count, to=400, pause=0.02)
    st.session_state["job"] = job
    follow(lambda: show_status(job, "Counting"), job)


def test_a_moved_slider_leaves_a_job_going():
    app = AppTest.from_function(beside_a_slider, default_timeout=20)
    job = app.run().session_state["job"]
    assert job.wait_for_news(60)
    number, reached = job.number, job.partial["reached"]
    app.slider(key="rank").set_value(4).run()
    assert app.session_state["job"] is job
    assert job.status == "running"
    time.sleep(0.5)
    assert job.number == number
    assert job.partial["reached"] > reached
    job.cancel()
    assert job.wait(60)


def is_cleared():
    import streamlit as st

    from pages.shared import jobs
    from pages.shared.ui.progress import follow, show_status
    from tests.pages import tasks

    if st.session_state.get("clear"):  # what Streamlit does when any client sends clear_cache
        st.cache_data.clear()
        st.cache_resource.clear()
    asked = [jobs.submit(tasks.count, to=10**6, pause=0.011 + n / 1000) for n in range(9)]
    st.session_state["jobs"] = asked
    for job in asked:
        follow(lambda job=job: show_status(job, "Counting"), job)


def test_cleared_caches_leave_what_runs_and_what_waits_alone():
    app = AppTest.from_function(is_cleared, default_timeout=60)
    asked = app.run().session_state["jobs"]
    pool = jobs.shared_pool()
    assert asked[0] in pool.jobs()
    for _ in range(600):
        running = [job for job in asked if job.partial is not None]
        if running:
            break
        time.sleep(0.1)
    waiting = next(job for job in asked if job.status == "waiting")
    reached, number = running[0].partial["reached"], running[0].number
    app.session_state["clear"] = True
    assert app.run().session_state["jobs"] == asked
    time.sleep(0.6)
    assert jobs.shared_pool() is pool
    assert asked[0] in pool.jobs()
    assert running[0].status == "running"
    assert running[0].number == number
    assert running[0].partial["reached"] > reached
    assert waiting.status == "waiting"
    for job in reversed(asked):
        job.cancel()
        assert job.wait(60)


def test_no_rule_of_the_style_is_of_what_is_in_a_box_with_a_part_of_a_class():
    """Streamlit changes a class with each move: all that such a rule may be of is styled anew."""
    style = (ROOT / "pages" / "shared" / "ui" / "page.css").read_text(encoding="utf-8")
    selectors = re.findall(r"(?:^|\})([^{}@]+)\{", re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL))
    of_parts = [name.strip() for name in selectors if re.search(r"\[class[*^$~|]?=", name)]
    assert of_parts  # one that is of the box itself
    assert not [name for name in of_parts if not re.fullmatch(r"\[class[*^$]=[^\]]+\]", name)]
