"""The sections of the constrained page, from top to bottom."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

import compression
from pages.shared.format import score_name
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.requests import PATH, Way
from pages.shared.models.results import ConstrainedView, CurveView, Layer, Trained
from pages.shared.models.text import (
    NOT_CONVEX,
    SUGGESTED,
    bound_caption,
    metric_rows,
    missing_value,
    model_file_name,
)
from pages.shared.plots import standard
from pages.shared.plots.palette import CONSTRAINED
from pages.shared.ui import blocks, charts, tables, widgets
from pages.shared.ui.progress import follow, show_status, wait_for

from . import figures, tasks, text
from .results import Race, Runs, Slices, Trail

# Fragments that follow the bound.
BOUND, MOVES, WAYS, STORED = "constrained", "constrained_moves", "constrained_ways", "bits_stored"
PLANE = "constrained_plane"
PATIENCE = 1.0  # seconds that a page waits for something small before it shows a progress bar


def solver(trained: Trained, constraint: str) -> Way:
    """Of a convex model: the path, or a solver that fits the set."""
    job = submit(tasks.fitting, constraint, trained.task)
    job.wait(PATIENCE)
    found = wait_for(job, "Asking which solvers fit")
    if found is None:
        return Way(PATH)
    reasons = text.solver_reasons(found, trained.rows["training"], trained.layers[0].shape[0])
    if constraint == "cardinality":
        reasons = {
            name: why or "without a certificate it would not know when to stop"
            for name, why in reasons.items()
        }
    titles = text.solvers()
    offered = [PATH, *(name for name, why in reasons.items() if why is None)]
    name = widgets.pick(
        "solver",
        "Solved by",
        offered,
        PATH,
        lambda asked: f"{titles[asked]}: {reasons[asked]}" if reasons.get(asked) else None,
        titles={name: titles[name] for name in offered},
        help=text.not_offered(reasons),
        width=230,
    )
    widgets.remark("solver")
    return Way(name)


def method(trained: Trained) -> Way:
    """Of a network: how it is constrained, and for how many epochs."""
    titles = text.ways(convex=False)
    name = widgets.pick(
        "way",
        "Constrained by",
        list(titles),
        "projected_training",
        lambda asked: (
            "Fine-tuning has no bound: it is a baseline below" if asked == "fine_tuning" else None
        ),
        titles=titles,
        width=230,
    )
    epochs = "3"
    if name not in ("clip", "refit"):
        epochs = widgets.pick("passes", "Epochs a bound", text.EPOCHS, "3", width=120)
    widgets.remark("way", "passes")
    return Way(name, int(epochs))


def schedule(way: Way) -> Way:
    """Learning–compression's penalties: seen and chosen. Of a refit, what it aims at."""
    if way.name == "refit":
        st.caption(text.REFIT)
    if way.name != "learning_compression":
        return way
    first, last, picture = st.columns([1, 1, 2], gap="medium", vertical_alignment="center")
    with first:
        low = widgets.knob("first_mu", "First μ", text.PENALTIES, 0.1)
    with last:
        high = widgets.knob("last_mu", "Last μ", text.PENALTIES, 0.3)
    with picture:
        charts.draw(
            figures.schedule(low, high, way.epochs),
            "constrained_schedule",
            f"Penalty from {low:g} to {high:g} over {way.epochs} rounds of each bound",
        )
    st.caption(text.PENALTY)
    return Way(way.name, way.epochs, (low, high))


def _followers(trained: Trained) -> tuple[str, ...]:
    return BOUND, MOVES, WAYS, STORED, *((PLANE,) if trained.convex else ())


