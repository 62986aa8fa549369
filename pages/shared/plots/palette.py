"""Colours, symbols and dashes: the same for the same thing on every page.

All of them read on a light and on a dark ground; text and grids are left to the page's theme.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

LOW_RANK = "#2E86DE"
CONSTRAINED = "#E0702B"
TEAL, VIOLET, OCHRE, PINK, GREEN = "#0F8F83", "#8C6BD8", "#B58900", "#C8508F", "#5B8C2A"
SLATE, SKY, APRICOT = "#4C6272", "#6FB3E8", "#F0A875"
COMBINED = PINK  # low rank and constraints together
REFERENCE = "#8A8F98"
UNCHANGED = "#B9BDC3"
INK = "#0B1015"  # text on any colour of this module: 4.5 : 1 or more
FAINT = "rgba(138, 143, 152, 0.45)"
FAINTER = "rgba(138, 143, 152, 0.28)"
FAINTEST = "rgba(138, 143, 152, 0.10)"

# Colours of layers, classes and weights. Every kind of colour vision tells them apart, and no
# family has one of them. A seventh line has the first one's colour and a dash: see number_style.
LINES = (TEAL, VIOLET, OCHRE, SLATE, SKY, APRICOT)
DASHES = ("solid", "dash", "dot", "longdashdot", "longdash", "dashdot")

# Every kind of colour vision tells the ends apart. No pair of ends looks like two families.
DIVERGING = [[0.0, OCHRE], [0.5, FAINTEST], [1.0, LOW_RANK]]
DIVERGING_CONSTRAINED = [[0.0, VIOLET], [0.5, FAINTEST], [1.0, CONSTRAINED]]


@dataclass(frozen=True)
class Style:
    """How one thing is drawn wherever it is drawn."""

    colour: str
    symbol: str = "circle"
    dash: str = "solid"


STYLES: Mapping[str, Mapping[str, Style]] = {
    "low_rank": {
        "truncated_svd": Style(LOW_RANK),
        "activation_aware_svd": Style(TEAL),
        "column_groups": Style(SLATE, "square", "dash"),
        "covariance_eigenvectors": Style(VIOLET, "triangle-left", "dashdot"),
        # Dotted: where the sketch loses nothing it lies on the truncated SVD's line, which should
        # show.
        "randomized_svd": Style(OCHRE, dash="dot"),
        "spatial_svd": Style(PINK, "triangle-right", "longdash"),
        "tucker2": Style(GREEN),
        "cp": Style(SKY, "hexagon", "dash"),
    },
    "constraint": {
        "box": Style(CONSTRAINED),
        "upper": Style(CONSTRAINED, "triangle-down"),
        "l1": Style(CONSTRAINED, "triangle-up"),
        "l2": Style(CONSTRAINED, "square"),
        "cardinality": Style(CONSTRAINED, "star"),
    },
    "way": {
        "path": Style(CONSTRAINED),
        "projected_training": Style(CONSTRAINED, "square"),
        "learning_compression": Style(VIOLET, "hexagon"),
        "refit": Style(TEAL, "diamond"),
        "clip": Style(OCHRE, "circle-open", "dot"),
        "fine_tuning": Style(PINK, "circle-open", "dot"),
    },
    "solver": {
        "coordinate_descent": Style(TEAL),
        "quasi_newton": Style(VIOLET),
        "hamiltonian_descent": Style(OCHRE, "triangle-up", "dashdot"),
        "accelerated_projected_gradient": Style(CONSTRAINED),
        "projected_newton": Style(PINK, "diamond", "dash"),
        "face_newton": Style(GREEN, "cross", "longdash"),
        "cvxpy": Style(REFERENCE, "square", "dot"),
    },
    "combined": {
        "low_rank_then_constrained": Style(COMBINED, "pentagon"),
        "constrained_then_low_rank": Style(COMBINED, "square"),
        "jointly": Style(COMBINED, "diamond"),
        "low_rank_plus_sparse": Style(COMBINED, "triangle-up"),
    },
    "allocation_rule": {
        "best": Style(LOW_RANK),
        "exact": Style(PINK, "square"),
        "greedy": Style(TEAL, "diamond"),
        "lagrangian": Style(VIOLET, "triangle-up"),
        "uniform_energy": Style(OCHRE, "cross"),
        "uniform": Style(REFERENCE, "hexagon"),
    },
    "baseline": {
        "rounding": Style(SLATE, "cross", "dash"),
        "quantization_aware": Style(GREEN, "cross", "dash"),
        "magnitude_pruning": Style(OCHRE, "x", "dash"),
        "smaller_network": Style(VIOLET, "hourglass", "dash"),
    },
}

_SPARE_COLOURS = (SLATE, SKY, APRICOT, GREEN, VIOLET, OCHRE)
_SPARE_SYMBOLS = ("hexagon", "triangle-down", "cross", "x", "hourglass", "star")


def style(kind: str, name: str) -> Style:
    """The style of an entry of a catalogue.

    Parameters
    ----------
    kind : str
        "low_rank", "constraint", "way", "solver", "combined", "allocation_rule" or "baseline".
    name : str
        As in the catalogue; one that has no style of its own gets a spare one, always the same.
    """
    known = STYLES[kind].get(name)
    if known is not None:
        return known
    number = crc32(f"{kind}:{name}".encode())
    colour = _SPARE_COLOURS[number % len(_SPARE_COLOURS)]
    return Style(colour, _SPARE_SYMBOLS[number // 7 % len(_SPARE_SYMBOLS)])


def number_style(place: int) -> Style:
    """The style of one of many layers, classes or weights, counted from 0."""
    cycle, colour = divmod(place, len(LINES))
    return Style(LINES[colour], dash=DASHES[cycle % len(DASHES)])


def fade(colour: str, opacity: float = 0.22) -> str:
    """A colour for intervals: what lies behind can be seen."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"
