"""Test score of a model in a file whose every layer is under a bound, against that bound."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..report import Report, keep_going, order_far_apart_first
from .clip_refit import BoundedLayer
from .onnx_model import OnnxModel
from .score_curve import GraphJudge, files_of
from .smallest import BoundedCurve, ScoreCurve

SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
CERTIFIED = 1e-3  # a refit's gap, as a share of the variance of a layer's outputs

_OF_A_LAYER = ("row", "layer", "bound", "error", "clipped", "duality_gap", "certified", "pinned")


def bounded_curve(
    model: OnnxModel,
    x: NDArray,
    judge: GraphJudge,
    shares: Sequence[float] = SHARES,
    report: Report = keep_going,
) -> BoundedCurve:
    """Clip and refit a model at every bound, the ones that are far apart first.

    Parameters
    ----------
    model : OnnxModel
    x : ndarray, shape (rows, ...)
        As the model takes them; rows that nothing is judged on.
    judge : GraphJudge
    shares : sequence of float
        Of each layer's largest number, ascending; the last is 1, the model as it came.
    report : callable
        Called after each bound with (done, total, a function that gives the curve so far);
        returning False ends the curve there.

    Raises
    ------
    CompressionError
        The model does not run on these rows, or no layer of it can be refitted.
    """
    lines: list[dict[str, Any]] = []
    gained: list[NDArray] = []
    clipped: list[dict[str, Any]] = []
    layers: list[dict[str, Any]] = []

    def gather() -> BoundedCurve:
        order = np.argsort([line["row"] for line in lines], kind="stable")
        table = pd.DataFrame([lines[i] for i in order])
        return BoundedCurve(
            ScoreCurve(table, np.stack(gained)[order]),
            pd.DataFrame(clipped, columns=table.columns).sort_values("row", ignore_index=True),
            pd.DataFrame(layers, columns=_OF_A_LAYER).sort_values(
                "row", kind="stable", ignore_index=True
            ),
            tuple(shares),
        )

    last = len(shares) - 1
    for done, step in enumerate(order_far_apart_first(len(shares))):
        row = last - step  # judge the original model first: partial results are compared with it
        smaller = model
        if row < last:
            smaller, refitted = model.with_bounds(shares[row], x)
            layers += [
                {"row": row, "layer": name} | _describe(layer) for name, layer in refitted.items()
            ]
            cut = model.clip({name: layer.bound for name, layer in refitted.items()})
            facts = {"row": row, "bits": 32, "parameters": cut.parameters}
            clipped.append(facts | judge.measure(cut.to_bytes())[0])
        for bits, files in files_of(smaller):
            line, gain = judge.measure(files)
            lines.append({"row": row, "bits": bits, "parameters": smaller.parameters} | line)
            gained.append(gain)
        if not report(done + 1, len(shares), gather):
            break
    return gather()


def _describe(layer: BoundedLayer) -> dict[str, Any]:
    unit = layer.certificate.whole
    return {
        "bound": layer.bound,
        "error": layer.certificate.error / unit,
        "clipped": layer.clipped.error / unit,
        "duality_gap": layer.certificate.duality_gap / unit,
        "certified": layer.certificate.holds(CERTIFIED),
        "pinned": layer.pinned / layer.weight.size,
    }
