"""What the person chose: widgets bound to the URL, so that a link reproduces the picture.

Streamlit drops what it cannot use from a URL in silence. Here a value is looked at before its
widget runs, whether it comes from a URL or was chosen where other values were possible; what
cannot be used is replaced with a remark.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def row() -> DeltaGenerator:
    """A row for a page's first choices."""
    return st.container(horizontal=True, vertical_alignment="bottom", gap="small")


def pick(
    key: str,
    label: str,
    options: Iterable[str],
    default: str,
    why_not: Callable[[str], str | None] = lambda name: None,
    *,
    titles: Mapping[str, str] | None = None,
    redraw: Sequence[str] = (),
    help: str | None = None,
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """One name out of several, from a menu that is bound to the URL.

    Parameters
    ----------
    key : str
        The widget's key and the URL's parameter.
    label : str
    options : iterable of str
        Names, as they stand in the URL.
    default : str
        One of them; it is what stays out of the URL.
    why_not : callable, optional
        Name -> why it is none of the options, where there is more to say than that.
    titles : mapping, optional
        Name -> what the menu and the URL show in its place; a URL with the name works too.
    redraw : sequence of str
        Keys of the fragments to draw again on a change; none: the widget's own surroundings.
    width : int or str

    Notes
    -----
    Its remark is drawn by ``remark(key)``, where the page has room for it.
    """
    names = list(options)
    reset_none(key, default)
    texts = {name: (titles or {}).get(name, name) for name in names}
    asked = requested(key)
    if asked in names:
        st.session_state[key] = asked
    elif asked is not None and asked not in texts.values():
        st.session_state[key] = default
        reason = why_not(asked) or f"There is no {label.lower()} {asked!r} here"
        add_remark(
            key,
            f"{reason}. Shown instead: {texts[default]}; possible: {', '.join(texts.values())}.",
        )
    return st.selectbox(
        label,
        names,
        index=names.index(default),
        format_func=_format_with(texts),
        key=key,
        bind="query-params",
        persist_state="session",
        on_change=on_change,
        args=(key, redraw),
        help=help,
        width=width,
    )


def knob(
    key: str,
    label: str,
    values: Sequence[float],
    default: float,
    settled: bool = True,
    *,
    redraw: Sequence[str] = (),
    then: Callable[[float], None] | None = None,
    help: str | None = None,
) -> Any:
    """One of the values that a curve was computed at, from a slider that is bound to the URL.

    A number between two of them, or one chosen when there were others, becomes the nearest; a
    number outside their range becomes the end it passed, with a remark. Until somebody chooses,
    by hand or by URL, it stands at the default.

    Parameters
    ----------
    key, label : str
    values : sequence of int or float
        Ascending.
    default : int or float
        One of them.
    settled : bool
        Whether the default is final. Until then a stand-in takes the slider's place: a browser
        that looks again by itself sends what its slider shows, which would pass for a choice
        when the default has just moved.
    redraw : sequence of str
        Keys of the fragments to draw again on a change; none: the slider's own surroundings.
    then : callable, optional
        Called with the new value before anything is drawn again: other choices may follow it.
    help : str, optional

    Returns
    -------
    int or float
        One of ``values``.
    """
    numbers = np.asarray(values).tolist()
    texts = dict(zip(numbers, _short_decimals(numbers), strict=True))
    asked = requested(key)
    if asked is not None and key not in st.session_state:
        st.session_state[f"_chosen_{key}"] = True
    chosen = st.session_state.get(f"_chosen_{key}", False)
    if chosen and asked is not None and asked not in texts.values():
        wanted = parse_number(asked)
        nearest = default if wanted is None else min(numbers, key=lambda n: abs(n - wanted))
        st.session_state[key] = nearest
        if wanted is None or not numbers[0] <= wanted <= numbers[-1]:
            add_remark(
                key,
                f"{label} = {asked} is not possible here, only {texts[numbers[0]]} to "
                f"{texts[numbers[-1]]}. Shown instead: {texts[nearest]}.",
            )
    slider = partial(
        st.select_slider, label, numbers, value=default, format_func=_format_with(texts), help=help
    )
    if chosen or settled:
        if not chosen:
            st.session_state[key] = default
        value = slider(
            key=key,
            bind="query-params",
            persist_state="session",
            on_change=_on_slide,
            args=(key, redraw, then),
        )
    else:
        # In a container: at the same place in the tree a browser keeps one slider for both. And
        # no callback: a message under way when the slider takes its place would still set it off.
        with st.container():
            value = slider(key=f"{key}_early_{texts[numbers[-1]]}")
        if value != default:
            st.session_state[key] = value
            st.session_state[f"_chosen_{key}"] = True
    st.session_state[f"_at_{key}"] = value
    remark(key)
    return value


def segment(
    key: str,
    label: str,
    titles: Mapping[str, str],
    *,
    redraw: Sequence[str] = (),
    then: Callable[[str], None] | None = None,
    help: str | None = None,
) -> str:
    """One name out of a few, from a row of buttons that is bound to the URL; first the default.

    Parameters
    ----------
    key, label : str
    titles : mapping
        Name -> what its button shows.
    redraw : sequence of str
        As for ``pick``.
    then : callable, optional
        As for ``knob``, with the name.
    """
    names = list(titles)
    reset_none(key, names[0])
    asked = requested(key)
    if asked in names:
        st.session_state[key] = asked
    elif asked is not None and asked not in titles.values():
        st.session_state[key] = names[0]
        possible = ", ".join(titles.values())
        add_remark(key, f"There is no {label.lower()} {asked!r} here. Possible: {possible}.")
    chosen = st.segmented_control(
        label,
        names,
        default=names[0],
        format_func=_format_with(titles),
        required=True,
        key=key,
        bind="query-params",
        persist_state="session",
        on_change=on_change,
        args=(key, redraw, then),
        help=help,
    )
    remark(key)
    return chosen


def several(
    key: str,
    label: str,
    options: Sequence[str],
    *,
    settled: bool = True,
    placeholder: str | None = None,
) -> list[str]:
    """Some of many names, bound to the URL; unknown ones are left out with a remark.

    Parameters
    ----------
    key, label : str
    options : sequence of str
        As the widget and the URL show them; none holds a comma, which a URL would lose.
    settled : bool
        Whether these are all the options. Until then an unknown name is kept: it may be to come.
    placeholder : str, optional
    """
    asked = st.session_state.get(key)
    if asked is None:
        asked = [] if key in st.session_state else st.query_params.get_all(key)
    known = set(options)
    unknown = [name for name in asked if name not in known]
    if unknown and settled:
        st.session_state[key] = [name for name in asked if name in known]
        add_remark(key, f"{label}: there is no {' and no '.join(unknown)} here.")
    chosen = st.multiselect(
        label,
        [*options, *([] if settled else unknown)],
        key=key,
        bind="query-params",
        persist_state="session",
        on_change=on_change,
        args=(key,),
        placeholder=placeholder,
    )
    remark(key)
    return chosen


def switch(key: str, label: str) -> bool:
    """A switch in the URL for what is costly, so that a link reproduces its picture too."""
    return st.toggle(label, key=key, bind="query-params", persist_state="session")


def switched(key: str) -> bool:
    """Whether a switch is on that stands further down and was not drawn yet."""
    return str(requested(key)).lower() == "true"


def amount(key: str, label: str, step: float, *, width: int = 190) -> float | None:
    """A number of 0 or more that is bound to the URL, or None: no wish.

    Its remark is drawn by ``remark(key)``, as that of ``pick``.
    """
    asked = requested(key)
    none = asked in (None, "None", "")
    wanted = None if none else parse_number(str(asked))
    usable = none or (wanted is not None and wanted >= 0)
    if not usable:
        st.session_state[key] = None
        add_remark(key, f"{label}: {asked!r} is not possible, only numbers from 0 on.")
    return st.number_input(
        label,
        min_value=0.0,
        value=None,
        step=step,
        format="%g",
        key=key,
        placeholder="no wish",
        bind="query-params" if usable else None,
        persist_state="session",
        on_change=on_change,
        args=(key,),
        width=width,
    )


def number(key: str) -> float:
    """Where a knob that was drawn before stands."""
    return float(st.session_state[f"_at_{key}"])


def move(key: str, value: Any, said: str = "") -> None:
    """Choose a value, as if by its widget, with a remark if there is one; for callbacks."""
    st.session_state[key] = value
    on_change(key)
    if said:
        add_remark(key, said)


def remark(*keys: str) -> None:
    """Draw the remarks on these choices, if there are any; one goes when its choice changes."""
    remarks = [st.session_state.get(f"_remark_{key}") for key in keys]
    if any(remarks):
        st.warning("\n\n".join(filter(None, remarks)), icon=":material/info:")


def _format_with(texts: Mapping[Any, str]) -> Callable[[Any], str]:
    """What a widget shows of its values, and of one that it still holds from other options."""
    return lambda value: texts.get(value, str(value))


def reset_none(key: str, default: Any) -> None:
    """Put the default where a choice was taken back (set to None)."""
    if key in st.session_state and st.session_state[key] is None:
        st.session_state[key] = default


def requested(key: str) -> str | None:
    """What stands in the session, or, before the widget's first run, in the URL."""
    if key in st.session_state:
        return str(st.session_state[key])
    return st.query_params.get(key)


def parse_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _short_decimals(numbers: Sequence[float]) -> list[str]:
    """Short decimals that tell the numbers apart; ``requested`` has to find one by its text."""
    if all(number == int(number) for number in numbers):
        return [str(int(number)) for number in numbers]
    for digits in range(3, 18):
        texts = [f"{number:.{digits}g}" for number in numbers]
        if len(set(texts)) == len(texts):
            break
    return texts


def add_remark(key: str, sentence: str) -> None:
    st.session_state[f"_remark_{key}"] = sentence


def _on_slide(key: str, redraw: Sequence[str], then: Callable[[float], None] | None) -> None:
    # Streamlit also calls this for a slider that was first drawn in a run that did not end.
    if float(st.session_state[key]) != st.session_state.get(f"_at_{key}"):
        on_change(key, redraw, then)


def on_change(
    key: str, redraw: Sequence[str] = (), then: Callable[[Any], None] | None = None
) -> None:
    st.session_state.pop(f"_remark_{key}", None)
    st.session_state[f"_chosen_{key}"] = True
    if then is not None:
        then(st.session_state[key])
    if redraw:
        st.rerun(scope=list(redraw))
