"""How a graph reads its input: the right way is found, a wrong order of classes is named."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import r2_score

import compression
from compression.graphs.onnx_model import read_onnx
from compression.graphs.plan import plan
from compression.graphs.readings import (
    AS_IS,
    BYTES,
    IMAGENET,
    OWN_UNIT,
    STANDARD_UNIT,
    STANDARDISED,
    SYMMETRIC,
    UNIT,
    Reading,
    judge_readings,
    prepare,
)
from compression.graphs.score_curve import judge_on, score_curve

from .onnx_graphs import build, node, run

RNG = np.random.default_rng(0)
SHAPE = (2, 3, 2)  # channels, height, width
FEATURES = 12
# Nested: read at another scale the brightest class always wins.
CENTRES = np.array([[0.8] * (4 * (c + 1)) + [0.05] * (FEATURES - 4 * (c + 1)) for c in range(3)])

LEVELS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
PIXELS = [AS_IS, UNIT, SYMMETRIC, STANDARDISED, IMAGENET]  # of 0 ... 255
SHARES = [AS_IS, BYTES, SYMMETRIC, STANDARDISED, IMAGENET]  # of 0 ... 1
# Where channels, height and width, or channels and length, stand in a layout.
LAYOUTS = {"NCHW": (0, 1, 2), "NHWC": (1, 2, 0), "NHW": (1, 2), "NCL": (0, 1), "NLC": (1, 0)}


def images(rows=240, seed=0):
    """Pixels from 0 to 255 around a centre a class, as a split and standardised dataset."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, rows)
    raw = np.clip(CENTRES[y] + rng.normal(0, 0.06, (rows, FEATURES)), 0, 1) * 255
    raw[0], raw[1] = 0, 255
    mean, scale = raw.mean(0), raw.std(0)
    x = ((raw - mean) / scale).astype(np.float32)
    half = rows // 2
    return SimpleNamespace(
        task="classification",
        x_train=x[:half],
        y_train=y[:half],
        x_test=x[half:],
        y_test=y[half:],
        fit_rows=np.arange(0, 60),
        validation_rows=np.arange(60, half),
        class_names=("a", "b", "c"),
        input_shape=SHAPE,
        mean=mean,
        scale=scale,
    )


def classifier(layout="flat", order=(0, 1, 2), axes=None):
    """Nearest centre of pixels between 0 and 1, samples given in a layout."""
    centres = CENTRES[list(order)]
    weights = {"w": 2 * centres.T, "b": -(centres**2).sum(axis=1)}
    nodes = [node("MatMul", "f w", "h"), node("Add", "h b", "y")]
    if layout == "flat":
        nodes.insert(0, node("Identity", "x", "f"))
        return build(nodes, weights, axes or ("rows", FEATURES))
    channels, height, width = SHAPE
    if layout == "NHWC":
        nodes.insert(0, node("Transpose", "x", "t", perm=[0, 3, 1, 2]))
        shape = ("rows", height, width, channels)
    else:
        nodes.insert(0, node("Identity", "x", "t"))
        shape = ("rows", *SHAPE)
    nodes.insert(1, node("Flatten", "t", "f"))
    return build(nodes, weights, axes or shape)


@pytest.mark.parametrize("layout", ["flat", "NCHW", "NHWC"])
def test_the_right_scaling_and_layout_come_first(layout):
    data = images()
    judged = judge_readings(classifier(layout), data)
    assert judged.readings[0] == Reading(UNIT, layout)
    assert judged.beats_majority()
    assert judged.order is None
    place = judged.readings.index(Reading(AS_IS, layout))
    assert judged.table["score"].iloc[0] > 0.95
    assert judged.table["score"].iloc[place] < 0.5
    assert judged.majority == np.bincount(data.y_train[60:]).max() / 60


