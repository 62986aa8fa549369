"""The constrained page, rendered."""

import json
import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from compression import storage
from data import load
from pages.shared import jobs
from pages.shared.app_shell import SHELL
from pages.shared.models import tasks as work
from pages.shared.models.text import WITHOUT_BASELINES
from pages.views.constrained.text import PENALTY
from tests.pages.rendering import PATIENCE, ROOT, render, settle
from tests.pages.views.constrained.examples import go_on, least_squares, rows_of


@pytest.mark.parametrize(
    ("dataset", "model", "constraint"),
    [("iris", "softmax_regression", "l1"), ("diabetes", "linear_regression", "box")],
)
def test_every_section_of_a_convex_model_is_drawn_from_a_link(dataset, model, constraint):
    app = render(
        "constrained.py",
        dataset=dataset,
        model=model,
        set=constraint,
        race="true",
        few_bits="true",
        plane="true",
    )
    assert [heading.value for heading in app.header] == [
        "Which bound should I take?",
        "Which weights are held, and at what price?",
        "What happens as the bound tightens?",
        "What would another way have given?",
        "What does it save on disk?",
        "Where does the bound meet the loss?",
        "Do all solvers agree?",
    ]
    # Two of the weights, prices of the box, two of the answers; four as c moves; the ways; four
    # of the bits; two of the plane and two of the race.
    assert len(app.get("plotly_chart")) == 17 + (constraint == "box")
    assert any("Certified" in success.value for success in app.success)
    assert any(said.value.startswith("**Yes**: all ") for said in app.markdown)
    assert len(app.get("download_button")) >= 5
    assert WITHOUT_BASELINES in [caption.value for caption in app.caption]


def test_a_network_s_relative_bound_and_its_layers_bounds_have_letters_of_their_own():
    app = render("constrained.py", dataset="wine", model="mlp", bound="0.284")
    assert app.select_slider(key="bound").label == "Relative bound ρ"
    assert float(app.select_slider(key="bound").value) == 0.284
    said = " ".join(text.value for text in (*app.markdown, *app.caption))
    assert "ρ = 0.284" in said
    weights = storage.from_bytes(work.reference(go_on, "wine", "mlp", 0).file)
    own = 0.284 * float(weights.fc1.weight.detach().abs().max())
    assert f"**fc1**, cₗ = {own:.3g}" in said
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    drawn = json.dumps(specs, ensure_ascii=False)
    assert "ρ = %{x" in drawn
    for text in (said, drawn):
        assert not re.search(r"\bc = |[Bb]ound c\b|(at |±)[+−]?c\b", text)
    convex = render("constrained.py", dataset="wine", model="softmax_regression")
    assert convex.select_slider(key="bound").label == "Bound c"
    assert "ρ" not in " ".join(text.value for text in (*convex.markdown, *convex.caption))


def alone(**query):
    """A link followed where nobody has been on another page before: the bound is this page's own."""
    app = AppTest.from_file(str(ROOT / "pages" / "constrained.py"), default_timeout=PATIENCE)
    app.session_state[SHELL] = True
    for name, value in query.items():
        app.query_params[name] = value
    return settle(app)


def planes(app):
    """The two figures of a plane, as the browser is told them."""
    charts = {chart.proto.id.split("-")[-1]: chart for chart in app.get("plotly_chart")}
    return [
        json.loads(charts[key].proto.spec) for key in ("plane_of_all_bounds", "plane_of_one_bound")
    ]


def star(figure):
    (optimum,) = (trace for trace in figure["data"] if trace.get("name") == "optimum")
    return optimum["x"][0], optimum["y"][0]


def test_the_plane_follows_the_bound_and_other_weights_do_not_run_the_solvers_again():
    app = alone(dataset="diabetes", model="linear_regression", plane="true", bound="0.101")
    assert app.select_slider(key="bound").value == 0.101
    weight, _ = least_squares(*rows_of("diabetes"), app.select_slider(key="bound").value)
    names = [str(name) for name in load("diabetes", seed=0).feature_names]
    across, up = (app.selectbox(key=key).value for key in ("across", "up"))
    at = weight[names.index(across)], weight[names.index(up)]
    for figure in planes(app):
        assert star(figure) == pytest.approx(at, abs=1e-5)
    before = [figure["layout"]["title"]["text"] for figure in planes(app)]
    known = set(jobs.shared_pool().jobs())

    app.select_slider(key="bound").set_value(0.2).run()
    settle(app)
    bound = app.select_slider(key="bound").value
    weight, _ = least_squares(*rows_of("diabetes"), bound)
    for figure, title in zip(planes(app), before, strict=True):
        assert star(figure) == pytest.approx(
            (weight[names.index(across)], weight[names.index(up)]), abs=1e-5
        )
        assert figure["layout"]["title"]["text"] != title
        assert f"c = {bound:.3g}" in figure["layout"]["title"]["text"]
    assert set(jobs.shared_pool().jobs()) == known

    other = next(name for name in names if name not in (across, up))
    app.selectbox(key="up").set_value(other)
    settle(app)
    assert star(planes(app)[0])[1] == pytest.approx(weight[names.index(other)], abs=1e-5)
    (new,) = set(jobs.shared_pool().jobs()) - known
    assert new.task.endswith(":slice_loss")


def test_a_link_to_a_bound_that_costs_nothing_says_so():
    app = alone(dataset="diabetes", model="linear_regression", bound="0.518")
    assert not app.warning
    assert app.select_slider(key="bound").value == 0.518
    assert any("costs nothing" in success.value for success in app.success)


