"""The worker's side of a page, called in this process."""

from dataclasses import replace

import numpy as np
import pytest

from compression import storage
from data import load
from pages.shared.models import constrained_tasks
from pages.shared.models import tasks as work
from pages.shared.models.results import Training
from pages.shared.models.text import file_stem, model_file_name


def go_on(*_args):
    return True


@pytest.fixture(scope="module")
def trained():
    return work.reference(go_on, "iris", "softmax_regression", 0)


def accuracy(file):
    import torch

    dataset = load("iris", seed=0)
    with torch.inference_mode():
        outputs = storage.from_bytes(file)(torch.from_numpy(dataset.x_test))
    return float(np.mean(outputs.argmax(1).numpy() == dataset.y_test))


def test_a_reference_is_the_model_of_its_file(trained):
    assert trained.bytes == len(trained.file)
    assert trained.score == accuracy(trained.file)
    assert trained.confusion.sum() == len(trained.target)
    assert trained.report["samples"].sum() == len(trained.target)


def test_every_bound_has_the_file_that_its_row_speaks_of(trained):
    curve = constrained_tasks.constrained_curve(go_on, trained.origin, "box", "path")
    for row in (0, 20, 39):
        assert len(curve.files[row]) == curve.table["bytes"][row]
        assert accuracy(curve.files[row]) == curve.table["score"][row]


def test_a_rank_taken_away_is_the_rank_shown(trained):
    curve = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    file = work.low_rank_file(go_on, trained.origin, ("truncated_svd", None), 1)
    assert len(file) == curve.table["bytes"][0]
    assert accuracy(file) == curve.table["score"][0]


def test_files_of_references_trained_otherwise_are_named_otherwise(trained):
    own = file_stem(trained)
    others = [
        replace(trained, seed=7),
        *(
            replace(trained, training=training)
            for training in (Training(5, 1, None), Training(None, 2, None), Training(None, 1, 0.01))
        ),
    ]
    assert own in model_file_name(trained, "LMM", "rank", 2)
    assert len({own, *map(file_stem, others)}) == 5
    assert file_stem(others[0]) == f"{own}-seed-7"