def by_bound(
    trained: Trained,
    layer: Layer,
    constraint: str,
    values: Sequence[float],
    way: Way,
    job: Job,
) -> None:
    """The bound, what it costs, whether that is the optimum, and the weights under it."""
    layers_job = None
    if way.name == "refit" and job.result is not None:
        layers_job = _on_networks(tasks.layers_certified, trained, job.result)

    def draw() -> None:
        done = job.result is not None
        bound = widgets.knob(
            "bound",
            words.bound_title(words.knob_of(trained), constraint),
            values,
            job.result.suggestion if done else values[len(values) // 2],
            settled=done,
            redraw=_followers(trained),
            help=SUGGESTED,
        )
        show_status(job, "Judging every bound")
        found = job.so_far
        if found is None:
            return
        row = found.row(bound)
        for place, (label, value, delta, colour) in zip(
            st.columns(4), metric_rows(trained, found.table.iloc[row]), strict=True
        ):
            place.metric(label, value, delta, delta_color=colour, delta_arrow="off")
        st.caption(missing_value(found, row, bound) + bound_caption(trained, found, row))
        _certificate(found, row, constraint)
        if layers_job is not None:
            _layers_certified(trained, layers_job, found.table["knob"].iloc[row])
        if found.files:
            st.download_button(
                "Take this model away (safetensors)",
                lambda: found.files[row],
                file_name=model_file_name(trained, "COC", "bound", bound),
                on_click="ignore",
                key="constrained_file",
                icon=":material/download:",
                type="tertiary",
            )
        _weights(trained, layer, found, row)
        left, right = st.columns(2, gap="medium")
        with left:
            blocks.predictions(
                trained,
                found.predictions[row],
                found.confusion[row],
                CONSTRAINED,
                "constrained_predictions",
            )
        with right:
            charts.draw(
                standard.constrained_spectrum(
                    trained.spectra[layer.name], found.spectra[layer.name][row], layer.name
                ),
                "constrained_spectrum",
                f"Singular values of {layer.name} under the bound, over the reference's",
            )

    follow(draw, *((job,) if layers_job is None else (job, layers_job)), key=BOUND)


def _on_networks(task: Callable[..., Any], trained: Trained, curve: CurveView) -> Job:
    """A job on the networks of a curve."""
    return submit(task, trained.origin, curve.files, tuple(curve.table["knob"].tolist()))


def _layers_certified(trained: Trained, job: Job, bound: float) -> None:
    show_status(job, "Certifying each layer's own problem")
    table: pd.DataFrame | None = job.so_far
    if table is None or not (table["bound"] == bound).any():
        return
    st.caption(text.LAYERS)
    own = table[table["bound"] == bound]
    tables.draw(text.layers_certified(own), "layers", trained, table)


def _certificate(found: ConstrainedView, row: int, constraint: str) -> None:
    if found.facts is None:
        st.info(NOT_CONVEX, icon=":material/info:")
        return
    kind, sentence = text.certificate(found.facts.iloc[row], constraint)
    if kind == "success":
        st.success(sentence, icon=":material/verified:")
    elif kind == "warning":
        st.warning(sentence, icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")


def _weights(trained: Trained, layer: Layer, found: ConstrainedView, row: int) -> None:
    """Where the weights lie, which are held, and what each bound costs."""
    st.subheader("Which weights are held, and at what price?", anchor=False)
    rows = found.layers[layer.name]
    letter = words.layer_letter(found.knob, found.method)
    st.markdown(text.held(rows, row, letter), help=text.HELD)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.histogram(rows, row, letter),
            "constrained_histogram",
            f"Histogram of the weights of {layer.name}: free, pinned, zero, and the reference's",
        )
    with right:
        charts.draw(
            figures.matrix(rows, row, letter),
            "constrained_matrix",
            f"Weight of {layer.name} as a heat map, and which of its entries are held",
        )
    prices = None if found.multipliers is None else found.multipliers[row]
    if trained.convex and len(found.input_shape) == 3 and trained.task == "classification":
        signs = (rows.weights[row] > 0) * 2 - 1
        charts.draw(
            figures.pictures(
                rows.weights[row],
                None if prices is None else prices * signs,
                found.input_shape,
                trained.class_names,
            ),
            "constrained_pictures",
            "Weights and multipliers of each class in the shape of the inputs",
        )
    if prices is not None:
        _prices(trained, found, row)
    elif found.facts is not None and found.facts["price"].notna().any():
        st.caption(text.NO_PRICES)


def _prices(trained: Trained, found: ConstrainedView, row: int) -> None:
    assert found.multipliers is not None
    (rows,) = found.layers.values()
    names = text.weight_names(
        found.feature_names, rows.shape[1], rows.shape[0], trained.class_names
    )
    table = text.prices(found.multipliers[row], rows.weights[row], names)
    if table.empty:
        st.caption("No bound costs anything here: all multipliers are zero.")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        charts.draw(
            figures.dearest(table, text.loss_unit(trained.task)),
            "constrained_prices",
            f"Multipliers of the {min(len(table), figures.DEAREST)} dearest bounds",
        )
    with right:
        tables.draw(
            text.shown_prices(table),
            "multipliers",
            trained,
            table,
            height=300 if len(table) > 7 else "auto",
        )


def moves(trained: Trained, constraint: str, job: Job) -> None:
    """How weights, losses and price move with c."""
    trail_job = submit(tasks.trail, trained.origin, constraint) if trained.convex else None
    st.subheader("What happens as the bound tightens?", anchor=False)

    def draw() -> None:
        found = job.so_far
        if found is None:
            return
        curve, bound = found, widgets.number("bound")
        unit = text.loss_unit(trained.task)
        left, right = st.columns(2, gap="medium")
        with left:
            charts.draw(
                figures.shares(curve.table, bound, curve.knob),
                "constrained_shares",
                "Shares of pinned, zero and free weights against the bound",
            )
        if len(found.layers) > 1:
            with right:
                charts.draw(
                    figures.free_by_layer(found.layers, curve.table["knob"], bound, curve.knob),
                    "constrained_free_by_layer",
                    "Share of each layer's weights that are free against the bound",
                )
            right = st.container()
        with right:
            charts.draw(
                figures.losses(curve.table, curve.reference, bound, curve.knob, unit),
                "constrained_losses",
                "Training, validation and test loss against the bound",
            )
        priced = found.facts is not None and bool((found.facts["price"] > 0).any())
        left, right = st.columns([3, 2], gap="medium") if priced else (st.container(), None)
        if trail_job is not None:
            with left:
                show_status(trail_job, "Following the path")
                if trail_job.result is not None:
                    _path(trained, found, trail_job.result, bound, constraint)
        if right is not None:
            with right:
                charts.draw(
                    figures.price(found.facts, bound, curve.knob, unit),
                    "constrained_price",
                    "What one more unit of the bound would take off the training loss, against it",
                )
        table = curve.table
        if found.facts is not None:
            table = table.merge(found.facts, on="knob")
        tables.take_away(table, "bounds", trained)

    watched = (job,) if trail_job is None else (job, trail_job)
    follow(draw, *watched, key=MOVES)


def _path(
    trained: Trained, found: ConstrainedView, trail: Trail, bound: float, constraint: str
) -> None:
    outputs, inputs = trail.weights.shape[1:]
    names = text.weight_names(found.feature_names, inputs, outputs, trained.class_names)
    charts.draw(
        figures.path(trail, names, trained.class_names, bound, constraint in ("box", "upper")),
        "constrained_path",
        f"Path of the weights against the bound, {'exact' if trail.exact else 'on a grid'}",
    )
    st.caption(
        f"Exact: {len(trail.bounds)} breakpoints, straight lines between them."
        if trail.exact
        else "No exact path is known for this loss and set: a grid of "
        f"{len(trail.bounds)} bounds, each solved from its neighbour, straight lines between them."
    )


def compared(trained: Trained, constraint: str, way: Way, job: Job) -> None:
    """Score against the bound or its cost: this way, the baselines, all ways."""
    st.subheader("What would another way have given?", anchor=False)
    with widgets.row():
        which = widgets.segment("ways", "Beside it", text.COMPARED)
        axis = widgets.segment("bound_against", "Against", figures.AXES)
    others = ["clip", "fine_tuning"]
    if which == "all":
        others = [name for name in compression.CONSTRAINED_METHODS if name != way.name]
    jobs = {way.name: job}
    for name in others:
        if name != way.name:
            jobs[name] = requests.constrained_curve(trained, constraint, Way(name, way.epochs))

    def draw() -> None:
        for name, other in jobs.items():
            if other is not job:
                show_status(other, text.way_title(name, trained.convex, way.epochs))
        curves = [
            (name, text.way_title(name, trained.convex, way.epochs), found.table)
            for name, other in jobs.items()
            if (found := other.so_far) is not None
        ]
        first = job.so_far
        if first is None:
            return
        bound = widgets.number("bound")

        def clicked() -> None:
            for point in st.session_state["constrained_ways_chart"]["selection"]["points"]:
                # The first curve is of this way: the slider has its bounds.
                if point["curve_number"] == 0:
                    widgets.move("bound", point["customdata"][0])
                    st.rerun(scope=list(_followers(trained)))

        charts.draw(
            figures.ways(curves, trained.costs, axis, bound, first.knob, trained.task),
            "constrained_ways_chart",
            f"{score_name(trained.task)} against {figures.AXES[axis]} for {len(curves)} ways",
            on_select=clicked,
        )
        lines = []
        for _, title, table in curves:
            line = table.iloc[(table["knob"] - bound).abs().argmin()]
            lines.append(
                {
                    "way": title,
                    words.bound_letter(first.knob): f"{line['knob']:.3g}",
                    **text.numbers(line, trained.task),
                }
            )
        every = pd.concat([table.assign(way=title) for _, title, table in curves])
        tables.draw(pd.DataFrame(lines), "ways", trained, every)

    follow(draw, *jobs.values(), key=WAYS)
    st.caption(text.WAYS)


def stored(trained: Trained, job: Job) -> None:
    """On request: the free weights in few bits, at every bound."""
    st.subheader("What does it save on disk?", anchor=False)

    @st.fragment(key=STORED)
    def draw() -> None:
        if not widgets.switch(
            "few_bits", "Keep free weights in few bits (judges every bound in 16)"
        ):
            return
        found: ConstrainedView | None = job.result
        if found is None:
            st.caption("As soon as every bound is judged.")
            return
        curve = found
        bits_job = _on_networks(tasks.stored, trained, curve)
        follow(lambda: _stored(trained, curve, bits_job), bits_job)

    draw()


def _stored(trained: Trained, curve: CurveView, job: Job) -> None:
    bits = int(widgets.knob("bits", "Bits of a free weight (32: off)", text.BITS, 8))
    show_status(job, "Judging every bound in every number of bits")
    table: pd.DataFrame | None = job.so_far
    if table is None:
        return
    bound = widgets.number("bound")
    at = table["bound"].iloc[(table["bound"] - bound).abs().argmin()]
    own = table[table["bound"] == at]
    allowed = int(own["fewest_bits"].iloc[0])
    line = own[own["bits"] == bits].iloc[0]
    letter = words.bound_letter(curve.knob)
    st.markdown(text.stored(line, own[own["bits"] == 32].iloc[0], allowed, letter))
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.bits(own, bits, trained.costs, trained.task),
            "bits_score",
            "Score of this bound's network in every number of bits",
        )
        charts.draw(
            figures.rounding(table, bits, bound, curve.knob),
            "bits_rounding",
            "Clipping and rounding errors against the bound",
        )
    with right:
        charts.draw(
            figures.lengths(own, bits, trained.costs),
            "bits_bytes",
            "File size of this bound's network in every number of bits",
        )
        charts.draw(
            figures.affordable(table, bound, curve.knob),
            "bits_affordable",
            "Fewest bits that each bound can do with",
        )
    st.caption(text.STORED)
    tables.take_away(table, "bits", trained)


