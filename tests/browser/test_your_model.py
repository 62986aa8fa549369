"""An ONNX pair brought in a real browser, and the smaller file that comes out of it."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.browser

PAIR = Path(__file__).parents[1] / "compression" / "graphs" / "files"


def test_a_pair_is_uploaded_a_smaller_share_chosen_and_the_download_runs(server, visit, tmp_path):
    import onnxruntime

    from benchmarks.browser import wait_until_idle

    page = visit(f"{server.address}/your_model?judged_on=none")
    page.set_default_timeout(120_000)
    page.get_by_text("Shown until you bring a file").wait_for()
    wait_until_idle(page)
    files = [str(PAIR / "model.onnx"), str(PAIR / "model.onnx.data")]
    page.locator("input[type=file]").set_input_files(files)
    page.locator("code", has_text="model.onnx").first.wait_for()
    wait_until_idle(page)
    slider = page.locator(".st-key-keep input[type=range]")
    slider.focus()
    slider.press("Home")
    button = page.locator(".st-key-smaller_model button").first
    button.wait_for()
    wait_until_idle(page)
    with page.expect_download() as download:
        button.click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "model-low-rank.onnx"
    session = onnxruntime.InferenceSession(path)
    outputs = session.run(None, {"x": np.zeros((2, 3, 8, 8), np.float32)})[0]
    assert outputs.shape == (2, 16)
    brought = sum((PAIR / name).stat().st_size for name in ("model.onnx", "model.onnx.data"))
    assert path.stat().st_size < brought
