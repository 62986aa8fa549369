"""Tables as pages draw them, each with its file."""

from typing import Literal

import pandas as pd
import streamlit as st

from pages.shared.format import format_interval, format_score
from pages.shared.models.results import TrainedReference
from pages.shared.models.text import file_stem

from . import blocks

_FORMATS = {
    "price": "%.4g",
    "objective": "%.9f",
    "duality gap": "%.1e",
    "KKT residual": "%.1e",
    "seconds": "%.3f",
    "outputs lost (%)": "%.3f",
    "gap (%)": "%.1e",
    "pinned (%)": "%.1f",
    "predicted loss": "%.3g",
    "gap to exact": "%.2g",
    "times smaller": "%.2f×",
    "parameters": "localized",
    "bytes": "localized",
}


def describe_row(line: pd.Series, task: str, size: str) -> dict[str, object]:
    """What a table says of one network; ``size``: "bytes", or "times smaller" in parameters."""
    return {
        "validation": format_score(line["validation_score"], task),
        "test": format_score(line["score"], task),
        "95 % interval": format_interval(line["score_low"], line["score_high"], task),
        "parameters": int(line["parameters"]),
        size: int(line["bytes"]) if size == "bytes" else line["ratio"],
    }


def draw(
    table: pd.DataFrame,
    name: str,
    trained: TrainedReference,
    whole: pd.DataFrame | None = None,
    height: int | Literal["auto"] = "auto",
) -> None:
    """A table, and its file; or that of the longer table that it is a part of."""
    st.dataframe(
        table,
        hide_index=True,
        height=height,
        column_config={
            column: st.column_config.NumberColumn(format=kind)
            for column, kind in _FORMATS.items()
            if column in table and pd.api.types.is_numeric_dtype(table[column])
        },
    )
    take_away(table if whole is None else whole, name, trained)


def take_away(table: pd.DataFrame, name: str, trained: TrainedReference) -> None:
    """A button for a table's file, which is built when it is asked for."""
    blocks.download(
        "Table as CSV",
        lambda: table.to_csv(index=False),
        f"{file_stem(trained)}-{name}.csv",
        f"{name}_csv",
        mime="text/csv",
    )
