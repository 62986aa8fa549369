"""Studies: knobs, sizes and epochs are chosen on the page, and by links of any kind."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.hostile_links import HOSTILE, listening
from compression import studies
from pages.views.studies import text
from pages.views.studies.curve_values import read_values
from tests.pages.rendering import render

from .test_studies_page import SMALL, small_study


def test_the_page_sets_knobs_sizes_and_epochs(url, downloads):
    link = SMALL | {"reference_epochs": "2", "sizes": ["0.75", "1/8"]}
    link |= {"values_truncated_svd": "4, 1 2", "values_rounding": "8;3"}
    app = render("studies.py", **link)
    study = studies.read_study(downloads["study_toml"])
    assert (study.epochs, study.budgets) == (2, (0.75, 0.125))
    assert study.curves[0].settings == {"method": "truncated_svd", "ranks": [1, 2, 4]}
    assert study.curves[1].settings == {"method": "rounding", "knobs": [3, 8]}
    table = studies.table(url, study.name)
    assert set(table.loc[table["label"] == "Truncated SVD", "knob"]) == {1, 2, 4}
    assert set(table.loc[table["family"] == "reference", "epochs"]) == {2}
    assert app.button_group(key="size").options == ["75 % of the bytes", "1/8 of the bytes"]
    assert set(studies.read_overview(studies.StudyStore(url), study.name).changes["share"]) <= {
        *(0.75, 0.125)
    }
    names = {text.name_study(each) for each in (study, replace(study, epochs=None))}
    names |= {text.name_study(replace(study, budgets=(0.5,))), text.name_study(small_study())}
    plain = replace(study.curves[0], settings={"method": "truncated_svd"})
    names.add(text.name_study(replace(study, curves=(plain, *study.curves[1:]))))
    assert len(names) == 5


def test_a_preset_takes_back_knobs_sizes_and_epochs(url):
    link = {"reference_epochs": "2", "sizes": ["0.75"], "values_truncated_svd": "1 2"}
    app = render("studies.py", **(SMALL | {"seeds": "50"} | link))
    app.button(key="study_preset_0").click().run()
    assert app.select_slider(key="reference_epochs").value == 0
    assert app.multiselect(key="sizes").value == ["1/2", "1/4", "1/8", "1/16"]
    assert app.text_input(key="values_truncated_svd").value == ""


def choose_everything():
    import streamlit as st

    from pages.views.studies.define import define_study

    study = define_study()
    st.text(repr((study.budgets, study.epochs, [each.settings for each in study.curves])))


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:30])
def test_knobs_sizes_and_epochs_take_no_harm_from_a_link_and_say_so(value):
    app = AppTest.from_function(choose_everything, default_timeout=60)
    keys = ("reference_epochs", "sizes", "values_truncated_svd", "values_rounding", "drawn")
    for key in keys:
        app.query_params[key] = value
    with listening() as heard:
        app.run()
        first = [each.value for each in (*app.text, *app.info)]
        app.run()
    assert not app.exception
    assert not heard
    assert first == [each.value for each in (*app.text, *app.info)]
    remarks = "\n\n".join(warning.value for warning in app.warning)
    assert "**" not in "".join(remarks.split("`")[::2])  # without what is shown as code
    assert "Sizes: there is no" in remarks or not value.strip()


@pytest.mark.parametrize(
    ("said", "whole", "values"),
    [
        ("", True, ()),
        (" 4, 1;2 2 ", True, (1, 2, 4)),
        ("0.5 2", False, (0.5, 2)),
        ("1.5", True, None),
        ("0", True, None),
        ("-1", False, None),
        ("nan", False, None),
        ("1e999", False, None),
        ("one", False, None),
        ("1 " * 61, True, None),
    ],
)
def test_a_line_of_values_is_numbers_or_nothing(said, whole, values):
    assert read_values(said, whole) == values