def test_what_happens_as_the_bound_tightens_is_answered_in_numbers():
    app = alone(dataset="diabetes", model="linear_regression", bound="0.101")
    bound = app.select_slider(key="bound").value
    weight, loss = least_squares(*rows_of("diabetes"), bound)
    free = round(100 * np.mean(np.abs(weight) < bound - 1e-9))
    (answer,) = [said.value for said in app.markdown if "at the largest bound" in said.value]
    start = f"At c = {bound:.3g}, **{free} %** of the weights are free and the loss"
    assert answer.startswith(f"{start} (½ squared error) is {loss:.3g} on training rows")
    # The answer of the race that nobody has run: what the certificates say of any solver.
    certified = [said.value for said in app.markdown if "no solver can end lower" in said.value]
    assert len(certified) == 1


def test_the_suggested_bound_is_taken_by_its_button():
    app = alone(dataset="iris", model="softmax_regression", bound="0.05")
    answer = next(said.value for said in app.markdown if "the fewest parameters" in said.value)
    suggested = float(re.match(r"\*\*c = ([\d.]+)\*\*", answer)[1])
    assert app.select_slider(key="bound").value != suggested
    app.button(key="take_bound").click().run()
    assert app.select_slider(key="bound").value == suggested
    assert not [button for button in app.button if button.key == "take_bound"]


def raced_at(app):
    """The bounds of the race's figures' problem: by its menu, and by what the worker was asked."""
    asked = [
        dict(job.key[1:])["bound"]
        for job in jobs.shared_pool().jobs()
        if job.task.endswith(":race_solvers")
    ]
    return float(app.selectbox(key="race_at").value), asked[-1]  # the last one asked for


def test_a_link_reproduces_a_race_at_its_own_bound():
    link = {"dataset": "iris", "model": "softmax_regression", "set": "l1", "race": "true"}
    bounds = alone(**link).select_slider(key="bound").options
    app = alone(**link, bound=bounds[10], race_at=bounds[20])
    assert raced_at(app) == (float(bounds[20]), float(bounds[20]))
    assert app.select_slider(key="bound").value == float(bounds[10])
    assert f"At c = **{float(bounds[20]):.3g}**:" in [text.value for text in app.markdown]
    # The bound moves on, the race stays; until it is asked for here.
    app.select_slider(key="bound").set_value(float(bounds[12])).run()
    settle(app)
    assert raced_at(app)[0] == float(bounds[20])
    app.button(key="race_here").click()
    settle(app)
    assert raced_at(app) == (float(bounds[12]), float(bounds[12]))
    # Another set has other bounds: the race goes to the current one.
    app.selectbox(key="set").set_value("l2")
    settle(app)
    assert raced_at(app) == (app.select_slider(key="bound").value,) * 2
    assert not app.warning


def test_a_race_that_is_switched_on_by_hand_is_held_at_the_current_bound():
    app = alone(dataset="iris", model="softmax_regression", set="l1")
    other = app.select_slider(key="bound").options[15]
    app.select_slider(key="bound").set_value(float(other)).run()
    settle(app)
    app.toggle(key="race").set_value(True)
    settle(app)
    assert raced_at(app) == (float(other), float(other))


def test_a_race_at_a_bound_that_does_not_exist_is_held_elsewhere_with_a_remark():
    app = alone(
        dataset="iris", model="softmax_regression", set="l1", race="true", race_at="everywhere"
    )
    assert any("`everywhere`" in warning.value for warning in app.warning)
    assert raced_at(app)[0] in map(float, app.select_slider(key="bound").options)


def test_a_network_has_its_method_its_schedule_and_a_bound_for_each_layer():
    app = render(
        "constrained.py",
        dataset="iris",
        model="mlp",
        way="learning_compression",
        passes="1",
        first_mu="0.3",
        own_bounds="true",
    )
    assert app.selectbox(key="way").value == "learning_compression"
    assert app.select_slider(key="first_mu").value == 0.3
    assert PENALTY in [caption.value for caption in app.caption]
    assert {f"bound_fc{n}" for n in (1, 2, 3)} <= {slider.key for slider in app.select_slider}
    assert [metric.label for metric in app.metric].count("Parameters") == 2
    assert any("not convex" in info.value for info in app.info)
    assert not app.success


def test_a_refit_shows_a_certificate_a_layer():
    app = render("constrained.py", dataset="iris", model="mlp", way="refit")
    assert PENALTY not in [caption.value for caption in app.caption]
    assert any("outputs lost (%)" in table.value for table in app.dataframe)
    assert "passes" not in {box.key for box in app.selectbox}


def test_a_count_says_that_nothing_is_certified_and_races_nobody():
    app = render(
        "constrained.py",
        dataset="iris",
        model="softmax_regression",
        set="cardinality",
        race="true",
        plane="true",
        bound="6",
    )
    said = " ".join(info.value for info in app.info)
    assert "No certificate" in said
    assert said.count("no optimum to find") == 2
    assert not app.success


def test_a_solver_that_does_not_fit_the_set_is_replaced_with_its_reason():
    app = render(
        "constrained.py",
        dataset="iris",
        model="softmax_regression",
        set="l1",
        solver="coordinate_descent",
    )
    assert any("one weight at a time" in warning.value for warning in app.warning)
    assert app.selectbox(key="solver").value == "path"
