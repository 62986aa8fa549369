"""The figure that scrubs and the file to send: the same numbers as the curves, and no strangers."""

import ast
import contextlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.views.compare import animation as scrub
from pages.views.compare import report

LINK = "http://127.0.0.1:8501/compare?dataset=iris&rank=1"


def go_on(*arguments, **named):
    return True


@pytest.fixture(scope="module", params=[("iris", "mlp"), ("diabetes", "linear_regression")])
def compared(request):
    dataset, model = request.param
    trained = work.reference(go_on, dataset, model, 0)
    low_rank = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(
        go_on,
        trained.origin,
        constraint="box",
        way="path" if trained.convex else "projected_training",
    )
    return trained, trained.layers[0], low_rank, constrained, 1, float(trained.bounds["box"][20])


def letter_of(constrained):
    """A network's bound is a share ρ of what holds each layer, a convex model's is c itself."""
    return {"relative bound": "ρ", "bound": "c"}[constrained.knob]


def test_every_row_of_both_curves_is_a_frame(compared):
    trained, _, low_rank, constrained, *_ = compared
    figure = scrub.scrub(*compared)
    names = [frame.name for frame in figure.frames]
    assert len(set(names)) == len(names)
    most = max(layer.break_even for layer in trained.layers) + 1
    ranks = [k for k in low_rank.table["knob"] if k <= most]
    shown = [float(name.removeprefix("k = ")) for name in names if name.startswith("k")]
    assert shown == sorted(set(shown) & set(ranks))
    assert len(shown) == min(len(ranks), scrub.MAX_RANKS)  # of more, not every one
    assert {shown[0], shown[-1]} == {ranks[0], ranks[-1]}
    letter = letter_of(constrained)
    assert sum(name.startswith(letter) for name in names) == len(constrained.table)
    for slider in figure.layout.sliders:
        asked = [step.args[0][0] for step in slider.steps]
        assert set(asked) <= set(names)


def test_a_frame_shows_its_row(compared):
    trained, _, _, constrained, *_ = compared
    figure = scrub.scrub(*compared)
    row = 7
    (frame,) = [
        f
        for f in figure.frames
        if f.name == f"{letter_of(constrained)} = {constrained.table['knob'][row]:.6g}"
    ]
    assert list(frame.traces) == list(range(len(figure.data)))  # see scrub: Plotly drops others
    spectrum, points, texts, point, numbers = frame.data[-5:]
    np.testing.assert_allclose(
        spectrum.y, constrained.spectra[trained.layers[0].name][row], atol=1e-5
    )
    assert list(point.x) == [constrained.table["bytes"][row]]
    scale = 100 if trained.task == "classification" else 1
    assert point.y[0] == pytest.approx(scale * constrained.table["score"][row], abs=1e-4)
    if trained.confusion is not None:
        counts = np.zeros_like(constrained.confusion[row])
        counts[list(texts.y), list(texts.x)] = [int(text) for text in texts.text]
        assert np.array_equal(counts, constrained.confusion[row])
        share = 100 * counts / counts.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(points.marker.color, share.ravel(), atol=0.51)
    else:
        own = constrained.predictions[row] * trained.target_scale + trained.target_mean
        np.testing.assert_allclose(points.y, own, atol=1e-3)
    assert f"{int(constrained.table['parameters'][row]):,}" in numbers.text[0]


def test_no_text_of_a_matrix_is_ever_empty(compared):
    """Plotly does not bring a text back that was empty in the frame before."""
    figure = scrub.scrub(*compared)
    for frame in figure.frames:
        for trace in frame.data:
            assert "" not in list(trace.text or ())


def test_the_code_of_a_report_gives_the_numbers_of_its_curves(compared, tmp_path, monkeypatch):
    trained, _, low_rank, constrained, rank, bound = compared
    monkeypatch.chdir(tmp_path)
    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(report.code(trained, low_rank, constrained, rank, bound), found)
    assert found["reference"].score == trained.score
    expected = {
        "LMM": low_rank.table.iloc[low_rank.row(rank)],
        "COC": constrained.table.iloc[constrained.row(bound)],
    }
    for side, row in expected.items():
        for column in ("knob", "score", "parameters", "bytes", "macs"):
            assert found["rows"][side][column] == pytest.approx(row[column], abs=1e-6)
    assert (tmp_path / "low-rank.safetensors").stat().st_size == expected["LMM"]["bytes"]


def test_the_code_of_a_report_has_equal_epochs_where_its_curves_have(compared):
    trained, _, low_rank, constrained, rank, bound = compared
    assert "epochs" not in report.code(trained, low_rank, constrained, rank, bound)
    low_rank, constrained = (
        replace(curve, table=curve.table.assign(epochs=7)) for curve in (low_rank, constrained)
    )
    code = report.code(trained, low_rank, constrained, rank, bound)
    curves = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    named = [{word.arg: word.value for word in call.keywords} for call in curves]
    of_rank, of_bound = (word for word in named if "epochs" in word)
    assert of_rank["epochs"].value == of_bound["epochs"].value == 7
    assert of_bound["warm_start"].value is False


def test_a_report_is_one_small_file_that_asks_nobody(compared):
    text = report.report(*compared, link=LINK)
    assert len(text.encode()) < 6e6
    own = text.replace(report.get_plotlyjs(), "")
    assert re.findall(r"""(?:src|href)=["']([^"']+)""", own) == [LINK.replace("&", "&amp;")] * 1
    assert "import compression" in own
    assert f"seed={compared[0].seed}" in own


def test_a_report_without_the_script_looks_beside_itself(compared):
    text = report.report(*compared, link=LINK, script=False)
    assert len(text.encode()) < 1e6
    assert '<script src="plotly.min.js"></script>' in text


def test_what_a_link_brings_is_text_in_a_report(compared):
    text = report.report(*compared, link='http://x/?seed="><script>alert(1)</script>', script=False)
    assert "<script>alert" not in text


def test_the_figure_of_a_report_is_plain_json(compared):
    json.loads(scrub.scrub(*compared).to_json())