def raced(trained: Trained, constraint: str, job: Job) -> None:
    """On request, of a convex model: all solvers on the same problem."""
    st.subheader("Do all solvers agree?", anchor=False)

    @st.fragment
    def draw() -> None:
        if not widgets.switch("race", "Race the solvers"):
            st.session_state["_raced"] = None
            return
        if job.result is None:
            st.caption("As soon as every bound is judged.")
            return
        names = _fits(trained, constraint)
        if names is None:
            return
        bound = _race_bound(trained, constraint, job.result)
        race = submit(tasks.race, trained.origin, constraint, bound, names)
        follow(lambda: _raced(trained, bound, race), race)

    draw()


def _race_bound(trained: Trained, constraint: str, curve: CurveView) -> float:
    """Where the race is held. It takes long: it stays there until it is asked for elsewhere.

    In the URL, so that a link reproduces the race; without it the suggested bound.
    """
    bounds = text.race_bounds(curve.table["knob"])
    here = list(bounds)[curve.row(widgets.number("bound"))]
    problem = (trained.file, constraint)
    # Switched on by hand, or on a page that has got another problem: at the current bound. Not
    # where a link has just been followed.
    if st.session_state.get("_raced", problem) != problem:
        widgets.move("race_at", here)
    st.session_state["_raced"] = problem
    with widgets.row():
        at = widgets.pick(
            "race_at", "At bound c", list(bounds), list(bounds)[curve.suggested], width=160
        )
        st.button(
            "Race at the current bound",
            icon=":material/flag:",
            key="race_here",
            on_click=widgets.move,
            args=("race_at", here),
        )
    widgets.remark("race_at")
    return bounds[at]


