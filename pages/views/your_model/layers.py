"""Every layer: what it could save, why or why not, and the spectrum of one."""

import streamlit as st

from pages.shared import links
from pages.shared.plots.standard import spectrum
from pages.shared.ui import blocks, charts, widgets

from . import figures, tables, text
from .results import ModelView

ENERGIES = {"99": "99 %", "95": "95 %", "90": "90 %"}


def draw_layers(view: ModelView) -> None:
    """The map, the table and one spectrum."""
    st.header("Why this layer, why not", anchor="layers")
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        energy = widgets.choose_segment(links.ENERGY, "Energy that each layer keeps", ENERGIES)
    with right:
        layer = _choose_layer(view)
    widgets.draw_remarks(links.WEIGHT)
    left, right = st.columns([3, 2], gap="medium")
    said = text.describe_map(view, energy)
    with left:
        charts.draw(figures.layer_map(view.layers, energy, layer), "layer_map", said)
    with right:
        _draw_spectrum(view, layer)
    st.caption(f"{said} Blue: smaller. Red: larger. Grey: cannot be replaced.")
    table = tables.layer_table(view, energy)
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(table) <= 12 else 420,
        column_config={
            "share (%)": st.column_config.NumberColumn(format="%.1f"),
            "saves (%)": st.column_config.NumberColumn(
                format="%.0f", help="Of the layer's numbers, at this energy; below 0 it grows."
            ),
            "parameters": st.column_config.NumberColumn(format="localized"),
            "why, why not": st.column_config.TextColumn(width="large"),
        },
    )
    blocks.download(
        "Table as CSV",
        lambda: table.to_csv(index=False),
        "layers.csv",
        "model_layers_csv",
        mime="text/csv",
    )


def _choose_layer(view: ModelView) -> str:
    names = list(view.layers["layer"])
    able = view.layers[view.layers["reason"] == ""]
    largest = (able if len(able) else view.layers)["parameters"].idxmax()
    titles = {name: text.clean_name(name) for name in names}
    return widgets.pick(
        links.WEIGHT, "Layer", names, str(view.layers.loc[largest, "layer"]), titles=titles
    )


def _draw_spectrum(view: ModelView, layer: str) -> None:
    row = view.layers.set_index("layer").loc[layer]
    if layer not in view.spectra:
        st.info(f"{text.quote_name(layer)} {row['reason']}.", icon=":material/info:")
        return
    values = view.spectra[layer]
    marks = {f"{share} %": float(row[f"rank_{share}"]) for share in ("90", "95", "99")}
    marks = {"k*": float(row["break_even"])} | marks
    figure = spectrum(values, int(row["break_even"]), marks, text.escape_name(layer))
    figure.update_layout(height=380)
    charts.draw(
        figure,
        "spectrum",
        f"{len(values)} singular values of one layer; break-even rank {row['break_even']}, "
        + ", ".join(
            f"{share} at rank {rank:.0f}" for share, rank in marks.items() if share != "k*"
        ),
    )
