"""A person's own arrays: what their axes are is asked, not guessed."""

import numpy as np
import pytest

import data
from data import DatasetError, arrays

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (60, 6, 5)).astype(np.uint8)
LABELS = np.arange(60) % 3


def test_images_of_one_channel_are_read_as_they_are_said_to_be():
    made = data.from_arrays(IMAGES, LABELS, layout="NHW", class_names=("a", "b", "c"))
    assert made.input_shape == (1, 6, 5)
    assert made.feature_names[7] == "row 2, column 3"
    assert made.class_names == ("a", "b", "c")
    own = made.x_train * made.scale + made.mean
    found = {image.tobytes() for image in np.rint(own * 255).astype(np.uint8)}
    assert found <= {image.tobytes() for image in IMAGES}
    fit = own[made.fit_rows]
    np.testing.assert_allclose(made.mean, fit.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(made.scale, fit.std(axis=0), rtol=1e-4)
    assert made.name.startswith("table-")
    assert (
        made.name
        == data.from_arrays(IMAGES, LABELS, layout="NHW", class_names=("a", "b", "c"), seed=4).name
    )


@pytest.mark.parametrize(
    ("shape", "layouts"),
    [
        ((60, 6, 5), ("NHW", "NCL", "NLC")),
        ((60, 8, 8, 3), ("NCHW", "NHWC")),
        ((60, 8, 8, 1), ("NCHW", "NHWC")),
    ],
)
def test_an_array_that_can_be_two_things_is_asked_about(shape, layouts):
    with pytest.raises(DatasetError, match="can be read in several ways") as caught:
        data.from_arrays(RANDOM.normal(size=shape), LABELS)
    assert all(repr(name) in str(caught.value) for name in layouts)
    for layout in layouts:
        made = data.from_arrays(RANDOM.normal(size=shape), LABELS, layout=layout)
        assert len(made.input_shape) == len(layout) - 1 + (layout == "NHW")


def test_channels_come_first_whatever_the_layout():
    x = RANDOM.normal(size=(60, 8, 7, 3))
    last = data.from_arrays(x, LABELS, layout="NHWC")
    first = data.from_arrays(np.moveaxis(x, -1, 1), LABELS)
    assert last.input_shape == first.input_shape == (3, 8, 7)
    np.testing.assert_array_equal(last.x_train, first.x_train)
    signals = data.from_arrays(x[:, :, 0], LABELS, layout="NLC")
    assert signals.input_shape == (3, 8)


def test_sequences_of_several_lengths_are_padded():
    lengths = RANDOM.integers(2, 9, 60)
    pieces = [RANDOM.normal(size=length) + 5 for length in lengths]
    together = data.from_arrays(np.concatenate(pieces), LABELS, lengths=lengths)
    padded = np.full((60, lengths.max()), 99.0)
    for row, piece in zip(padded, pieces, strict=True):
        row[: len(piece)] = piece
    already = data.from_arrays(padded, LABELS, lengths=lengths)
    np.testing.assert_array_equal(together.x_train, already.x_train)
    own = together.x_train * together.scale + together.mean
    assert {tuple(np.round(row[np.abs(row) > 1e-4], 3)) for row in own} <= {
        tuple(np.round(piece, 3)) for piece in pieces
    }
    with pytest.raises(DatasetError, match="do not fit inputs of the shape"):
        data.from_arrays(padded[:50], LABELS, lengths=lengths)


def test_a_given_test_part_is_kept():
    tested = np.arange(60) >= 40
    x = RANDOM.normal(size=(60, 3))
    x[:, 0] = np.arange(60)
    made = data.from_arrays(x, LABELS, tested=tested)
    own = made.x_test[:, 0] * made.scale[0] + made.mean[0]
    np.testing.assert_array_equal(np.rint(own), np.arange(40, 60))


def test_too_many_cells_are_sampled_and_said(monkeypatch):
    monkeypatch.setattr(arrays, "MOST_CELLS", 30 * 30)
    made = data.from_arrays(IMAGES, LABELS, layout="NHW")
    assert len(made.x_train) + len(made.x_test) == 30
    assert any("30 of 60 rows" in remark for remark in made.remarks)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"x": np.full((60, 3), "a")}, "give numbers"),
        ({"x": np.ones(60)}, "the shape"),
        ({"x": np.ones((60, 1, 1, 1, 1))}, "the shape"),
        ({"layout": "NCHW"}, "has no layout 'NCHW'"),
        ({"y": LABELS[:-1]}, "60 rows of inputs and 59 targets"),
        ({"tested": np.zeros(60)}, "marks 0 of 60 rows"),
        ({"tested": LABELS == 1}, "class '1' has fewer than 2 rows outside"),
        ({"lengths": np.ones(60)}, "no list of whole numbers"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_in_a_sentence(arguments, sentence):
    given = {"x": IMAGES, "y": LABELS, "layout": "NHW"} | arguments
    with pytest.raises(DatasetError, match=sentence):
        data.from_arrays(**given)


def test_whole_numbers_as_targets_are_read_one_way_and_the_other_is_said():
    made = data.from_arrays(RANDOM.normal(size=(60, 3)), LABELS)
    assert made.task == "classification"
    assert any("could be classes or amounts" in remark for remark in made.remarks)
    assert (
        data.from_arrays(RANDOM.normal(size=(60, 3)), RANDOM.normal(size=60)).task == "regression"
    )
