"""Axes that several figures of the constrained page have."""

from typing import Any

import numpy as np
import pandas as pd

from pages.shared.models.text import bound_title


def bound_axis(knob: str) -> tuple[str, dict[str, Any]]:
    return bound_title(knob), {"type": "log", "tickformat": "~g", "dtick": "D2"}


def log_axis(values: pd.Series | pd.DataFrame) -> dict[str, Any]:
    """A logarithmic axis with as many ticks as its decades leave room for."""
    positive = values.to_numpy(float)
    positive = positive[positive > 0]
    decades = np.log10(positive.max() / positive.min()) if positive.size else 0.0
    return {"type": "log", "tickformat": "~g", "dtick": "D2" if decades < 3 else 1}
