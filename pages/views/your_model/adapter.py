"""A LoRA adapter: which rank does each layer need, and the same file at other ranks."""

import streamlit as st

from pages.shared import jobs, links
from pages.shared.format import format_count
from pages.shared.jobs import Job
from pages.shared.plots.standard import spectrum
from pages.shared.ui import blocks, charts, knobs, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tables, tasks, text
from .results import AdapterView, ResizedView
from .tasks import Files


def draw_adapter(files: Files) -> AdapterView:
    """Everything that the page shows of an adapter."""
    job: Job[AdapterView] = jobs.submit(tasks.read_adapter, files)
    view = wait_for(job, "Reading the adapter")
    if view is None:
        st.stop()
    st.markdown(text.describe_adapter(view))
    row = _choose_row(view)
    line = view.plan.iloc[row]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.adapter_energy(view.plan, row, view.parameters),
            "adapter_energy",
            f"Energy against parameters: {100 * line['energy']:.2f} % at "
            f"{format_count(line['parameters'])}",
        )
    with right:
        st.warning(text.NO_SCORE, icon=":material/warning:")
        _draw_files(files, view.ranks[row])
    _draw_spectrum(view, row)
    st.dataframe(
        tables.adapter_table(view, row),
        hide_index=True,
        column_config={"energy kept (%)": st.column_config.NumberColumn(format="%.1f")},
    )
    return view


def _choose_row(view: AdapterView) -> int:
    shares = [round(100 * share, 1) for share in view.plan["share"]]
    chosen = knobs.draw(links.KEEP, "Parameters kept (%)", sorted(set(shares)), shares[view.start])
    return shares.index(chosen)


def _draw_spectrum(view: AdapterView, row: int) -> None:
    names = list(view.spectra)
    titles = {name: text.clean_name(name) for name in names}
    layer = widgets.pick(links.WEIGHT, "Layer", names, names[0], titles=titles)
    widgets.draw_remarks(links.WEIGHT)
    values, rank = view.spectra[layer], dict(view.ranks[row])[layer]
    figure = spectrum(values, rank, {}, text.escape_name(layer))
    charts.draw(
        figure, "spectrum", f"{len(values)} singular values of one update, {rank} of them kept"
    )


def _draw_files(files: Files, ranks: tuple[tuple[str, int], ...]) -> None:
    job: Job[ResizedView] = jobs.submit(tasks.resize_adapter, files, ranks)

    def draw() -> None:
        show_status(job, "Writing and comparing")
        built = job.result
        if built is None:
            return
        st.markdown(text.describe_resized(built))
        for place, (name, content) in enumerate(built.files):
            blocks.download(
                f"Download {text.clean_name(name, 30)}",
                content,
                text.clean_name(name),
                f"adapter_{place}",
            )

    follow(draw, job, key="adapter_files")
