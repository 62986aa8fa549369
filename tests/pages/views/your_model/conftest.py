"""What the buttons of the page on one's own model hand out."""

import pytest

from pages.shared.ui import blocks


@pytest.fixture
def downloads(monkeypatch):
    """Key of a button that was drawn -> its content, or the function that builds it."""
    files = {}
    real = blocks.st.download_button

    def button(label, content, **named):
        files[named["key"]] = content
        return real(label, content, **named)

    monkeypatch.setattr(blocks.st, "download_button", button)
    return files
