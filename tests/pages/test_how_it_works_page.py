"""The page that explains the methods: what it shows is computed, and right."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import lsq_linear

from compression.studies.atlas_files import read_atlas
from pages.shared.glossary import GLOSSARY, explain
from pages.shared.models import constrained_tasks, tasks
from pages.shared.models.text import CONSTRAINED_FORMULA, LOW_RANK_FORMULA
from pages.views.how_it_works import examples, figures, text
from tests.pages.rendering import render

CLAIMS = (  # of the article; of COC's accuracy it says both
    "LMM finds the main directions of the weights",
    "The larger the rank, the smaller the model",
    "Eigenvectors of the inputs' covariance give the right directions",
    "LMM is for non-linear models only",
    "COC takes any objective",
    "COC depends on rules made by hand (the bound)",
    "COC is less accurate than LMM",
    "COC is more accurate than LMM (elsewhere in the text)",
    "COC is less robust than LMM",
    "In practice: LMM as the main method with COC as the auxiliary one",
    "A logistic model learns iris (its first experiment)",
    "LMM compresses the synthetic model without loss (its second experiment)",
    "COC compresses the synthetic model without loss (its third experiment)",
)


def report(*arguments, **named):
    return True


@pytest.fixture(scope="module")
def app():
    return render("how_it_works.py", example_rank="2", example_bound="0.5")


def read_text(app):
    return " ".join(part.value for part in app.markdown)


def test_the_page_shows_both_methods_and_every_term(app):
    assert [part.value for part in app.latex] == [
        f"$$\n{LOW_RANK_FORMULA}\n$$",
        f"$$\n{CONSTRAINED_FORMULA}\n$$",
    ]
    assert {chart.key for chart in app.get("plotly_chart")} == {"shadow", "feasible"}
    for term, meaning in GLOSSARY.items():
        assert f"**{term}**: {meaning}" in read_text(app)


def test_the_page_shows_how_each_number_is_measured_and_when_to_use_which(app):
    (measures,) = [table.value for table in app.table if table.value.index.name == "measure"]
    pd.testing.assert_frame_equal(measures, text.MEASURES.set_index("measure"), check_dtype=False)
    assert text.ADVICE.strip() in [part.value.strip() for part in app.markdown]


def test_a_rank_keeps_the_energy_that_numpy_counts(app):
    found = examples.decompose_picture()
    values = np.linalg.svd(found.truncate(examples.SIDE), compute_uv=False)
    share = 100 * (values[:2] ** 2).sum() / (values**2).sum()
    assert f"Rank **2** keeps **{share:.1f} %**" in read_text(app)
    figure = figures.shadow(found, 2)
    residual = np.linalg.norm(figure.data[0].z - figure.data[1].z)
    assert residual == pytest.approx(np.linalg.norm(values[2:]), abs=0.02)


def test_the_shown_optimum_is_scipy_s():
    found = examples.solve_bounded()
    certifier = found.path.certifier
    x, y = certifier.x - certifier.x.mean(axis=0), certifier.y - certifier.y.mean()
    for bound in (0.2, 0.5, 1.9):
        expected = lsq_linear(x, y, (-bound, bound), tol=1e-12).x
        star = figures.feasible_set(found, bound).data[-1]
        assert (star.x[0], star.y[0]) == pytest.approx(tuple(expected), abs=1e-6)
    assert found.loss.min() >= found.path.certificate_at(9.0).objective - 1e-12


def test_the_statements_are_measured_on_the_curves():
    trained = tasks.reference(report, "iris", "softmax_regression", 0)
    low_rank = tasks.low_rank_curve(report, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(report, trained.origin, "box", "path")
    table = pd.DataFrame(text.list_statements([(trained, low_rank, constrained)]))
    assert len(table) == 3
    first = low_rank.table.iloc[low_rank.suggested]
    assert table["measured"][0].startswith("Wrong: ")
    assert f"{100 * first['score']:.1f} %" in table["measured"][1]
    # Its file is shorter than that of any bound: the page says so, and compares nothing.
    assert first["bytes"] < constrained.table["bytes"].min()
    assert "No bound gives a file as small" in table["measured"][2]
    # A longer file of LMM leaves room for bounds: the best on validation is shown.
    longer = replace(low_rank, table=low_rank.table.assign(bytes=10**6))
    best = constrained.table.loc[constrained.table["validation_score"].idxmax()]
    measured = text.list_statements([(trained, longer, constrained)])[2]["measured"]
    assert f"c = {best['knob']:.3g}: {100 * best['score']:.1f} %" in measured


def test_a_help_text_says_what_the_glossary_says():
    assert explain("box") == f"**box**: {GLOSSARY['box']}"


def test_the_article_s_claims_stand_with_their_measured_verdicts(app):
    (table,) = [one.value for one in app.table if "verdict" in one.value]
    assert table.index.tolist() == list(CLAIMS)
    verdicts = {"holds", "does not hold", "not shown either way", "holds for convex ones"}
    assert set(table["verdict"]) <= verdicts
    assert table["measured"].str.contains(r"\d").all()
    assert any("python -m benchmarks.article_claims" in part.value for part in app.caption)


def test_how_both_stand_against_the_baselines_is_what_the_atlas_says(app):
    atlas = read_atlas()
    judged = atlas.cells[atlas.cells["verdict"].isin(["wins", "ties", "loses"])]
    counts = judged["verdict"].value_counts()
    (said,) = [part.value for part in app.markdown if "Against what people do" in part.value]
    wins, ties, loses = (counts.get(each, 0) for each in ("wins", "ties", "loses"))
    assert f"ahead in {wins} of {len(judged)} cells" in said
    assert f"level in {ties}, behind in {loses}." in said


def test_the_table_of_an_example_is_the_mean_over_the_atlas_s_rows(app):
    atlas = read_atlas()
    (shown,) = [one.value for one in app.table if "12.50%" in one.value]
    rows = atlas.rows.query("dataset == 'digits' and model == 'mlp' and share == 0.125")
    for family in ("Rounding", "Cardinality, few bits", "Smaller network"):
        own = rows[rows["family"] == family]
        error = 100 * (1 - own["score"].mean())
        assert float(shown.loc[family, "12.50%"]) == pytest.approx(error, abs=0.01)
    assert len(shown) > 20
