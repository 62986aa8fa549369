"""What the comparison offers beside its two sides: ties, pins, undo, and their difference."""

from collections.abc import Mapping, Sequence
from functools import partial
from string import ascii_uppercase
from urllib.parse import urlencode

import numpy as np
import streamlit as st

import compression
from pages.shared.jobs import Job, submit
from pages.shared.models import requests
from pages.shared.models import text as words
from pages.shared.models.results import CurveView, Layer, Trained
from pages.shared.plots import standard
from pages.shared.plots.layout import CONFIG
from pages.shared.ui import widgets
from pages.shared.ui.progress import follow, wait_for

from . import animation, figures, report, tasks, text, undo
from .results import Pin
from .side import COC, LMM, PLANE, TAKE_AWAY, Follow, Side, tie

DIFFERENCE, PINNED, BAR, PRESET = "difference", "pinned", "bar", "preset"
_PINS, _MENU = "_pins", "presets"
_PRESET = "_preset"  # (number of the one that was chosen, the choices as they stood then)
MOST_PINS = len(ascii_uppercase)


def ties(low_rank: Job, constrained: Job) -> dict[str, Follow]:
    """A row of buttons that ties the sliders; a side's key -> what follows its slider."""

    def match(column: str) -> None:
        if column != "free":
            tie(column, low_rank, COC, constrained)(widgets.number(LMM.knob))

    titles = text.TIES
    column = widgets.segment("tie", "Tie the sides by", titles, then=match, help=text.TIED)
    if column == "free":
        return {}
    return {
        LMM.key: tie(column, low_rank, COC, constrained),
        COC.key: tie(column, constrained, LMM, low_rank),
    }


def redrawn(ties: Mapping[str, Follow]) -> list[str]:
    """Keys of the fragments that a moved slider draws again, beside its own side."""
    also = [LMM.key, COC.key] if ties else []
    if pins():
        also.append(PINNED)
    if _PRESET in st.session_state:
        also.append(PRESET)
    if st.session_state.get("differences"):
        also.append(DIFFERENCE)
    return [*also, PLANE, BAR, TAKE_AWAY]


def bar(trained: Trained, sides: Sequence[tuple[Side, Job]]) -> None:
    """Undo, redo, reset, pin, and settings to begin with."""

    def draw() -> None:
        undo.run_whole()
        settled = all(job.result is not None for _, job in sides)
        if settled:
            undo.record()
        with st.container(horizontal=True, gap="xsmall", width="content"):
            for label, step, icon in (("Undo", -1, "undo"), ("Redo", 1, "redo")):
                st.button(
                    label,
                    key=label.lower(),
                    icon=f":material/{icon}:",
                    disabled=not undo.possible(step),
                    on_click=undo.go,
                    args=(step,),
                )
            st.button(
                "Reset",
                key="reset",
                icon=":material/restart_alt:",
                on_click=undo.load,
                args=({},),
            )
            st.button(
                "Pin",
                key="pin",
                icon=":material/keep:",
                disabled=not settled or len(pins()) == MOST_PINS,
                on_click=_pin,
                args=(trained, sides),
                help="Keep these two models on the page, to hold others against.",
            )
            # With a state of its own, which a choice sets back: the menu closes.
            with st.popover("Begin with", icon=":material/flag:", key=_MENU, on_change=_keep_menu):
                for number, preset in enumerate(text.PRESETS):
                    st.button(
                        preset.title,
                        key=f"preset_{number}",
                        help=preset.says,
                        on_click=_begin,
                        args=(number,),
                        width="stretch",
                    )

    follow(draw, *(job for _, job in sides), key=BAR)


def _keep_menu() -> None:
    """Nothing to do: with a callback a popover has a state that can be set."""


def _begin(number: int) -> None:
    """Load a preset, and say what to look at; for callbacks."""
    undo.load(text.PRESETS[number].choices)
    st.session_state[_MENU] = False
    st.session_state[_PRESET] = number, None


def _leave_preset() -> None:
    st.session_state.pop(_PRESET, None)
    undo.changed()