def _fits(trained: Trained, constraint: str) -> tuple[str, ...] | None:
    """The solvers that find the optimum over this set; none while that is not known, or none is."""
    if constraint == "cardinality":
        st.info(
            "The set is not convex: there is no optimum to find. Choose another set.",
            icon=":material/info:",
        )
        return None
    job = submit(tasks.fitting, constraint, trained.task)
    job.wait(PATIENCE)
    found = wait_for(job, "Asking which solvers fit")
    return None if found is None else tuple(name for name, why in found.items() if why is None)


def _raced(trained: Trained, bound: float, job: Job) -> None:
    show_status(job, f"The race at c = {bound:.3g}")
    race: Race | None = job.so_far
    if race is None:
        return
    titles = text.solvers()
    left, right = st.columns(2, gap="medium")
    for place, clock in ((left, "iteration"), (right, "seconds")):
        with place:
            charts.draw(
                figures.tracks(race, titles, clock),
                f"race_{clock}",
                f"Objective above the best lower bound by {clock} for {len(race.tracks)} solvers",
            )
    st.markdown(f"At c = **{bound:.3g}**:")
    tracks = pd.concat([track.assign(solver=name) for name, track in race.tracks.items()])
    tables.draw(text.race(race.table), "race", trained, tracks)
    st.caption(text.RACE)