def make_levels(shape, largest, fit=60, validation=180):
    """Five classes, each with a level of its own in each channel; values up to a largest one."""
    rng = np.random.default_rng(2)
    centres = np.array([np.resize(np.roll(LEVELS, turn), shape[0]) for turn in range(5)])
    centres = np.repeat(centres, np.prod(shape[1:]), axis=1)
    y = rng.integers(0, 5, fit + validation)
    raw = centres[y] + rng.normal(0, 0.02, (len(y), centres.shape[1]))
    raw[0], raw[1] = 0, 1
    raw *= largest
    mean, scale = raw.mean(0), raw.std(0)
    data = SimpleNamespace(
        task="classification",
        x_train=((raw - mean) / scale).astype(np.float32),
        y_train=y,
        fit_rows=np.arange(fit),
        validation_rows=np.arange(fit, len(y)),
        class_names=tuple("abcde"),
        input_shape=shape,
        mean=mean,
        scale=scale,
    )
    return data, centres


def undo(scaling, data, largest):
    """Slope and shift of each feature that lead from what a scaling gives to shares of white."""
    channels, places = data.input_shape[0], int(np.prod(data.input_shape[1:]))
    means, deviations = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    if channels != 3:
        means, deviations = np.full(channels, means.mean()), np.full(channels, deviations.mean())
    ways = {
        AS_IS: (1 / largest, 0.0),
        UNIT: (1.0, 0.0),
        BYTES: (1 / 255, 0.0),
        SYMMETRIC: (0.5, 0.5),
        STANDARDISED: (data.scale / largest, data.mean / largest),
        IMAGENET: (np.repeat(deviations, places), np.repeat(means, places)),
    }
    return [np.broadcast_to(part, (channels * places,)) for part in ways[scaling]]


def made_for(scaling, layout, data, centres, largest, *, is_open=False):
    """Knows a class by all features within a tenth of its centre, in shares of white."""
    slope, shift = undo(scaling, data, largest)
    weights = {"slope": slope, "shift": shift, "centres": centres, "near": np.array(0.1)}
    weights["axis"] = np.array([1])
    names = ["channels", "height", "width"]
    if layout == "flat":
        nodes, axes = [node("Identity", "x", "f")], [len(slope)]
    else:
        order = LAYOUTS[layout]
        axes = [data.input_shape[place] for place in order]
        back = (0, *(1 + np.argsort(order))) if len(order) == len(data.input_shape) else (0, 1, 2)
        nodes = [
            node("Transpose", "x", "t", perm=[int(p) for p in back]),
            node("Flatten", "t", "f"),
        ]
    nodes += [node("Mul", "f slope", "g"), node("Add", "g shift", "u")]
    nodes += [
        node("Unsqueeze", "u axis", "r"),
        node("Sub", "r centres", "d"),
        node("Abs", "d", "e"),
    ]
    nodes += [node("ReduceMax", "e", "m", axes=[2], keepdims=0), node("Sub", "near m", "n")]
    nodes += [node("Relu", "n", "y")]
    return build(nodes, weights, ("rows", *(names[: len(axes)] if is_open else axes)))


