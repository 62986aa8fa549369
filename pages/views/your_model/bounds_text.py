"""Sentences on layers under a bound. Knows no Streamlit."""

import numpy as np
import pandas as pd

from compression.graphs.limits import LARGEST_LAYER
from compression.graphs.smallest import BoundedCurve
from pages.shared.format import format_change, format_size

from .text import describe_test_change, quote_name

BOUNDS = (
    "Every layer's weights are clipped to |θ| ≤ c, a share of the layer's own largest, and refitted "
    "to what the layer gave before, one layer behind the other, on rows of the fit part. No network "
    "is trained: each layer is one convex problem, with a certificate."
)
START = (
    "Starts at the smallest bound that loses at most a point (0.01 of R²) on the validation part "
    "with that many bits; the test part only reports."
)
CHECKED = "every weight is the one that its refit gave, and none passes its bound"


def describe_certificates(curve: BoundedCurve, row: int) -> str:
    """How many layers are certified, and what is proved of them."""
    layers = curve.layers.query("row == @row")
    sure, count = int(layers["certified"].sum()), len(layers)
    worst = float(np.nanmax(layers["duality_gap"]))
    of = "the layer" if count == 1 else f"each of the {count} layers"
    proved = (
        f"the best weights that the bound allows would lose at most {100 * worst:.2g} % of the "
        f"outputs less in {of} (duality gap, of their variance)"
    )
    if sure < count:
        return f"**Not certified** to 0.1 % in {count - sure} of {count}: {proved}."
    return f"**Certified**: {proved}."


def describe_others(layers: pd.DataFrame, curve: BoundedCurve) -> str:
    """The weights that stay as they came, "" where there are none; ``layers``: of the model."""
    bounded = set(curve.layers["layer"])
    others = layers[~layers["layer"].isin(bounded)]
    if not len(others):
        return ""
    some = ", ".join(
        f"{quote_name(line.layer)} ({line.kind})" for line in others.head(5).itertuples()
    )
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return (
        f"Without a bound, as they came: {some}{more}. Matrices and ordinary convolutions are "
        f"bounded, of at most {LARGEST_LAYER:,} numbers in and out, where the graph shows what they "
        "take."
    )


def describe_bounds(curve: BoundedCurve, row: int, bits: int, task: str) -> str:
    """What this bound costs, what rounding alone costs, and what it does not save."""
    line, last = (curve.line_at(at, bits) for at in (row, len(curve.shares) - 1))
    change, ends = describe_test_change(line, task)
    layers = curve.layers.query("row == @row")
    pinned = f"{100 * float(layers['pinned'].mean()):.0f} % of a layer's weights on average"
    said = f"Against your model on the test part: **{change}** {ends}; {pinned} stand at the bound."
    if bits < 32:
        alone = format_change(last["change"], task)
        return (
            f"{said} Rounded to {bits} bits without a bound: {alone}. The file has "
            f"{format_size(line['bytes'])}, as without a bound: what a bound can save is score, "
            "because a narrower range has finer steps."
        )
    return f"{said} A file stores every weight: it becomes no shorter by a bound alone."