def plane(trained: Trained, constraint: str, job: Job) -> None:
    """On request, of a convex model: two weights as c moves: loss, set, optimum, solvers' ways."""
    st.subheader("Where does the bound meet the loss?", anchor=False)

    @st.fragment(key=PLANE)
    def draw() -> None:
        if not widgets.switch(
            "plane", "Draw the loss over two weights (runs the solvers at every bound)"
        ):
            return
        fits = _fits(trained, constraint)
        if fits is None:
            return
        found: ConstrainedView | None = job.so_far
        if found is None:
            st.caption("As soon as the first bounds are judged.")
            return
        pair = _pair(trained, found)
        if pair is None:
            return
        numbers, names = pair
        cuts_job = submit(tasks.slices, trained.origin, constraint, *numbers)
        # A cone solver shows nothing of its way, only where it ends.
        walkers = tuple(name for name in fits if name != "cvxpy")
        runs_job = submit(tasks.runs, trained.origin, constraint, walkers)
        follow(lambda: _plane(trained, cuts_job, runs_job, numbers, names), cuts_job, runs_job)

    draw()


def _pair(
    trained: Trained, found: ConstrainedView
) -> tuple[tuple[int, int], tuple[str, str]] | None:
    """Two weights, chosen: their numbers, row by row, and their names."""
    (rows,) = found.layers.values()
    outputs, inputs = rows.shape
    lines = text.weight_names(found.feature_names, inputs, outputs, trained.class_names)
    names = [name for line in lines for name in line]
    first, second = found.largest
    with widgets.row():
        across = widgets.pick("across", "Across", names, names[first], width=260)
        up = widgets.pick("up", "Up", names, names[second], width=260)
    widgets.remark("across", "up")
    if across == up:
        st.info("Choose two different weights.", icon=":material/info:")
        return None
    return (names.index(across), names.index(up)), (across, up)


