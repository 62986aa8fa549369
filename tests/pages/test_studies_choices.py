"""Studies: knobs, sizes and epochs are chosen on the page, and by links of any kind."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.hostile_links import HOSTILE, listen
from compression import studies
from pages.views.studies import text
from pages.views.studies.curve_training import train_on
from pages.views.studies.curve_values import read_values
from pages.views.studies.define import list_curves
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


def test_the_page_sets_combinations_epochs_after_compression_and_bits(url, downloads):
    curves = ["Truncated SVD", "Box |θ| ≤ c", "Low rank; then bounds", "Rounding to few bits"]
    link = SMALL | {"seeds": "2", "curves": curves, "epochs_after": "3"}
    link |= {"rows_in_bits": ["4 bits", "8"], "values_box": "0.5 0.2", "values_rounding": "8"}
    link |= {"values_truncated_svd": "2", "values_low_rank_then_constrained": "2"}
    link |= {"values_low_rank_then_constrained_bounds": "0.2 0.5"}
    app = render("studies.py", **link)
    assert not app.warning
    study = studies.read_study(downloads["study_toml"])
    low_rank, box, both, rounded = study.curves
    assert both.settings == {
        **{"method": "low_rank_then_constrained", "ranks": [2], "bounds": [0.2, 0.5]},
        **{"epochs": 3, "warm_start": False},
    }
    assert (box.settings["epochs"], box.settings["warm_start"]) == (3, False)
    assert low_rank.bits == box.bits == both.bits == (32, 8, 4)
    assert (rounded.settings, rounded.bits) == ({"method": "rounding", "knobs": [8]}, ())
    table = studies.table(url, study.name)
    own = table[table["family"] != "reference"]
    assert own.groupby("label").size().to_dict() == {
        **{"Truncated SVD, few bits": 6, "Box |θ| ≤ c, few bits": 12},
        **{"Low rank, then bounds, few bits": 12, "Rounding to few bits": 2},
    }
    assert set(own.loc[own["family"] != "baseline", "epochs"]) == {3}
    assert set(own.loc[own["label"] != rounded.label, "bits"]) == {32, 8, 4}
    assert len({text.name_study(study), text.name_study(replace(study, curves=(low_rank,)))}) == 2


def test_what_is_trained_from_scratch_or_not_at_all_keeps_its_own_epochs():
    given = {
        each.settings["method"]: train_on(each, 3).settings.get("epochs")
        for each in list_curves()
        if each.family == "baseline"
    }
    assert given == {
        **{"rounding": None, "smaller_network": None},
        **{"quantization_aware": 3, "magnitude_pruning": 3},
    }


def test_epochs_and_bits_are_in_a_studys_name():
    plain = small_study()
    first, *others = plain.curves
    longer = replace(first, settings={**first.settings, "epochs": 3})
    rounded = replace(first, bits=(32, 4))
    studied = [replace(plain, curves=(each, *others)) for each in (first, longer, rounded)]
    assert len({text.name_study(each) for each in studied}) == 3


def test_a_preset_takes_back_knobs_sizes_and_epochs(url):
    link = {"reference_epochs": "2", "sizes": ["0.75"], "values_truncated_svd": "1 2"}
    link |= {"epochs_after": "10", "rows_in_bits": ["4 bits"]}
    app = render("studies.py", **(SMALL | {"seeds": "50"} | link))
    app.button(key="study_preset_0").click().run()
    assert app.select_slider(key="reference_epochs").value == 0
    assert app.multiselect(key="sizes").value == ["1/2", "1/4", "1/8", "1/16"]
    assert app.text_input(key="values_truncated_svd").value == ""
    assert app.multiselect(key="rows_in_bits").value == []
    assert app.button_group(key="epochs_after").value == "own"


def choose_everything():
    import streamlit as st

    from pages.views.studies.define import define_study

    study = define_study()
    st.text(repr((study.budgets, study.epochs, [each.settings for each in study.curves])))


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: str(value)[:30])
def test_knobs_sizes_and_epochs_take_no_harm_from_a_link_and_say_so(value):
    app = AppTest.from_function(choose_everything, default_timeout=60)
    keys = ("reference_epochs", "sizes", "values_truncated_svd", "values_rounding", "drawn")
    keys += ("rows_in_bits", "epochs_after")
    for key in keys:
        app.query_params[key] = value
    with listen() as heard:
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
