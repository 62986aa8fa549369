"""A table of one's own in a real browser: uploaded, chosen, compared, and a model of it taken away."""

import numpy as np
import pandas as pd
import pytest

import compression
import data
from benchmarks.browser import wait_until_idle

pytestmark = pytest.mark.browser

PATIENCE = 180_000  # ms: a worker's first imports, a training, two curves


def flowers() -> bytes:
    """Three kinds that two lengths tell apart; the column to predict is neither last nor named so."""
    random = np.random.default_rng(0)
    kind = np.arange(150) % 3
    table = pd.DataFrame(
        {
            "kind": np.array(["small", "middle", "large"])[kind],
            "length": kind + random.normal(0, 0.2, 150),
            "width": 2 * kind + random.normal(0, 0.2, 150),
            "bed": random.choice(["north", "south"], 150),
        }
    )
    return table.to_csv(index=False, sep=";").encode()


def test_an_uploaded_table_becomes_a_compressed_model(server, visit, tmp_path):
    page = visit(f"{server.address}/your_data?model=softmax_regression")
    page.set_default_timeout(PATIENCE)
    page.get_by_text("example.csv").first.wait_for()
    wait_until_idle(page)
    page.locator('[data-testid="stFileUploader"] input[type=file]').set_input_files(
        {"name": "flowers.csv", "mimeType": "text/csv", "buffer": flowers()}
    )
    page.get_by_text("Shown: flowers.csv").wait_for()
    wait_until_idle(page)
    target = page.locator(".st-key-target_0 input")
    target.fill("kind")
    target.press("Enter")
    page.get_by_text("3 classes").first.wait_for()
    wait_until_idle(page)

    page.get_by_role("button", name="Use this dataset on every page").click()
    page.get_by_text("This dataset is in use").wait_for()
    page.locator('[data-testid="stMain"]').get_by_role("link", name="Compare").click()
    page.get_by_role("heading", name="Compare").wait_for()
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length >= 4")
    wait_until_idle(page)
    shown = page.locator(".st-key-dataset input").input_value()
    assert shown.startswith("flowers.csv (table-")
    name = shown.removeprefix("flowers.csv (").removesuffix(")")
    assert name in page.url

    slider = page.locator(".st-key-rank input[type=range]")
    slider.press("Home")
    page.wait_for_function("new URL(location).searchParams.get('rank') === '1'")
    wait_until_idle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download model").first.click()
    download.value.save_as(tmp_path / "model.safetensors")

    dataset, network = data.load(name), compression.load(tmp_path / "model.safetensors")
    assert dataset.class_names == ("large", "middle", "small")
    assert dataset.feature_names == ("length", "width", "bed = north", "bed = south")
    import torch

    with torch.no_grad():
        answers = network(torch.from_numpy(dataset.x_test)).argmax(dim=1).numpy()
    assert (answers == dataset.y_test).mean() > 0.6

    # Somebody else's menu does not list it; the link shows it all the same.
    stranger = visit(f"{server.address}/train?dataset=wine")
    stranger.set_default_timeout(PATIENCE)
    stranger.locator(".st-key-dataset input").wait_for()
    stranger.locator(".st-key-dataset input").click()
    stranger.get_by_role("option", name="Wine").wait_for()
    assert stranger.get_by_role("option", name="flowers.csv").count() == 0
    linked = visit(f"{server.address}/train?dataset={name}")
    linked.get_by_text("Your own table").or_(
        linked.get_by_text("An upload of 150 rows")
    ).first.wait_for()
    assert linked.locator(".st-key-dataset input").input_value() == shown
