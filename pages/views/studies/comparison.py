"""What the study says: losses over seeds by size, and who is better than whom."""

from collections.abc import Mapping
from functools import partial

import pandas as pd
import streamlit as st

import compression
import data
from compression.studies.location import default_url
from compression.studies.specification import Study
from pages.shared import links
from pages.shared.format import format_change
from pages.shared.plots.palette import Style
from pages.shared.ui import blocks, charts, widgets

from . import figures, run, tasks, text
from .results import StudyResults


def draw_comparison(study: Study, results: StudyResults) -> None:
    st.markdown(text.describe_results(study, results))
    if len(results.failures):
        with st.expander(text.count_failures(results)):
            st.dataframe(results.failures, hide_index=True)
            if (url := default_url()) is not None:
                arguments = (run.open_store(url), [study.name])
                st.button(
                    "Try them again", on_click=run.try_again, args=arguments, key="retry_study"
                )
    if not len(results.overview.changes):
        st.info(text.describe_nothing(study), icon=":material/info:")
        return
    styles = {each.label: figures.style_of(each) for each in study.curves}
    drawn = widgets.choose_segment(links.STUDY_DRAWN, "Drawn", text.DRAWN)
    _draw_changes(study, results, drawn)
    st.caption(text.describe_changes(study, drawn))
    _draw_verdicts(study, results, styles)
    _draw_downloads(study)


def draw_so_far(study: Study, results: StudyResults) -> None:
    """What a study that goes on has by now."""
    st.markdown(text.describe_results(study, results))
    _draw_changes(study, results, "curves")


def _draw_changes(study: Study, results: StudyResults, drawn: str) -> None:
    """A picture for each dataset and model: curves with bands, or points at the chosen sizes."""
    styles = {each.label: figures.style_of(each) for each in study.curves}
    for dataset, model in study.pairs():
        key, title = f"study_{dataset}_{model}", text.name_pair(dataset, model)
        task, place = data.find(dataset).task, (dataset, model)
        curves, points = (
            each[(each["dataset"] == dataset) & (each["model"] == model)]
            for each in (results.overview.curves, results.overview.changes)
        )
        if drawn == "curves" and len(curves):
            charts.draw(
                figures.curves(curves, title, task, styles),
                key,
                text.describe_curves(curves, place),
            )
        elif len(points):
            alt = (
                f"Change of the test score at shares of the file size, {title}: a point a curve, "
                f"{points['label'].nunique()} curves"
            )
            charts.draw(figures.changes(points, title, task, styles), key, alt)


def _draw_verdicts(study: Study, results: StudyResults, styles: Mapping[str, Style]) -> None:
    st.header(text.SECTIONS["better"], anchor="better")
    labels = sorted(results.overview.changes["label"].unique())
    if len(labels) < 2:
        st.info(text.ONE_CURVE, icon=":material/info:")
        return
    with widgets.open_row():
        shares = {f"{share:g}": share for share in study.budgets}
        titles = {name: text.name_share(share) for name, share in shares.items()}
        share = shares[widgets.choose_segment(links.STUDY_SHARE, "At", titles)]
        against = widgets.pick(links.STUDY_AGAINST, "Against", labels, labels[0], width=260)
    widgets.draw_remarks(links.STUDY_AGAINST)
    every = results.overview.comparisons
    compared = every[(every["share"] == share) & (every["against"] == against)]
    if not len(compared):
        st.info(text.NOTHING_TO_COMPARE, icon=":material/info:")
        return
    _draw_differences(compared, styles, text.name_share(share), against)
    st.caption(text.describe_differences(study))
    st.dataframe(_name_columns(compared), hide_index=True)
    st.caption(text.VERDICTS)


def _draw_differences(
    compared: pd.DataFrame, styles: Mapping[str, Style], share: str, against: str
) -> None:
    """A figure a kind of task: points of accuracy and R² have no common axis."""
    pairs = zip(compared["dataset"], compared["model"], strict=True)
    compared = compared.assign(
        pair=[text.name_pair(*pair) for pair in pairs],
        task=[data.find(name).task for name in compared["dataset"]],
    )
    for task, rows in compared.groupby("task"):
        overall = compression.studies.average_datasets(rows)
        charts.draw(
            figures.differences(rows, overall, str(task), styles),
            f"study_differences_{task}",
            f"{len(rows)} differences against {against} at {share}, by dataset and model, with "
            "intervals",
        )


def _draw_downloads(study: Study) -> None:
    """The rows are read when they are asked for: there may be a million."""
    url = default_url()
    assert url is not None
    with widgets.open_row():
        for title, kind in (("Rows as CSV", "csv"), ("Rows as Parquet", "parquet")):
            content = partial(tasks.write_rows, url, study.name, kind)
            blocks.download(title, content, f"study.{kind}", f"study_{kind}")
        report = partial(tasks.write_html_report, url, study.name)
        blocks.download("Report (HTML)", report, "study.html", "study_html", text.REPORT)


def _name_columns(compared: pd.DataFrame) -> pd.DataFrame:
    """The comparison as the page shows it."""
    tasks = compared["dataset"].map(lambda name: data.find(name).task)

    def change(values: pd.Series) -> list[str]:
        pairs = zip(values, tasks, strict=True)
        return ["–" if pd.isna(value) else format_change(value, task) for value, task in pairs]

    return pd.DataFrame(
        {
            "dataset": compared["dataset"].map(lambda name: data.find(name).title),
            "model": compared["model"].map(lambda name: compression.MODELS[name].title),
            "curve": compared["label"],
            "difference": change(compared["mean"]),
            "from": change(compared["low"]),
            "to": change(compared["high"]),
            "p": compared["probability"].map(lambda p: "< 0.001" if p < 1e-3 else f"{p:.2g}"),
            "seeds": compared["seeds"],
            "verdict": compared["verdict"],
        }
    )