@pytest.mark.parametrize("layout", ["flat", "NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize(
    ("largest", "scaling"), [(255, way) for way in PIXELS] + [(1, way) for way in SHARES]
)
def test_prepared_rows_hold_the_shares_of_white_in_their_scaling_and_layout(
    largest, scaling, channels, layout
):
    data, _ = make_levels((channels, 2, 3), largest)
    raw = data.x_train * data.scale + data.mean
    found = prepare(data, data.x_train, Reading(scaling, layout))
    if layout != "flat":
        found = found.transpose(0, *(1 + np.argsort(LAYOUTS[layout])))
    slope, shift = undo(scaling, data, largest)
    shares = found.reshape(len(raw), -1) * slope + shift
    np.testing.assert_allclose(shares, raw / largest, atol=1e-5)


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("layout", ["flat", "NCHW", "NHWC"])
@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize(
    ("largest", "scaling"), [(255, way) for way in PIXELS] + [(1, way) for way in SHARES]
)
def test_of_a_model_made_for_a_way_to_read_that_way_comes_first(
    largest, scaling, channels, layout, is_open
):
    data, centres = make_levels((channels, 2, 3), largest)
    content = made_for(scaling, layout, data, centres, largest, is_open=is_open)
    judged = judge_readings(content, data)
    assert judged.readings[0] == Reading(scaling, layout)
    best, second = judged.table["score"].iloc[:2]
    assert best > 0.98
    assert second < 0.9  # nothing else does as well: no tie decides
    assert judged.order is None
    layouts = {layout, "NCHW", "NHWC"} if is_open and layout != "flat" else {layout}
    scalings = SHARES if largest == 1 else PIXELS
    assert sorted(reading.title for reading in judged.readings) == sorted(
        f"{way}, {own}" for own in layouts for way in scalings
    )
    assert len(judged.readings) <= 12


@pytest.mark.parametrize(
    ("layout", "shape"), [("NHW", (1, 4, 3)), ("NCL", (3, 5)), ("NLC", (3, 5)), ("flat", (6,))]
)
@pytest.mark.parametrize("scaling", [AS_IS, STANDARDISED])
def test_images_without_an_axis_of_channels_series_and_tables_are_found_too(layout, shape, scaling):
    data, centres = make_levels(shape, 255)
    judged = judge_readings(made_for(scaling, layout, data, centres, 255), data)
    assert judged.readings[0] == Reading(scaling, layout)
    assert judged.table["score"].iloc[0] > 0.98 > 0.9 > judged.table["score"].iloc[1]


@pytest.mark.parametrize(("validation", "used"), [(255, 255), (256, 256), (257, 256), (900, 256)])
def test_at_most_256_validation_rows_are_judged(validation, used):
    data, centres = make_levels((2, 2, 3), 255, validation=validation)
    data.y_train[60::4] = 0  # some answers are wrong
    judged = judge_readings(made_for(UNIT, "flat", data, centres, 255), data)
    assert judged.rows == used
    line = judged.table.iloc[0]
    right = round(line["score"] * used)
    assert 0 < right < used
    assert line["score"] == pytest.approx(right / used)
    ends = binomtest(right, used).proportion_ci(method="wilson")
    assert (line["low"], line["high"]) == pytest.approx((ends.low, ends.high))


def test_open_axes_leave_both_layouts_to_be_tried():
    content = classifier("NCHW", axes=("rows", "a", "b", "c"))
    judged = judge_readings(content, images())
    assert {reading.layout for reading in judged.readings} == {"NCHW", "NHWC"}
    assert judged.readings[0] == Reading(UNIT, "NCHW")


def test_a_fixed_number_of_rows_is_filled_up():
    content = classifier(axes=(7, FEATURES))
    assert judge_readings(content, images()).readings[0] == Reading(UNIT, "flat")


def test_another_order_of_classes_is_found_and_named():
    judged = judge_readings(classifier(order=(2, 0, 1)), images())
    assert judged.order == (2, 0, 1)
    assert judged.table["score"].iloc[0] < 0.5
    assert judged.table["reordered"].iloc[0] > 0.95
    assert judged.beats_majority()


def test_a_model_of_other_data_beats_no_largest_class():
    data = images()
    data.y_train = RNG.permutation(data.y_train)
    judged = judge_readings(classifier(), data)
    assert not any(judged.beats_majority(place) for place in range(len(judged.readings)))


@pytest.mark.parametrize(
    ("content", "change", "said"),
    [
        (build([node("Relu", "x", "y")], {}, ("rows", 5)), {}, "the samples are 2 × 3 × 2"),
        (classifier(), {"class_names": ("a", "b")}, "gives 3 outputs, and the dataset has 2"),
        (classifier(), {"task": "regression"}, "the dataset has one number"),
    ],
)
def test_what_cannot_be_judged_says_why(content, change, said):
    data = images()
    if "class_names" in change:
        data.y_train = np.minimum(data.y_train, 1)
    vars(data).update(change)
    with pytest.raises(compression.CompressionError, match=said):
        judge_readings(content, data)


@pytest.mark.parametrize("answer", [OWN_UNIT, STANDARD_UNIT])
def test_a_number_s_unit_is_found_and_its_r2_is_that_of_onnx_runtime(answer):
    data, slopes = images(), RNG.normal(size=(FEATURES, 1))
    truth = lambda x: (x * data.scale + data.mean) / 255 @ slopes[:, 0]  # noqa: E731
    raw, raw_test = truth(data.x_train), truth(data.x_test) + RNG.normal(size=len(data.x_test))
    mean, scale = raw.mean() + 1, raw.std()
    change = {"task": "regression", "class_names": (), "target_mean": mean, "target_scale": scale}
    vars(data).update(change)
    data.y_train, data.y_test = (raw - mean) / scale, (raw_test - mean) / scale
    answers = {OWN_UNIT: (slopes, 0.0), STANDARD_UNIT: (slopes / scale, -mean / scale)}
    weights = {"w": answers[answer][0], "b": np.array([answers[answer][1]])}
    content = build(
        [node("MatMul", "x w", "h"), node("Add", "h b", "y")], weights, ("rows", FEATURES)
    )
    judged = judge_readings(content, data)
    assert judged.readings[0] == Reading(UNIT, "flat", answer)
    assert judged.beats_majority()
    model = read_onnx({"m.onnx": content})
    table = score_curve(model, [{}], judge_on(model, data, judged.readings[0])).table
    said = run(content, x=prepare(data, data.x_test, judged.readings[0]))[0][:, 0]
    wanted = raw_test if answer == OWN_UNIT else data.y_test
    assert table["score"].iloc[-1] == pytest.approx(r2_score(wanted, said), abs=1e-4)
    assert table["score_low"].iloc[-1] < table["score"].iloc[-1] < table["score_high"].iloc[-1]


def test_prepared_rows_are_the_raw_pixels_in_their_layout():
    data = images()
    raw = (data.x_test * data.scale + data.mean).reshape(-1, *SHAPE)
    turned = prepare(data, data.x_test, Reading(AS_IS, "NHWC"))
    np.testing.assert_allclose(turned, raw.transpose(0, 2, 3, 1), atol=1e-3)
    small = prepare(data, data.x_test, Reading("ImageNet's means and deviations", "NCHW"))
    expected = (raw / 255 - np.mean([0.485, 0.456, 0.406])) / np.mean([0.229, 0.224, 0.225])
    np.testing.assert_allclose(small, expected, atol=1e-4)


def test_score_curve_is_what_onnx_runtime_gives_for_each_file():
    data = images()
    x = prepare(data, data.x_test, Reading(UNIT, "flat"))
    mixing = RNG.normal(size=(FEATURES, FEATURES))
    content = build(
        [node("MatMul", "x m", "f"), node("MatMul", "f w", "h"), node("Add", "h b", "y")],
        {
            "m": mixing,
            "w": np.linalg.solve(mixing, 2 * CENTRES.T),
            "b": -(CENTRES**2).sum(axis=1),
        },
        ("rows", FEATURES),
    )
    model = read_onnx({"m.onnx": content})
    ranks = plan(model, steps=4).ranks
    judge = judge_on(model, data, Reading(UNIT, "flat"))
    curve = score_curve(model, ranks, judge)
    table = curve.table
    own = table[table["bits"] == 32]
    assert own["bytes"].is_monotonic_increasing

    def stop(done, total, gather):
        return len(gather().table["row"].unique()) < 2

    begun = score_curve(model, ranks, judge, report=stop).table
    assert begun["row"].max() == len(ranks) - 1  # the model as it came is there from the first on
    assert begun["row"].is_monotonic_increasing
    assert own["change"].iloc[-1] == 0
    for place, (row, bits) in enumerate(zip(table["row"], table["bits"], strict=True)):
        smaller = model.compressed(ranks[row])
        written = (smaller.to_bytes() if bits == 32 else smaller.rounded_bytes(bits))["m.onnx"]
        right = run(written, x=x)[0].argmax(1) == data.y_test
        assert table["score"].iloc[place] == pytest.approx(right.mean())
        assert table["bytes"].iloc[place] == len(written)
        validation = data.x_train[data.validation_rows]
        asked = prepare(data, validation, Reading(UNIT, "flat"))
        found, before = (run(one, x=asked)[0].argmax(1) for one in (written, content))
        gained = (found == data.y_train[60:]).astype(int) - (before == data.y_train[60:])
        np.testing.assert_array_equal(curve.gains[place], gained)
        assert table["validation_change"].iloc[place] == pytest.approx(gained.mean())