def _plane(
    trained: Trained, cuts_job: Job, runs_job: Job, pair: tuple[int, int], names: tuple[str, str]
) -> None:
    show_status(cuts_job, "The loss around the optimum")
    show_status(runs_job, "The solvers' ways to every bound")
    cuts: Slices | None = cuts_job.so_far
    if cuts is None:
        return
    runs: Runs | None = runs_job.so_far
    row = cuts.row(widgets.number("bound"))
    left, right = st.columns(2, gap="medium")
    with left:
        charts.draw(
            figures.plane_of_all_bounds(cuts, row, names),
            "plane_of_all_bounds",
            f"Loss contours over {names[0]} and {names[1]}, what the set allows, and the optimum "
            "of every bound",
        )
    with right:
        charts.draw(
            figures.plane_of_one_bound(cuts, row, runs, pair, names, text.solvers()),
            "plane_of_one_bound",
            f"Loss contours over {names[0]} and {names[1]}, what the set allows, and the solvers' "
            "ways",
        )
    st.caption(text.plane(runs, row, trained.task))


def own_bounds(trained: Trained, constraint: str, way: Way, job: Job) -> None:
    """On request, of a network: a bound of its own for each layer."""
    st.subheader("A bound of its own for each layer", anchor=False)

    @st.fragment
    def draw() -> None:
        if not widgets.switch("own_bounds", "Choose a bound for each layer"):
            return
        if job.result is None:
            st.caption("As soon as every bound is judged.")
            return
        values = job.result.table["knob"]
        shares = []
        for place, layer in zip(
            st.columns(len(trained.layers), gap="medium"), trained.layers, strict=True
        ):
            with place:
                shares.append(
                    widgets.knob(
                        f"bound_{layer.name}",
                        f"{layer.name}: relative bound ρ",
                        values,
                        job.result.suggestion,
                    )
                )
        st.caption(text.OWN)
        one = submit(
            tasks.own_bounds,
            trained.origin,
            constraint,
            way.name,
            tuple(map(float, shares)),
            way.epochs,
            *(way.penalties or ()),
        )
        one.wait(PATIENCE)
        found = wait_for(one, "Constraining each layer")
        if found is None:
            return
        for place, (label, value, delta, colour) in zip(
            st.columns(4), metric_rows(trained, found.table.iloc[0]), strict=True
        ):
            place.metric(label, value, delta, delta_color=colour, delta_arrow="off")
        st.download_button(
            "Take this model away (safetensors)",
            lambda: found.files[0],
            file_name=f"{trained.dataset}-{trained.model}-coc-own-bounds.safetensors",
            on_click="ignore",
            key="own_bounds_file",
            icon=":material/download:",
            type="tertiary",
        )

    draw()
