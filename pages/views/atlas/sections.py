"""The page's sections, in the order of the screen; the cell has a module of its own."""

from functools import partial

import streamlit as st

from compression.studies.atlas_files import Atlas, read_atlas
from compression.studies.claims import read_claims
from compression.studies.protocol import PROTOCOL, read_protocol
from pages.shared import links
from pages.shared.ui import blocks, charts, widgets

from . import figures, tables, text


@st.cache_resource(max_entries=1, show_spinner=False)
def load_atlas() -> Atlas:
    """The atlas that ships; nothing on this page changes it."""
    return read_atlas()


def draw_winners(atlas: Atlas) -> None:
    """The heat map of all cells."""
    st.markdown(text.describe_verdicts(atlas.cells))
    alt = text.describe_map(atlas.cells)
    charts.draw(figures.winners(atlas.cells), "atlas_winners", alt, wide=True)
    st.caption(text.MAP)


def draw_advice(atlas: Atlas) -> float:
    """When to use which at one size; that size."""
    st.header("When to use which", anchor="advice")
    shares = {f"{share:g}": text.name_share(share) for share in read_protocol().shares}
    share = float(widgets.choose_segment(links.ATLAS_SIZE, "At most", shares))
    st.dataframe(tables.tabulate_advice(atlas, share), hide_index=True, height="content")
    st.caption(text.ADVICE)
    return share


def draw_rule(atlas: Atlas) -> None:
    st.header("A rule of thumb", anchor="rule")
    rule = atlas.facts["rule"]
    st.markdown(text.describe_rule(rule))
    st.code("\n".join(rule["lines"]), language=None)
    st.caption(text.RULE)


def draw_claims(atlas: Atlas) -> None:
    st.header("What the article says, and what was measured", anchor="claims")
    st.dataframe(tables.count_duels(atlas.duels), hide_index=True)
    st.caption(text.DUELS)
    claims = read_claims(atlas.duels)
    st.table(claims.set_index("claim")[["verdict", "measured"]])
    st.caption(text.describe_claims(claims["command"].iloc[0], claims["date"].iloc[0]))


def draw_protocol(atlas: Atlas) -> None:
    st.header("How it was measured", anchor="protocol")
    protocol = read_protocol()
    st.markdown(text.describe_protocol(protocol, atlas.cells, atlas.rows))
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Left out**")
        st.table(tables.list_left_out(protocol))
    with right:
        st.markdown("**Versions**")
        st.table(tables.list_versions(atlas.facts))
        st.caption(text.describe_versions(atlas.facts))
    if len(atlas.failures):
        with st.expander(text.count_failures(atlas.failures)):
            st.dataframe(atlas.failures, hide_index=True)
    with widgets.open_row():
        blocks.download(
            "Protocol (.toml)",
            PROTOCOL.read_bytes,
            "atlas.toml",
            "atlas_toml",
            "For `compression.studies`: what is computed, written down before it was run.",
        )
        blocks.download(
            "Rows (.parquet)",
            partial(atlas.rows.to_parquet, index=False),
            "atlas.parquet",
            "atlas_parquet",
            "What every family took at each size, a row per seed.",
        )
        blocks.download(
            "Cells (.csv)", partial(atlas.cells.to_csv, index=False), "atlas.csv", "atlas_csv"
        )
    st.caption(text.describe_origin(atlas.facts))