def beside(trained: Trained) -> Job | None:
    """The curve that the preset of now draws beside the chosen ones."""
    number, _ = st.session_state.get(_PRESET, (None, None))
    method = None if number is None else text.PRESETS[number].beside
    return None if method is None else requests.low_rank_curve(trained, method)


def ghosts(trained: Trained, job: Job | None) -> list[Pin]:
    """That curve as a ghost in the plane, once it is there."""
    if job is None or job.result is None:
        return []
    curve: CurveView = job.result
    rank = widgets.number(LMM.knob)
    row = curve.table.iloc[curve.row(rank)]
    title = compression.LOW_RANK_METHODS[curve.method].title
    rows = {LMM.title: (f"{title}, rank k = {rank:g}", LMM.colour, row)}
    of = f"{trained.dataset}, {trained.model}, seed {trained.seed}"
    return [Pin(title, {}, of, rows, {LMM.title: curve.table})]


def preset(trained: Trained, low_rank: Job, constrained: Job, plain: Job | None) -> None:
    """What to look at in the preset that was chosen, until it is put away or a choice changes."""
    if _PRESET not in st.session_state:
        return

    def draw() -> None:
        undo.run_whole()
        if _PRESET not in st.session_state:
            return
        number, then = st.session_state[_PRESET]
        now = undo.now()
        if then is None:  # the widgets have taken the choices over in this very run
            st.session_state[_PRESET] = number, now
        elif then != now:
            del st.session_state[_PRESET]
            st.rerun()
        chosen = text.PRESETS[number]
        first, second = low_rank.so_far, constrained.so_far
        sentence = chosen.says
        if low_rank.result is not None and second is not None:
            k, c = (widgets.number(side.knob) for side in (LMM, COC))
            line = None
            if plain is not None and plain.result is not None:
                line = plain.result.table.iloc[plain.result.row(k)]
            sentence = chosen.look(
                text.Shown(trained, first, first.row(k), second, second.row(c), line)
            )
        left, right = st.columns([12, 1], vertical_alignment="center", gap="small")
        left.info(f"**{chosen.title}.** {sentence}", icon=":material/flag:")
        with right:
            st.button(
                "Close",
                key="close_preset",
                icon=":material/close:",
                type="tertiary",
                on_click=_leave_preset,
            )

    watched = [low_rank, constrained, *([] if plain is None else [plain])]
    follow(draw, *watched, key=PRESET)


def pins() -> list[Pin]:
    """The settings that stay, in the order they were pinned."""
    return st.session_state.setdefault(_PINS, [])


def pins_of(dataset: str) -> list[Pin]:
    """Those that speak of these data: others have no place in the same plane."""
    return [pin for pin in pins() if pin.choices["dataset"] == dataset]


def _pin(trained: Trained, sides: Sequence[tuple[Side, Job]]) -> None:
    kept = pins()
    rows, curves = {}, {}
    for side, job in sides:
        at = widgets.number(side.knob)
        row = job.result.row(at)
        label = side.label
        if side is COC:
            label = words.bound_title(job.result.knob, job.result.method)
        setting = f"{job.result.method}, {label.lower()} = {at:.3g}"
        rows[side.title] = (setting, side.colour, job.result.table.iloc[row])
        curves[side.title] = job.result.table
    used = {pin.label for pin in kept}
    label = next(letter for letter in ascii_uppercase if letter not in used)
    of = f"{trained.dataset}, {trained.model}, seed {trained.seed}"
    kept.append(Pin(label, undo.now(), of, rows, curves))
    undo.changed()


def _unpin(pin: Pin) -> None:
    pins().remove(pin)
    undo.changed()


def pinned(trained: Trained, sides: Sequence[tuple[Side, Job]]) -> None:
    """The pinned models as rows, the current ones held against them."""
    kept = pins()
    if not kept or any(job.result is None for _, job in sides):
        return

    def draw() -> None:
        undo.run_whole()
        now = {
            side.title: job.result.table.iloc[job.result.row(widgets.number(side.knob))]
            for side, job in sides
        }
        table = text.pins(kept, trained.dataset, now)
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.4f")
                for name in ("score", "low", "high", "score now − pin")
            },
        )
        with st.container(horizontal=True, gap="small"):
            for pin in kept:
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
            st.download_button(
                "Pins as CSV",
                table.to_csv(index=False),
                file_name=f"{trained.dataset}-{trained.model}-pins.csv",
                on_click="ignore",
                key="pins_csv",
                icon=":material/download:",
                type="tertiary",
            )

    st.subheader("Pinned", anchor=False)
    follow(draw, key=PINNED)


