"""A knob: its default, what a person chose, and what a URL asks for."""

import pytest
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from pages.shared import choices

    chosen = choices.knob(
        "rank",
        "Rank k",
        st.session_state.get("values", [1, 2, 3, 4, 5]),
        st.session_state.get("default", 2),
        settled=st.session_state.get("settled", True),
    )
    st.text(f"{chosen} {choices.number('rank'):g}")


def shown(app):
    assert not app.exception
    return app.text[0].value


@pytest.fixture
def app():
    return AppTest.from_function(page, default_timeout=20)


def test_a_knob_stands_at_its_default_and_follows_it(app):
    assert shown(app.run()) == "2 2"
    app.session_state["default"] = 4
    assert shown(app.run()) == "4 4"


def test_a_choice_stays_when_the_default_moves(app):
    app.run().select_slider[0].set_value(3).run()
    app.session_state["default"] = 5
    assert shown(app.run()) == "3 3"


def test_a_choice_made_before_the_default_is_final_is_kept(app):
    app.session_state["settled"] = False
    app.run().select_slider[0].set_value(5).run()
    app.session_state["settled"], app.session_state["default"] = True, 1
    assert shown(app.run()) == "5 5"


def test_a_default_that_was_not_final_is_no_choice(app):
    app.session_state["settled"] = False
    assert shown(app.run()) == "2 2"
    app.session_state["settled"], app.session_state["default"] = True, 1
    assert shown(app.run()) == "1 1"


def test_a_choice_becomes_the_nearest_when_the_values_change(app):
    app.run().select_slider[0].set_value(4).run()
    app.session_state["values"], app.session_state["default"] = [10, 20, 30], 20
    assert shown(app.run()) == "10 10"
    assert "only 10 to 30" in app.warning[0].value


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
    assert shown(app.run()) == expected
    assert bool(app.warning) == remark
    assert all(asked in warning.value for warning in app.warning)
