"""A model's other formats: asked for by opening them, and each with its length and its check."""

import pytest
import torch
from streamlit.testing.v1 import AppTest

import compression
from compression.exports import convert_file
from tests.pages.rendering import settle

OPEN = "file_formats_small"  # the key of what the person opens


def page():
    import streamlit as st

    from pages.shared.ui import blocks

    def content():
        st.session_state["asked"] = True
        return st.session_state["model"]

    blocks.offer_model(content, "small.safetensors", "file")


@pytest.fixture
def app(tmp_path):
    torch.manual_seed(0)
    compression.save(torch.nn.Sequential(torch.nn.Linear(6, 3)), tmp_path / "model")
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["model"] = (tmp_path / "model").read_bytes()
    return app


def labels(app):
    return [button.label for button in app.get("download_button")]


def test_nothing_is_written_before_the_formats_are_opened(app):
    assert labels(settle(app)) == ["Download model (.safetensors)"]
    assert "asked" not in app.session_state


def test_each_format_shows_its_length_and_how_far_it_is_from_the_network(app):
    app.session_state[OPEN] = True
    settle(app)
    found = convert_file(app.session_state["model"], "small.pt")
    assert labels(app)[1:] == ["ONNX (.onnx)", "PyTorch (.pt)", "Factors (.factors.safetensors)"]
    for each, caption in zip(found, app.caption, strict=True):
        assert f"{len(each.content):,} B; read back" in caption.value
        told = f"at most {each.difference:.1e}" if each.difference else "gives the same outputs"
        assert told in caption.value
    assert app.code[0].value == found[1].code.strip()


def test_what_is_no_model_gets_a_sentence(app):
    app.session_state["model"] = b"no model"
    app.session_state[OPEN] = True
    settle(app)
    assert len(labels(app)) == 1
    assert "did not work" in app.error[0].value
