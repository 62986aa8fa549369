"""What the download buttons of a page that AppTest renders hand out."""

import pytest
import streamlit as st


@pytest.fixture
def downloads(monkeypatch):
    """Key of a button that was drawn -> its content, or the function that builds it."""
    files = {}
    real = st.download_button

    def button(label, content, **named):
        files[named["key"]] = content
        return real(label, content, **named)

    monkeypatch.setattr(st, "download_button", button)
    return files


@pytest.fixture
def url(tmp_path, monkeypatch):
    """URL of an empty store, which the app's pages keep their results in."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    monkeypatch.setenv("COMPRESS_STORE", url)
    return url
