"""The sections of the low-rank page, from top to bottom."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

import compression
from pages.shared.format import score_name
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models.results import CurveView, Layer, Trained
from pages.shared.models.text import SUGGESTED, metric_rows, missing_value, model_file_name
from pages.shared.plots.layout import COSTS
from pages.shared.ui import charts, tables, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tasks, text
from .results import LayerView, Setting

BY_RANK, COMPARED = "low_rank", "low_rank_methods"
PATIENCE = 1.0  # seconds that a page waits for one small network before it shows a progress bar


def setting(trained: Trained, method: str) -> Setting:
    """Which layers are compressed, and what the method looks at: asked where there is a choice."""
    entry = compression.LOW_RANK_METHODS[method]
    layers, ridge, calibration = requests.compressed_layers(trained, method), 0.0, "reference"
    taken = [layer for layer in trained.layers if layer.kind in entry.layers]
    mixed = len({layer.kind == "linear" for layer in taken}) == 2
    if not mixed and not entry.needs_inputs:
        return Setting(method, layers)
    with widgets.row():
        if mixed:
            kinds = widgets.segment("layers", "Compress", text.LAYERS)
            layers = tuple(
                layer.name
                for layer in taken
                if kinds == "all" or (layer.kind == "linear") == (kinds == "linear")
            )
        if entry.needs_inputs:
            calibration = widgets.segment("calibration", "Inputs from", text.CALIBRATIONS)
            with st.container(width=320):
                ridge = float(widgets.knob("ridge", "Ridge σ²", text.RIDGES, 0.0, help=text.RIDGE))
    if calibration == "sequential":
        st.caption(text.CALIBRATION)
    if ridge and method == "covariance_eigenvectors":
        st.caption(text.RIDGE_MOVES_NO_FACTOR)
    return Setting(method, layers, ridge, calibration)


def curve(trained: Trained, chosen: Setting) -> Job[CurveView]:
    """Every rank of this setting."""
    return requests.low_rank_curve(
        trained, chosen.method, chosen.layers, chosen.ridge, chosen.calibration
    )


def by_rank(trained: Trained, layer: Layer, chosen: Setting, curve_job: Job) -> None:
    """The rank, what it costs the network and this layer, and the layer seen at this rank."""
    origin, method = trained.origin, chosen.method
    ranks_job = submit(tasks.layer_ranks, origin, method, chosen.layers, chosen.ridge)
    view_job = submit(tasks.layer_view, origin, method, layer.name, chosen.ridge)
    errors_job = submit(tasks.layer_errors, origin, *chosen.arguments)

    def draw() -> None:
        done = curve_job.result is not None
        values = curve_job.result.table["knob"] if done else range(1, trained.largest_rank + 1)
        rank = int(
            widgets.knob(
                "rank",
                "Rank k",
                values,
                curve_job.result.suggestion if done else values[len(values) // 2],
                settled=done,
                redraw=(BY_RANK, COMPARED),
                help=SUGGESTED,
            )
        )
        show_status(curve_job, "Judging every rank")
        found = curve_job.so_far
        if found is not None:
            row = found.row(rank)
            _metrics(trained, found.table.iloc[row])
            caption = missing_value(found, row, rank)
            if ranks_job.result is not None:
                shown = int(found.table["knob"].iloc[row])
                caption += text.network_at(trained, ranks_job.result, shown)
            st.caption(caption)
            st.download_button(
                "Take this model away (safetensors)",
                partial(
                    requests.low_rank_file,
                    trained,
                    chosen.method,
                    rank,
                    chosen.layers,
                    chosen.ridge,
                    chosen.calibration,
                ),
                file_name=model_file_name(trained, "LMM", "rank", rank),
                on_click="ignore",
                key="low_rank_file",
                icon=":material/download:",
                type="tertiary",
            )
        show_status(view_job, f"Taking {layer.name} apart")
        if view_job.result is not None:
            _layer(trained, view_job.result, chosen, errors_job, rank)

    follow(draw, curve_job, ranks_job, view_job, errors_job, key=BY_RANK)


def _metrics(trained: Trained, line: pd.Series) -> None:
    for place, (label, value, delta, colour) in zip(
        st.columns(4), metric_rows(trained, line), strict=True
    ):
        place.metric(label, value, delta, delta_color=colour, delta_arrow="off")


def _layer(trained: Trained, view: LayerView, chosen: Setting, errors_job: Job, rank: int) -> None:
    st.subheader(f"How low-rank is {view.name}?", anchor=False)
    found = view.approximations
    if found is None:
        st.info(text.not_taken(view), icon=":material/info:")
    else:
        if view.name not in chosen.layers:
            st.info(text.unused(view, chosen), icon=":material/info:")
        if not found.ranks.pays(rank):
            st.warning(text.larger(view, found, rank), icon=":material/trending_up:")
        else:
            st.markdown(text.at_rank(view, found, rank))
    logarithmic = (
        widgets.segment("scale", "Spectra", {"linear": "Linear", "log": "Logarithmic"}) == "log"
    )
    marks = text.short_marks(view.marks)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.spectra(view.spectra, marks, rank, logarithmic, view.name),
            "low_rank_spectra",
            f"Spectra of {view.name} with marks of the usual ranks, rank {rank} marked",
        )
    with right:
        charts.draw(
            figures.energy(
                found.kept if found is not None and found.own_objective else None,
                view.spectra["weight"],
                {k: v for k, v in marks.items() if k == "k*"},
                rank,
                view.name,
            ),
            "low_rank_energy",
            f"Share of the energy of {view.name} kept at every rank, rank {rank} marked",
        )
    if chosen.calibration == "sequential":
        st.caption(text.VIEW_OF_REFERENCE)
    if view.unfolding:
        st.caption(text.unfolding(view))
    with st.expander("What the marks say, as a table"):
        tables.draw(text.marks_table(view.marks, rank), "marks", trained)
    if found is None:
        return
    charts.draw(
        figures.matrices(view.weight, found.weight(rank), min(rank, found.max_rank), view.name),
        "low_rank_matrices",
        f"Weight of {view.name}, its approximation of rank {min(rank, found.max_rank)}, "
        "and the residual",
    )
    if view.patterns is not None:
        charts.draw(
            figures.patterns(view.patterns, rank, view.name, view.method == "truncated_svd"),
            "low_rank_patterns",
            f"What the first ranks of {view.name} look for in an input, as pictures",
        )
    if view.name not in chosen.layers:
        return
    show_status(errors_job, "Measuring what each layer loses")
    errors = errors_job.result
    if errors is not None and (errors["layer"] == view.name).any():
        charts.draw(
            figures.predicted_errors(errors, rank, view.name),
            "low_rank_errors",
            f"Predicted and realised error of {view.name} by rank",
        )
        st.caption(text.errors(found))
        tables.take_away(errors, "errors", trained)


def compared(trained: Trained, chosen: Setting, curve_job: Job) -> None:
    """Score against rank: this method, all that fit, each beside its fine-tuned baseline."""
    st.subheader("What would a cleverer method have given?", anchor=False)
    method = chosen.method
    with widgets.row():
        which = widgets.segment("methods", "Methods", text.COMPARISONS)
        axis = widgets.segment("against", "Against", figures.AXES)
        epochs = 0
        if which != "one":
            with st.container(width=320):
                epochs = int(widgets.knob("epochs", "Epochs after truncation", text.EPOCHS, 3))
    names = [method]
    if which == "all":
        names += [name for name in fitting(trained, chosen.layers) if name != method]
    jobs = {(method, "plain"): curve_job}
    for name in names:
        own = replace(chosen, method=name)
        if not compression.LOW_RANK_METHODS[name].needs_inputs:
            own = replace(own, ridge=0.0, calibration="reference")
        jobs.setdefault((name, "plain"), curve(trained, own))
        if epochs:
            jobs[name, "tuned"] = requests.low_rank_curve(
                trained, name, own.layers, own.ridge, own.calibration, epochs
            )

    def draw() -> None:
        # The first one's progress stands above, by the slider.
        others = {key: job for key, job in jobs.items() if key != (method, "plain")}
        waiting = [job for job in others.values() if job.status == "waiting"]
        for (name, kind), job in others.items():
            if job not in waiting:
                show_status(job, text.method(name, kind, epochs))
        if waiting:
            st.caption(f"{len(waiting)} more wait for their turn.")
        curves = [
            (name, text.method(name, kind, epochs), kind, found.table)
            for (name, kind), job in jobs.items()
            if (found := job.so_far) is not None
        ]
        if not curves or curves[0][0] != method:
            return
        rank = int(widgets.number("rank"))
        charts.draw(
            figures.methods(curves, trained.costs, axis, rank, trained.task),
            "low_rank_methods_chart",
            f"{score_name(trained.task)} against {figures.AXES[axis]} "
            f"for {len(curves)} curves, rank {rank} ringed",
        )
        _at_this_rank(trained, curves, rank)

    follow(draw, *jobs.values(), key=COMPARED)
    if epochs:
        st.caption(text.BASELINE)


def _at_this_rank(
    trained: Trained, curves: Sequence[tuple[str, str, str, pd.DataFrame]], rank: int
) -> None:
    """All curves at the rank that the slider shows, one line each."""
    lines = []
    for _, title, _, table in curves:
        line = table.iloc[(table["knob"] - rank).abs().argmin()]
        lines.append({"method": title, "k": int(line["knob"]), **text.numbers(line, trained.task)})
    every = pd.concat([table.assign(method=title) for _, title, _, table in curves])
    tables.draw(pd.DataFrame(lines), "methods", trained, every)


def by_rules(trained: Trained, chosen: Setting, curve: CurveView) -> None:
    """Which rank the usual rules would take."""
    job = submit(
        tasks.chosen_ranks,
        trained.origin,
        tuple(curve.table["knob"]),
        tuple(curve.table["validation_score"]),
        curve.reference["validation_score"],
        *chosen.arguments,
    )
    found = wait_for(job, "Asking the rules for their ranks")
    if found is not None:
        tables.draw(text.chosen(found, trained.task), "rules", trained)


def cross_validated(trained: Trained, chosen: Setting) -> None:
    """Cross-validation of the rank: the folds' scores, and the one-standard-error rule."""
    table = wait_for(
        submit(tasks.cross_validated, trained.origin, *chosen.arguments),
        "Training a network in each fold",
    )
    if table is None:
        return
    charts.draw(
        figures.cross_validation(table, trained.task),
        "low_rank_folds",
        "Mean score over folds with one standard error by rank, and the chosen rank",
    )
    st.caption(text.CROSS_VALIDATION)
    tables.take_away(table, "cross-validation", trained)


