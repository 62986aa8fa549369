"""Settings that stay on the page, to hold others against."""

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import pandas as pd
import streamlit as st

from pages.shared.models.text import describe_setting, file_stem, name_reference
from pages.shared.ui import blocks

from . import undo
from .linking import PLANE, TOP
from .results import Pin
from .side import Sides, current_rows

MAX_PINS = len(ascii_uppercase)
_PINS = "_pins"


def list_pins() -> list[Pin]:
    """Pins in the order in which they were made."""
    return st.session_state.setdefault(_PINS, [])


def list_pins_of(dataset: str) -> list[Pin]:
    """Pins on these data: others have no place in the same plane."""
    return [pin for pin in list_pins() if pin.choices["dataset"] == dataset]


def draw_button(sides: Sides | None) -> None:
    """A button that pins both models; needs both whole curves."""
    st.button(
        "Pin",
        key="pin",
        icon=":material/keep:",
        disabled=sides is None or len(list_pins()) == MAX_PINS,
        on_click=_pin,
        args=(sides,),
        help="Keep these two models on the page, to hold others against.",
    )


def _pin(sides: Sides) -> None:
    if (current := current_rows(sides)) is None:
        return
    rows, curves = {}, {}
    for side, row in zip(sides, current, strict=True):
        where = describe_setting(row.curve.knob, row.line["knob"], row.curve.method)
        setting = f"{side.method_title}, {where}"
        rows[side.title] = (setting, side.colour, row.line)
        curves[side.title] = row.curve.table
    taken = {pin.label for pin in list_pins()}
    letter = next(letter for letter in ascii_uppercase if letter not in taken)
    reference = name_reference(sides[0].trained)
    list_pins().append(Pin(letter, undo.current_choices(), reference, rows, curves))
    st.rerun(scope=[TOP, PLANE])


def _unpin(pin: Pin) -> None:
    list_pins().remove(pin)
    st.rerun(scope=[TOP, PLANE])


def draw(sides: Sides) -> None:
    """The pinned models as rows, the current ones held against them."""
    pins, trained = list_pins(), sides[0].trained
    if not pins or (rows := current_rows(sides)) is None:
        return
    now = {side.title: row.line for side, row in zip(sides, rows, strict=True)}
    table = tabulate_pins(pins, trained.dataset, now)
    decimals = st.column_config.NumberColumn(format="%.4f")
    columns = ("score", "low", "high", "score now − pin")
    st.header("Pinned", anchor=False)
    st.dataframe(table, hide_index=True, column_config=dict.fromkeys(columns, decimals))
    with st.container(horizontal=True, gap="small"):
        for pin in pins:
            st.button(
                f"Load {pin.label}",
                key=f"load_{pin.label}",
                on_click=undo.load,
                args=(pin.choices,),
            )
            st.button(
                f"Unpin {pin.label}",
                key=f"unpin_{pin.label}",
                on_click=_unpin,
                args=(pin,),
                type="tertiary",
            )
        name = f"{file_stem(trained)}-pins.csv"
        blocks.download("Pins as CSV", table.to_csv(index=False), name, "pins_csv")


def tabulate_pins(pins: Sequence[Pin], dataset: str, now: Mapping[str, pd.Series]) -> pd.DataFrame:
    """A row a pinned model, and the current one minus it where both speak of the same data."""
    lines = []
    for pin in pins:
        for title, (setting, _, row) in pin.rows.items():
            current, comparable = now[title], pin.choices["dataset"] == dataset
            lines.append(
                {
                    "pin": pin.label,
                    "side": title,
                    "setting": setting,
                    "of": pin.of,
                    "score": row["score"],
                    "low": row["score_low"],
                    "high": row["score_high"],
                    "parameters": int(row["parameters"]),
                    "bytes": int(row["bytes"]),
                    "MACs": int(row["macs"]),
                    "score now − pin": current["score"] - row["score"] if comparable else None,
                    "bytes now − pin": int(current["bytes"] - row["bytes"]) if comparable else None,
                }
            )
    return pd.DataFrame(lines)
