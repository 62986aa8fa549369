"""A rank of its own for each layer."""

import streamlit as st

from pages.shared.jobs import submit
from pages.shared.models.results import CurveView, LowRankSetting, TrainedReference
from pages.shared.ui import blocks, knobs
from pages.shared.ui.progress import wait_for

from . import tasks

PATIENCE_SECONDS = 1.0  # for one small network, before the page shows a progress bar


def draw_layer_ranks(trained: TrainedReference, setting: LowRankSetting, curve: CurveView) -> None:
    job = submit(tasks.layer_ranks, trained.origin, *setting[:3])
    layers = wait_for(job, "Counting what each rank holds")
    if layers is None:
        return
    largest = {layer.name: layer.break_even for layer in layers if layer.break_even > 0}
    if not largest:
        st.info("No layer has a rank that would make it smaller.", icon=":material/info:")
        return

    @st.fragment
    def draw() -> None:
        suggested = int(curve.suggestion)
        ranks = []
        places = st.columns(len(largest), gap="medium")
        for place, (name, most) in zip(places, largest.items(), strict=True):
            default = suggested if suggested <= most else 0
            with place:
                label = f"{name}: rank (0: dense)"
                ranks.append(int(knobs.draw(f"rank_{name}", label, range(most + 1), default)))
        layer_setting = setting._replace(layers=tuple(largest))
        judged = submit(tasks.judge_ranks, trained.origin, layer_setting, tuple(ranks))
        judged.wait(PATIENCE_SECONDS)
        table = wait_for(judged, "Judging these ranks")
        if table is not None:
            blocks.draw_metrics(trained, table.iloc[0])

    draw()