def by_hand(trained: Trained, chosen: Setting, curve: CurveView) -> None:
    """A rank of its own for each layer."""
    layers = wait_for(
        submit(tasks.layer_ranks, trained.origin, chosen.method, chosen.layers, chosen.ridge),
        "Counting what each rank holds",
    )
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
        for place, (name, most) in zip(
            st.columns(len(largest), gap="medium"), largest.items(), strict=True
        ):
            with place:
                ranks.append(
                    widgets.knob(
                        f"rank_{name}",
                        f"{name}: rank (0: dense)",
                        range(most + 1),
                        suggested if suggested <= most else 0,
                    )
                )
        job = submit(
            tasks.by_hand,
            trained.origin,
            chosen.method,
            tuple(largest),
            tuple(map(int, ranks)),
            chosen.ridge,
            chosen.calibration,
        )
        job.wait(PATIENCE)
        found = wait_for(job, "Judging these ranks")
        if found is not None:
            _metrics(trained, found.table.iloc[0])

    draw()


def budgets(trained: Trained, chosen: Setting) -> None:
    """One budget shared among the layers by every rule, beside its fine-tuned baseline."""
    with widgets.row():
        unit = widgets.segment("unit", "Budget in", COSTS)
        with st.container(width=320):
            epochs = int(
                widgets.knob("budget_epochs", "Epochs after truncation", text.BUDGET_EPOCHS, 3)
            )
    job = submit(tasks.budgets, trained.origin, unit, *chosen.arguments)
    found = wait_for(job, "Sharing ten budgets by every rule")
    if found is None:
        return
    tuned = None
    if epochs:
        job = submit(tasks.budgets, trained.origin, unit, *chosen.arguments, epochs)
        tuned = wait_for(job, "Training on what every rule gives")

    @st.fragment
    def draw() -> None:
        values = sorted(found.table["knob"].unique())
        budget = widgets.knob(
            "budget", f"Budget: {COSTS[unit].lower()}", values, values[len(values) // 3]
        )
        here = found.table["knob"] == budget
        lines = found.table[here]
        ranks = [own for own, now in zip(found.ranks, here, strict=True) if now]
        left, right = st.columns(2, gap="medium")
        with left:
            charts.draw(
                figures.budget_ranks(lines, ranks),
                "budget_ranks",
                f"Rank of each layer by every rule under a budget of {budget:,.0f}",
            )
        with right:
            charts.draw(
                figures.budget_scores(
                    found.table,
                    None if tuned is None else tuned.table,
                    trained.costs,
                    budget,
                    unit,
                    trained.task,
                ),
                "budget_scores",
                f"{score_name(trained.task)} of every rule under each budget",
            )
        table = pd.DataFrame(
            [
                {
                    "rule": figures.RULES[line["rule"]][1],
                    "ranks": text.ranks(own),
                    "predicted loss": line["predicted_loss"],
                    "gap to exact": line["gap"],
                    **text.numbers(line, trained.task),
                }
                for (_, line), own in zip(lines.iterrows(), ranks, strict=True)
            ]
        )
        whole = found.table.assign(ranks=[text.ranks(own) for own in found.ranks])
        tables.draw(table, "budgets", trained, whole)
        if starved := text.starved(table["rule"], lines["warning"]):
            st.caption(f":material/warning: {starved}")
        st.caption(text.BUDGET)

    draw()


def sensitivity(trained: Trained, chosen: Setting) -> None:
    """What each layer costs when it alone is compressed."""
    st.subheader("What does each layer cost me?", anchor=False)
    table = wait_for(
        submit(tasks.sensitivity, trained.origin, chosen.method, chosen.layers, chosen.ridge),
        "Compressing one layer at a time",
    )
    if table is None:
        return
    charts.draw(
        figures.sensitivity(table, trained.task),
        "low_rank_sensitivity",
        "Change of the validation score by layer and share of its numbers kept",
    )
    charts.draw(
        figures.share_kept(table, trained.task),
        "low_rank_share_kept",
        "Validation score against the share of its numbers that each layer keeps",
    )
    st.caption(text.SENSITIVITY)
    tables.take_away(table, "sensitivity", trained)


def fitting(trained: Trained, layers: Sequence[str]) -> list[str]:
    """The methods that can compress all of these layers."""
    kinds = {layer.kind for layer in trained.layers if layer.name in layers}
    return [
        name for name, entry in compression.LOW_RANK_METHODS.items() if kinds <= set(entry.layers)
    ]
