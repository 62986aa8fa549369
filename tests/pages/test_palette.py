"""Colours that can be read and told apart, by computed contrast and distance."""

import re
import tomllib
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from pages.shared.plots import palette
from pages.views.constrained.figures import path
from pages.views.constrained.results import Trail
from pages.views.low_rank.figures.sensitivity import share_kept
from tests.pages.rendering import ROOT
from tests.pages.views.constrained.examples import a_layer


def luminance(colour):
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2.2)."""
    return sum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def linear(colour):
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix(one, other, share):
    pairs = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round((1 - share) * a + share * b):02x}" for a, b in pairs)


def test_contrast_is_that_of_the_standard_s_own_examples():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", ["LOW_RANK", "CONSTRAINED", "COMBINED", "OCHRE"])
def test_numbers_on_cells_can_be_read_from_the_faintest_to_the_fullest(name):
    """On heat maps and confusion matrices, whose cells are opaque in light and dark alike."""
    full = getattr(palette, name)
    for step in range(11):
        assert contrast(palette.INK, mix(palette.UNCHANGED, full, step / 10)) >= 4.5


# What an eye without one kind of cone sees, in linear RGB (Machado, Oliveira and Fernandes 2009).
EYES = {
    "every cone": np.eye(3),
    "no long": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no short": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
FAR = 10  # of CIELAB: told apart at a glance


def lab(rgb):
    """CIELAB of a colour in linear RGB."""
    x, y, z = TO_XYZ @ np.clip(rgb, 0, 1) / (0.95047, 1, 1.08883)
    x, y, z = (
        np.cbrt(part) if part > 216 / 24389 else (24389 / 27 * part + 16) / 116
        for part in (x, y, z)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, other, eye):
    seen = (lab(np.array(EYES[eye]) @ linear(colour)) for colour in (one, other))
    return float(np.linalg.norm(next(seen) - next(seen)))


def test_distance_is_that_of_cielab():
    assert distance("#ffffff", "#000000", "every cone") == pytest.approx(100, abs=0.01)
    assert distance("#ff0000", "#008000", "every cone") > 100
    assert distance("#d24a4a", "#8f7a1e", "no middle") < 20  # red and olive look alike


@pytest.mark.parametrize("eye", EYES)
def test_what_stands_in_one_chart_is_told_apart_by_every_eye(eye):
    """By its colour, or else by its symbol or dash."""
    for kind, styles in palette.STYLES.items():
        for (name, one), (other, two) in combinations(styles.items(), 2):
            if (one.symbol, one.dash) == (two.symbol, two.dash):
                assert distance(one.colour, two.colour, eye) >= FAR, (kind, name, other)
    assert distance(palette.LOW_RANK, palette.CONSTRAINED, eye) >= 3 * FAR


@pytest.mark.parametrize("eye", EYES)
def test_ten_classes_are_told_apart_by_colour_or_dash_by_every_eye(eye):
    styles = [palette.number_style(place) for place in range(10)]
    for one, two in combinations(styles, 2):
        assert one.dash != two.dash or distance(one.colour, two.colour, eye) >= FAR, (one, two)


def test_no_two_of_thirty_named_weights_look_alike():
    """As many as the largest table has columns."""
    assert len({palette.number_style(place) for place in range(30)}) == 30


def test_classes_of_a_path_and_layers_have_these_styles():
    trail = Trail(np.array([1.0, 2.0]), np.arange(40.0).reshape(2, 10, 2), False)
    drawn = path.path(trail, [["a", "b"]] * 10, list("0123456789"), 1.0, False)
    layers = {f"fc{n}": a_layer() for n in range(10)}
    free = path.free_by_layer(layers, [0.5], 0.5, "relative bound")
    table = pd.DataFrame({"layer": [f"fc{n}" for n in range(10)], "kept": 0.5, "low": 0.1})
    shares = share_kept(table.assign(validation_score=0.5, high=0.9), "classification")
    styles = [palette.number_style(place) for place in range(10)]
    for figure in (drawn, free, shares):
        looks = [(trace.line.color, trace.line.dash) for trace in figure.data[:10]]
        assert looks == [(style.colour, style.dash) for style in styles]


def test_layers_and_parts_of_the_data_wear_no_family_s_colour():
    families = {palette.LOW_RANK, palette.CONSTRAINED, palette.COMBINED}
    assert not families & {palette.number_style(place).colour for place in range(40)}


def test_text_that_the_page_s_own_rules_colour_can_be_read_on_both_grounds():
    """Ticks and titles of axes, captions, a slider's value: in no theme, so in no other test."""
    rules = (ROOT / "pages" / "shared" / "ui" / "page.css").read_text(encoding="utf-8")
    found = re.findall(r"(?<![-\w])(?:color|fill): light-dark\((#\w{6}), (#\w{6})\)", rules)
    assert len(found) >= 3
    assert re.search(r"\.xtick text[^}]*fill: light-dark", rules)
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))[
        "theme"
    ]
    for colours in found:
        for scheme, colour in zip(("light", "dark"), colours, strict=True):
            for ground in ("backgroundColor", "secondaryBackgroundColor"):
                assert contrast(colour, theme[scheme][ground]) >= 4.5, (scheme, colour, ground)
