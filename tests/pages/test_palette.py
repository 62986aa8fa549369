"""Colours that can be read and told apart, by computed contrast and distance."""

import pytest

from pages.shared.plots import palette


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
