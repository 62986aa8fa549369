"""A knob: its default, what a person chose, and what a URL asks for."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared.ui import knobs


def page():
    import streamlit as st

    from pages.shared.ui import knobs

    chosen = knobs.draw(
        "rank",
        "Rank k",
        st.session_state.get("values", [1, 2, 3, 4, 5]),
        st.session_state.get("default", 2),
        settled=st.session_state.get("settled", True),
    )
    st.text(f"{chosen} {knobs.read_number('rank'):g}")


def read_text(app):
    assert not app.exception
    return app.text[0].value


@pytest.fixture
def app():
    return AppTest.from_function(page, default_timeout=20)


def test_a_knob_stands_at_its_default_and_follows_it(app):
    assert read_text(app.run()) == "2 2"
    app.session_state["default"] = 4
    assert read_text(app.run()) == "4 4"


def test_a_choice_stays_when_the_default_moves(app):
    app.run().select_slider[0].set_value(3).run()
    app.session_state["default"] = 5
    assert read_text(app.run()) == "3 3"


def test_a_choice_made_before_the_default_is_final_is_kept(app):
    app.session_state["settled"] = False
    app.run().select_slider[0].set_value(5).run()
    app.session_state["settled"], app.session_state["default"] = True, 1
    assert read_text(app.run()) == "5 5"


def test_a_default_that_was_not_final_is_no_choice(app):
    app.session_state["settled"] = False
    assert read_text(app.run()) == "2 2"
    app.session_state["settled"], app.session_state["default"] = True, 1
    assert read_text(app.run()) == "1 1"


def test_a_choice_becomes_the_nearest_when_the_values_change(app):
    app.run().select_slider[0].set_value(4).run()
    app.session_state["values"], app.session_state["default"] = [10, 20, 30], 20
    assert read_text(app.run()) == "10 10"
    assert "only 10 to 30" in app.warning[0].value


def test_what_was_wished_for_does_not_drift_from_values_to_values(app):
    app.session_state["values"] = [1.0, 2.0, 3.0]
    app.query_params["rank"] = "2.2"
    assert read_text(app.run()) == "2.0 2"
    app.session_state["values"], app.session_state["default"] = [1.0, 1.7, 2.6, 3.0], 3.0
    assert read_text(app.run()) == "2.6 2.6"
    app.session_state["values"], app.session_state["default"] = [1.0, 2.3, 2.5, 3.0], 3.0
    assert read_text(app.run()) == "2.3 2.3"
    app.select_slider[0].set_value(2.5).run()
    app.session_state["values"] = [2.2, 2.6, 3.0]
    assert read_text(app.run()) == "2.6 2.6"


def test_a_slider_whose_values_are_to_come_is_not_the_final_one(app):
    # A message about the one would be read with the values of the other.
    app.session_state["settled"], app.session_state["values"] = False, [1.0, 2.0, 3.0, 4.0]
    app.query_params["rank"] = "3.4"
    assert read_text(app.run()) == "3.4 3.4"
    assert app.select_slider[0].key != "rank"
    app.session_state["settled"], app.session_state["default"] = True, 1.0
    assert read_text(app.run()) == "3.0 3"
    assert app.select_slider[0].key == "rank"
    assert [*app.query_params["rank"]] == ["3"]


def test_a_link_follows_a_slider_whose_values_are_to_come(app):
    app.session_state["settled"] = False
    app.query_params["rank"] = "4"
    app.run().select_slider[0].set_value(5).run()
    assert [*app.query_params["rank"]] == ["5"]
    app.session_state["settled"], app.session_state["default"] = True, 1
    assert read_text(app.run()) == "5 5"
    assert [*app.query_params["rank"]] == ["5"]


def test_the_default_right_after_the_values_changed_is_no_choice(app, monkeypatch):
    # It is how Streamlit reads a browser that still names a value of before.
    app.run().select_slider[0].set_value(4).run()
    app.session_state["values"], app.session_state["default"] = [1, 3, 4, 9], 9
    assert read_text(app.run()) == "4 4"
    assert read_text(app.select_slider[0].set_value(9).run()) == "4 4"
    assert read_text(app.select_slider[0].set_value(3).run()) == "3 3"
    monkeypatch.setattr(knobs, "STALE_SECONDS", 0.0)
    assert read_text(app.select_slider[0].set_value(9).run()) == "9 9"


def test_the_default_right_after_the_stand_in_has_gone_is_no_choice(app):
    # A browser still has the slider of before when the run that drew the stand-in was cut short.
    app.run().select_slider[0].set_value(4).run()
    app.session_state["settled"] = False
    assert read_text(app.run()) == "4 4"
    app.session_state["settled"] = True
    app.session_state["values"], app.session_state["default"] = [1, 3, 4, 9], 9
    assert read_text(app.run()) == "4 4"
    assert read_text(app.select_slider[0].set_value(9).run()) == "4 4"
    assert read_text(app.select_slider[0].set_value(3).run()) == "3 3"


def test_a_run_that_ended_as_the_stand_in_was_drawn_breaks_nothing(app):
    app.session_state["settled"] = False
    app.run()
    del app.session_state[f"{knobs.SEEN}rank"]  # what would have come next
    assert read_text(app.run()) == "2 2"


def test_a_message_of_a_slider_that_has_gone_changes_nothing(app):
    slider = app.run().select_slider[0].set_value(3)
    slider.run()
    app.session_state["settled"] = False
    assert read_text(app.run()) == "3 3"
    assert read_text(slider.set_value(5).run()) == "3 3"
    app.session_state["settled"] = True
    assert read_text(app.run()) == "3 3"


@pytest.mark.parametrize(
    ("asked", "expected", "remark"),
    [
        ("4", "4 4", False),
        ("2.9", "3 3", False),
        ("1000000000", "5 5", True),
        ("-3", "1 1", True),
        ("nan", "2 2", True),
        ("seven", "2 2", True),
    ],
)
def test_a_url_is_looked_at_like_any_other_input(app, asked, expected, remark):
    app.query_params["rank"] = asked
    assert read_text(app.run()) == expected
    assert bool(app.warning) == remark
    assert all(asked in warning.value for warning in app.warning)


def menus():
    import streamlit as st

    from pages.shared.ui import widgets

    method = widgets.pick(
        "method",
        "Method",
        ["svd", "tucker"],
        "svd",
        lambda name: "Spatial needs images" if name == "spatial" else None,
        titles={"svd": "Truncated SVD", "tucker": "Tucker-2"},
    )
    widgets.draw_remarks("method")
    cost = widgets.choose_segment("cost", "Cost axis", {"bytes": "Bytes", "macs": "MACs"})
    st.text(f"{method} {cost}")


def header():
    import streamlit as st

    from pages.shared.models import controls

    st.text(" ".join(map(str, controls.choose_reference()[:3])))


@pytest.mark.parametrize(
    ("asked", "expected", "remark"),
    [
        ({}, "svd bytes", None),
        ({"method": "tucker", "cost": "macs"}, "tucker macs", None),
        ({"method": "Tucker-2", "cost": "MACs"}, "tucker macs", None),
        ({"method": "qr"}, "svd bytes", "Method: there is no `qr` here"),
        ({"method": "spatial"}, "svd bytes", "Spatial needs images"),
        ({"cost": "joules"}, "svd bytes", "Cost axis: there is no `joules` here"),
        ({"cost": "<script>"}, "svd bytes", "`<script>`"),
    ],
)
def test_a_name_is_found_by_itself_or_by_its_title_and_others_are_remarked_on(
    asked, expected, remark
):
    app = AppTest.from_function(menus, default_timeout=20)
    app.query_params.update(asked)
    assert read_text(app.run()) == expected
    assert (remark is None) == (not app.warning)
    assert all(remark in warning.value for warning in app.warning)


def test_a_remark_goes_when_its_choice_changes():
    app = AppTest.from_function(menus, default_timeout=20)
    app.query_params["method"] = "qr"
    app.run()
    assert app.warning
    app.selectbox(key="method").select("tucker").run()
    assert read_text(app) == "tucker bytes"
    assert not app.warning


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        ("7", 7),
        ("7.0", 7),
        ("4294967295", 4294967295),
        ("x", None),
        ("nan", None),
        ("inf", None),
        ("-1", None),
        ("1.5", None),
        ("4294967296", None),
    ],
)
def test_a_seed_is_a_whole_number_of_32_bits_or_zero_with_a_remark(seed, expected):
    app = AppTest.from_function(header, default_timeout=20)
    app.query_params["seed"] = seed
    assert read_text(app.run()) == f"digits mlp {expected or 0}"
    assert (expected is None) == any(f"`{seed}`" in warning.value for warning in app.warning)
    assert read_text(app.run()) == f"digits mlp {expected or 0}"
    app.number_input(key="seed").set_value(5).run()
    assert read_text(app) == "digits mlp 5"
    assert not app.warning


@pytest.mark.parametrize(
    ("asked", "expected", "remark"),
    [
        ({"dataset": "nope"}, "digits mlp 0", "Dataset: there is no `nope` here"),
        ({"dataset": "iris"}, "iris mlp 0", None),
        ({"dataset": "iris", "model": "lenet5"}, "iris mlp 0", "needs images"),
        ({"dataset": "diabetes", "model": "softmax_regression"}, "diabetes mlp 0", "class"),
        ({"model": "transformer"}, "digits mlp 0", "Model: there is no `transformer` here"),
    ],
)
def test_a_dataset_or_model_asked_for_in_vain_is_replaced_with_a_reason(asked, expected, remark):
    app = AppTest.from_function(header, default_timeout=20)
    app.query_params.update(asked)
    assert read_text(app.run()) == expected
    assert (remark is None) == (not app.warning)
    assert all(remark in warning.value for warning in app.warning)


def test_a_model_that_fits_no_longer_is_replaced_when_the_dataset_changes():
    app = AppTest.from_function(header, default_timeout=20)
    app.query_params.update(dataset="mnist1d", model="conv1d")
    assert read_text(app.run()) == "mnist1d conv1d 0"
    app.selectbox(key="dataset").select("iris").run()
    assert read_text(app) == "iris mlp 0"
    assert "needs signals" in app.warning[0].value
