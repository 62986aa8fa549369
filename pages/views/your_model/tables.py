"""Tables of the page on one's own model, as they are shown and handed out."""

import pandas as pd

from pages.shared.format import format_change

from . import text
from .results import AdapterView, ModelView
from .text import clean_name, explain_layer

COLUMNS = {
    "layer": "layer",
    "why": "why, why not",
    "kind": "kind",
    "shape": "shape",
    "parameters": "parameters",
    "share": "share (%)",
    "rank_90": "rank at 90 %",
    "rank_95": "rank at 95 %",
    "rank_99": "rank at 99 %",
    "break_even": "break-even k*",
    "saving": "saves (%)",
}


def layer_table(view: ModelView, energy: str) -> pd.DataFrame:
    """The table as it is shown and handed out."""
    table = view.layers.copy()
    table["layer"] = [clean_name(name, 200) for name in table["layer"]]
    table["shape"] = [" × ".join(map(str, shape)) for shape in table["shape"]]
    table["share"] = 100 * table["share"]
    table["saving"] = 100 * table[f"saving_{energy}"]
    table["why"] = [explain_layer(row, energy) for _, row in view.layers.iterrows()]
    return table[list(COLUMNS)].rename(columns=COLUMNS)


def latency_table(table: pd.DataFrame) -> pd.DataFrame:
    """A line a file and batch, in microseconds, with how many times faster it is."""

    def show(line: pd.Series, name: str, factor: float) -> str:
        middle, low, high = (factor * line[name + end] for end in ("", "_low", "_high"))
        return f"{middle:.3g} ({low:.3g}–{high:.3g})"

    return pd.DataFrame(
        {
            "file": table["model"].replace("reference", "yours"),
            "batch": table["batch"],
            "µs per call": [show(line, "latency", 1e6) for _, line in table.iterrows()],
            "times faster": [show(line, "ratio", 1.0) for _, line in table.iterrows()],
        }
    )


def smallest_table(best: pd.DataFrame, task: str) -> pd.DataFrame:
    """A line a method and number of bits: what its smallest file within the loss gives."""
    unit = " (points)" if task == "classification" else " (R²)"
    return pd.DataFrame(
        {
            "file": [text.name_file(line) for _, line in best.iterrows()],
            "bytes": best["bytes"],
            f"validation{unit}": [format_change(v, task) for v in best["validation_change"]],
            f"test{unit}, 95 %": [
                " ".join(text.describe_test_change(line, task)) for _, line in best.iterrows()
            ],
        }
    )


def adapter_table(view: AdapterView, row: int) -> pd.DataFrame:
    """A line a layer: its rank now and at this budget."""
    after = dict(view.ranks[row])
    layers = view.layers
    ranks = [
        after.get(name, rank) for name, rank in zip(layers["layer"], layers["rank"], strict=True)
    ]
    kept = [
        100 * float((view.spectra[name][:rank] ** 2).sum() / ((view.spectra[name] ** 2).sum() or 1))
        if name in view.spectra
        else 100.0
        for name, rank in zip(layers["layer"], ranks, strict=True)
    ]
    return pd.DataFrame(
        {
            "layer": [clean_name(name) for name in layers["layer"]],
            "kind": layers["kind"],
            "shape": layers["shape"],
            "rank now": layers["rank"],
            "rank after": ranks,
            "energy kept (%)": kept,
            "rank at 90 %": layers["rank_90"],
            "rank at 99 %": layers["rank_99"],
            "stays, since": layers["reason"],
        }
    )
