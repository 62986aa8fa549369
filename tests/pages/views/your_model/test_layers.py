"""The table of layers and the sentence on the smaller file, of models whose truth NumPy knows."""

import math
import re

import numpy as np
import pytest

from compression.graphs.weights import REASONS
from pages.views.your_model import text
from tests.compression.graphs.conftest import low_rank_matrix
from tests.compression.graphs.onnx_graphs import build, node
from tests.pages.rendering import open_page
from tests.pages.test_your_model_page import QUICK, upload

RNG = np.random.default_rng(0)
# A spectrum that falls steadily: its ranks at 90, 95 and 99 % are three different ones.
DENSE = (RNG.normal(size=(40, 40)) * 0.85 ** np.arange(40)) @ RNG.normal(size=(40, 60)) / 6
KERNEL = RNG.normal(size=(24, 4, 3, 3)) * np.geomspace(1, 0.05, 24)[:, None, None, None]


def matrices_graph():
    """A convolution, whose matrix is (outputs, channels · places), and a product from the right."""
    nodes = [
        node("Conv", "x kernel", "c"),
        node("GlobalMaxPool", "c", "p"),
        node("Flatten", "p", "f"),
        node("MatMul", "f up", "u"),
        node("MatMul", "u dense", "y"),
    ]
    weights = {"kernel": KERNEL, "up": np.ones((24, 40)), "dense": DENSE}
    return build(nodes, weights, ("rows", 4, 5, 5))


def rank_at(matrix, share):
    """The fewest singular values whose squares are that share of all."""
    squares = np.linalg.svd(matrix.astype(np.float32), compute_uv=False).astype(float) ** 2
    return 1 + next(
        k for k in range(len(squares)) if squares[: k + 1].sum() >= share * squares.sum()
    )


def page_of(content, **query):
    app = upload(open_page("your_model.py", **QUICK, **query).run(), own__onnx=content)
    assert [error.value for error in app.error] == []
    return app


@pytest.mark.parametrize("energy", [90, 95, 99])
def test_ranks_and_savings_of_the_table_are_those_of_the_singular_values(energy):
    table = page_of(matrices_graph(), energy=str(energy)).dataframe[0].value.set_index("layer")
    for name, matrix in {"kernel": KERNEL.reshape(24, 36), "dense": DENSE}.items():
        m, n = matrix.shape
        line = table.loc[name]
        ranks = {share: rank_at(matrix, share / 100) for share in (90, 95, 99)}
        assert len(set(ranks.values())) == 3
        assert {share: line[f"rank at {share} %"] for share in ranks} == ranks
        assert line["saves (%)"] == pytest.approx(100 * (1 - ranks[energy] * (m + n) / (m * n)))
        assert line["break-even k*"] == max(k for k in range(m) if k * (m + n) < m * n)


def test_a_gru_in_a_graph_is_listed_with_its_spectrum_and_the_reason_why_it_stays():
    gates = {"w": RNG.normal(size=(1, 24, 6)), "r": RNG.normal(size=(1, 24, 8))}
    content = build([node("GRU", "x w r", "h y", hidden_size=8)], gates, (5, 2, 6))
    app = page_of(content, energy="95")
    table = app.dataframe[0].value.set_index("layer")
    assert list(table.index) == ["w", "r"]
    assert set(table["kind"]) == {"recurrent"}
    assert list(table["shape"]) == ["1 × 24 × 6", "1 × 24 × 8"]
    assert list(table["why, why not"]) == [REASONS["recurrent"]] * 2
    assert "recurrent layer" in REASONS["recurrent"]
    for name, values in gates.items():
        assert table.loc[name, "rank at 95 %"] == rank_at(values[0], 0.95)
    assert text.NOTHING in [info.value for info in app.info]


def test_without_data_the_sentence_on_the_file_says_how_far_its_outputs_differ():
    """Of one product with normal inputs: as far as the weight itself, with a few rows' noise."""
    matrix = low_rank_matrix(64, 96, 40)
    app = page_of(build([node("MatMul", "x w", "y")], {"w": matrix}, ("rows", 64)))
    assert text.NO_SCORE in [warning.value for warning in app.warning]
    (said,) = [words.value for words in app.markdown if "Read back, " in words.value]
    found = re.search(
        r"On (\d+) random inputs its outputs differ from the original's by \*\*([\d.]+) %\*\* of "
        r"their norm, at most by ([\d.]+); the largest output is the same for (\d+) % of them\. "
        r"Random inputs are no data",
        said,
    )
    rows, relative, largest, same = map(float, found.groups())
    captions = " ".join(caption.value for caption in app.caption)
    rank = int(re.search(r"`w` → (\d+)", captions)[1])
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    lost = math.sqrt(squares[rank:].sum() / squares.sum())
    assert 0 < rank < 39
    assert relative / 100 == pytest.approx(lost, rel=0.2)
    assert rows > 8
    assert 0 < same < 100
    assert largest > 0
