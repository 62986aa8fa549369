"""A small ONNX graph that shows what the page on one's own model is about.

``python -m benchmarks.example_model`` trained it, on the rows that the dataset digits with seed 0
learns from, and exported it.
"""

from pathlib import Path

NAME = "digits.onnx"
TITLE = "a convolutional classifier of 8 x 8 digits"


def content() -> bytes:
    """Of the file."""
    return Path(__file__).with_name(NAME).read_bytes()