def difference(trained: Trained, low_rank: Job, constrained: Job) -> None:
    """Where the two answer differently, and whether their scores differ."""

    def draw() -> None:
        curves: list[CurveView] = [low_rank.result, constrained.result]
        rows = [
            curve.row(widgets.number(side.knob))
            for curve, side in zip(curves, (LMM, COC), strict=True)
        ]
        answers = [curve.predictions[row] for curve, row in zip(curves, rows, strict=True)]
        job = submit(
            tasks.difference,
            trained.dataset,
            trained.seed,
            *(answer.astype("float64").tobytes() for answer in answers),
        )
        found = wait_for(job, "Comparing their answers")
        if found is None:
            return
        st.markdown(text.difference(found, trained.task, len(trained.target)))
        left, right = st.columns(2, gap="medium")
        if found.recalls is not None:
            counts = [curve.confusion[row] for curve, row in zip(curves, rows, strict=True)]
            left.plotly_chart(
                figures.difference(*counts, trained.class_names),
                key="confusion_difference",
                alt="Confusion matrix of COC minus that of LMM",
                config=CONFIG,
            )
            right.plotly_chart(
                figures.recalls(found.recalls),
                key="recalls",
                alt="Recall of each class for LMM and COC",
                config=CONFIG,
            )
        if isinstance(found.inputs, np.ndarray) and len(found.inputs):
            pictures = standard.pictures(found.inputs, text.titles(found))
            st.plotly_chart(
                pictures.update_layout(title_text="Test samples on which the two differ"),
                key="differing",
                alt="Samples on which LMM and COC differ",
                config=CONFIG,
            )
        elif len(found.samples):
            quantity = "class" if found.recalls is not None else trained.target_title
            st.dataframe(text.samples(found, quantity), hide_index=True)

    if low_rank.result is None or constrained.result is None:
        st.caption("As soon as both curves are there.")
        return
    follow(draw, key=DIFFERENCE)


def scrubbed(trained: Trained, layer: Layer, low_rank: Job, constrained: Job) -> None:
    """Both curves as one figure whose sliders ask no server."""
    if low_rank.result is None or constrained.result is None:
        st.caption("As soon as both curves are there.")
        return
    figure = animation.scrub(
        trained,
        layer,
        low_rank.result,
        constrained.result,
        widgets.number(LMM.knob),
        widgets.number(COC.knob),
    )
    st.plotly_chart(
        figure,
        key="scrub_chart",
        alt="The comparison with sliders of its own",
        config=CONFIG,
    )


def take_away(trained: Trained, layer: Layer, low_rank: Job, constrained: Job) -> None:
    """The comparison as one file."""

    def draw() -> None:
        # The fragment stands there before the curves do: a moved slider names it.
        if low_rank.result is None or constrained.result is None:
            return
        # Streamlit builds the file in a thread without a session, a URL or a query.
        build = partial(
            report.report,
            trained,
            layer,
            low_rank.result,
            constrained.result,
            widgets.number(LMM.knob),
            widgets.number(COC.knob),
            link=_link(),
        )
        with st.container(horizontal=True, gap="small"):
            for label, script in (("Report (HTML)", True), ("without Plotly's script", False)):
                st.download_button(
                    label,
                    partial(build, script=script),
                    file_name=f"{trained.dataset}-{trained.model}-report.html",
                    mime="text/html",
                    on_click="ignore",
                    key=f"report_{script}".lower(),
                    icon=":material/download:",
                    type="tertiary",
                    help=text.REPORT[script],
                )

    follow(draw, key=TAKE_AWAY)


def _link() -> str:
    """The URL that gives the page as it is now."""
    query = urlencode(st.query_params.to_dict())
    return f"{(st.context.url or '').split('?')[0]}?{query}"
