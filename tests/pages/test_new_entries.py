"""One file and one line: what is added to a catalogue is on every page, with nothing else to do."""

import gc

import numpy as np
import pytest

import compression
import data
from benchmarks.hostile_links import ALL_KEYS, KINDS
from compression import CompressionError
from compression.constrained.training import curve
from pages.shared import jobs, links
from pages.shared.jobs.arguments import bind, make_hashable, task_name
from pages.views.constrained import text
from tests.pages import new_entries
from tests.pages.rendering import open_page, settle


class HerePool:
    """Does each job at once, in this process, which knows the new entries."""

    def __init__(self):
        self._jobs = {}

    def submit(self, task, *args, **kwargs):
        name, arguments = task_name(task), bind(task, args, kwargs)
        key = (name, *((argument, make_hashable(value)) for argument, value in arguments.items()))
        if key not in self._jobs:
            self._jobs[key] = job = jobs.Job(key, name, {}, None)
            job.begin(1)
            try:
                job.end("done", result=task(lambda *_, **__: True, **arguments))
            except CompressionError as error:
                job.end("failed", error=str(error))
        return self._jobs[key]

    def jobs(self):
        return list(self._jobs.values())


def add(monkeypatch, catalogue, entry):
    """As its line in catalog.py would."""
    (entries,) = gc.get_referents(catalogue)
    monkeypatch.setitem(entries, entry.name, entry)


@pytest.fixture
def pool(monkeypatch):
    add(monkeypatch, data.DATASETS, new_entries.DATASET)
    for name, entry in new_entries.ENTRIES.items():
        add(monkeypatch, getattr(compression, name), entry)
    # Fewer bounds: a new solver is a slow one, and every job is done in this very process.
    monkeypatch.setattr(curve, "RELATIVE_BOUNDS", np.geomspace(1.0, 0.1, 4))
    pool = HerePool()
    monkeypatch.setattr(jobs, "shared_pool", lambda: pool)
    return pool


def name_controls_without_help(app):
    """Keys of the link's controls beside which nothing says what they change."""
    controls = [control for kind in KINDS for control in app.get(kind) if control.key]
    layers = "rank_", links.LAYER_BOUND.format("")  # one of many that are alike
    return [
        control.key
        for control in controls
        if control.key in ALL_KEYS and not control.key.startswith(layers) and not control.proto.help
    ]


NEW = {"dataset": "new_data", "model": "new_model", "method": "new_svd", "set": "new_set"}


SOLVED = {"model": "softmax_regression", "solver": "new_solver", "race": "true", "plane": "true"}


def list_values(value):
    """A job's key without its tuples."""
    if not isinstance(value, tuple):
        return [value]
    return [one for part in value for one in list_values(part)]


@pytest.mark.parametrize(
    ("page", "query", "asked"),
    [
        (
            "compare.py",
            {"differences": "true", "baselines": "all"},
            {"new_svd", "new_set", "new_baseline"},
        ),
        ("train.py", {}, set()),
        ("low_rank.py", {"methods": "all", "share": "true"}, {"new_svd"}),
        ("constrained.py", {"ways": "all", "few_bits": "true"}, {"new_set", "new_way"}),
        ("constrained.py", {"way": "new_way"}, {"new_set", "new_way"}),
        ("constrained.py", SOLVED, {"new_set", "new_solver"}),
        ("combine.py", {"together": "new_pair"}, {"new_set", "new_pair"}),
        (
            "decide.py",
            {"more": ["A new_svd", "A new_set", "Box by a new_way", "A new_pair"]},
            {"new_svd", "new_set", "new_way", "new_pair", "new_baseline"},
        ),
    ],
)
def test_every_page_shows_what_was_added_to_the_catalogues(pool, page, query, asked):
    app = settle(open_page(page, **(NEW | query)))
    assert not app.error
    assert app.selectbox(key="dataset").value == "new_data"
    if page != "train.py":
        assert app.get("plotly_chart")
    done = {job.task.split(":")[1] for job in pool.jobs()}
    assert "reference" in done
    of_reference = {"new_data", (NEW | query)["model"]}
    assert asked | of_reference <= {one for job in pool.jobs() for one in list_values(job.key)}
    assert not name_controls_without_help(app)
    if "plane" in query:  # Ellipsoid says nothing of its edge
        assert {"race_solvers", "slice_loss", "follow_solvers"} <= done
        assert any(text.NO_OUTLINE in caption.value for caption in app.caption)


@pytest.mark.parametrize(
    "page", ["how_it_works.py", "studies.py", "atlas.py", "your_data.py", "your_model.py"]
)
def test_pages_without_a_reference_show_it_too(pool, page):
    app = settle(open_page(page))
    assert not app.error
    assert not name_controls_without_help(app)
    if page == "studies.py":
        assert "A new_data" in app.multiselect(key=links.STUDY_DATASETS).options
        assert "A new_model" in app.multiselect(key=links.STUDY_MODELS).options
        curves = app.multiselect(key=links.STUDY_CURVES).options
        assert {"A new_svd", "A new_set", "A new_baseline"} <= set(curves)
