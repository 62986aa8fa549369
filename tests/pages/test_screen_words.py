"""Words on screen that other tools use too, each where a person looks for it."""

from functools import cache

import pytest

from tests.pages.rendering import render

CONVEX = {"dataset": "iris", "model": "softmax_regression", "bound": "0.1"}


@cache
def read_screen(page):
    """All that a page tells the browser, as one text."""
    app = render(page, **CONVEX)
    return "\n".join(str(getattr(node, "proto", "")) for node in app.main)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("compare.py", 'label: "Download model (.safetensors)"'),
        ("compare.py", 'label: "Low-rank method (LMM)"'),
        ("compare.py", 'label: "Constraint set (COC)"'),
        ("compare.py", 'label: "Link sliders by"'),
        ("compare.py", 'label: "Presets"'),
        ("compare.py", 'label: "Compare with"'),
        ("compare.py", "MACs per sample"),
        ("constrained.py", "Largest multipliers"),
        ("decide.py", 'label: "Max. file size (kB)"'),
        ("decide.py", 'placeholder: "any"'),
    ],
)
def test_a_control_is_called_what_other_tools_call_it(page, words):
    assert words in read_screen(page)
