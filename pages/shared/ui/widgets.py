"""What the person chose: widgets bound to the URL, so that a link reproduces the picture.

Streamlit drops what it cannot use from a URL in silence. Here a value is looked at before its
widget runs, whether it comes from a URL or was chosen where other values were possible; what
cannot be used is replaced with a remark.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared.format import parse_number, quote
from pages.shared.glossary import CONTROLS
from pages.shared.links import find_name

URL_TEXT = "_url_text_"  # how a choice from a menu stands in the URL; None: it is the default
# Kept in the session for each choice: whether it was chosen, its remark, and whether its value in
# the URL was just refused.
_CHOSEN, _REMARK, _UNBOUND = "_chosen_", "_remark_", "_unbound_"
LONGEST_LIST = 5  # unknown names that a remark repeats


def open_row() -> DeltaGenerator:
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
    help: str | None = None,
    width: int | Literal["stretch"] = "stretch",
) -> str:
    """One name out of several, from a menu that is bound to the URL.

    Its remark is drawn by ``draw_remarks(key)``, where the page has room for it.

    Parameters
    ----------
    key : str
        The widget's key and the URL's parameter.
    label : str
    options : iterable of str
        Names; a URL may also say their titles.
    default : str
        One of them; it is what stays out of the URL.
    why_not : callable, optional
        Name -> why it is none of the options, where there is more to say than that.
    titles : mapping, optional
        Name -> what the menu and the URL show in its place.
    """
    names = list(options)
    texts = {name: (titles or {}).get(name, name) for name in names}
    _replace_unknown_name(key, label, texts, default, why_not)
    chosen = st.selectbox(
        label,
        names,
        index=names.index(default),
        format_func=format_with(texts),
        key=key,
        bind=bind(key),
        persist_state="session",
        on_change=on_change,
        args=(key,),
        help=help or CONTROLS.get(key),
        width=width,
    )
    st.session_state[URL_TEXT + key] = None if chosen == default else texts.get(chosen)
    return chosen


def choose_segment(
    key: str,
    label: str,
    titles: Mapping[str, str],
    *,
    redraw: Sequence[str] = (),
    then: Callable[[str], None] | None = None,
    help: str | None = None,
) -> str:
    """One name out of a few, from a row of buttons that is bound to the URL; first the default.

    ``titles``: name -> what its button shows. ``redraw``, ``then``: as for ``knob``.
    """
    names = list(titles)
    _replace_unknown_name(key, label, titles, names[0])
    chosen = st.segmented_control(
        label,
        names,
        default=names[0],
        format_func=format_with(titles),
        required=True,
        key=key,
        bind=bind(key),
        persist_state="session",
        on_change=on_change,
        args=(key, redraw, then),
        help=help or CONTROLS.get(key),
    )
    draw_remarks(key)
    return chosen


def choose_several(
    key: str,
    label: str,
    options: Sequence[str],
    why_not: Callable[[str], str | None] = lambda name: None,
    *,
    settled: bool = True,
    placeholder: str | None = None,
) -> list[str]:
    """Some of many names, bound to the URL; unknown ones are left out with a remark.

    ``options``: as the widget and the URL show them; none holds a comma, which a URL would lose.
    ``why_not``: the reason, where there is one, why a name is unknown.
    ``settled``: whether these are all the options. Until then an unknown name is kept: it may be
    to come.
    """
    wanted = st.session_state.get(key)
    if wanted is None:
        wanted = [] if key in st.session_state else st.query_params.get_all(key)
    known = set(options)
    unknown = [name for name in wanted if name not in known]
    if unknown and settled:
        reasons = [why_not(name) for name in unknown[:LONGEST_LIST]]
        missing = [quote(name) for name, why in zip(unknown, reasons, strict=False) if not why]
        said = [f"{why}." for why in reasons if why]
        if missing:
            said.append(f"{label}: there is no {' and no '.join(missing)} here.")
        refuse(key, [n for n in wanted if n in known], " ".join(said))
    chosen = st.multiselect(
        label,
        [*options, *([] if settled else unknown)],
        key=key,
        bind=bind(key),
        persist_state="session",
        on_change=on_change,
        args=(key,),
        placeholder=placeholder,
        help=CONTROLS.get(key),
    )
    draw_remarks(key)
    return chosen


def switch(key: str, label: str) -> bool:
    """A switch in the URL for what is costly, so that a link reproduces its picture too."""
    request = request_one(key, label)
    if request is not None and request.lower() not in ("true", "false"):
        refuse(key, False, f"{label}: {quote(request)} is not possible, only true and false.")
    chosen = st.toggle(
        label,
        key=key,
        bind=bind(key),
        persist_state="session",
        on_change=on_change,
        args=(key,),
        help=CONTROLS.get(key),
    )
    draw_remarks(key)
    return chosen


def is_switched(key: str) -> bool:
    """Whether a switch is on that stands further down and was not drawn yet."""
    return str(read_request(key)).lower() == "true"


def choose_amount(key: str, label: str, step: float) -> float | None:
    """A number of 0 or more that is bound to the URL, or None: any.

    Its remark is drawn by ``draw_remarks(key)``, as that of ``pick``.
    """
    request = request_one(key, label)
    wanted = None if request in (None, "None") else parse_number(str(request))
    if request not in (None, "None") and (wanted is None or wanted < 0):
        refuse(
            key, None, f"{label}: {quote(str(request))} is not possible, only numbers from 0 on."
        )
    return st.number_input(
        label,
        min_value=0.0,
        value=None,
        step=step,
        format="%g",
        key=key,
        placeholder="any",
        bind=bind(key),
        persist_state="session",
        on_change=on_change,
        args=(key,),
        width=190,
        help=CONTROLS.get(key),
    )


def is_chosen(key: str) -> bool:
    """Whether somebody chose, by hand or by URL, and not the default."""
    return bool(st.session_state.get(_CHOSEN + key, False))


def mark_chosen(key: str) -> None:
    """Say that a choice was made, by a URL."""
    st.session_state[_CHOSEN + key] = True


def move(key: str, value: Any, said: str = "") -> None:
    """Choose a value as if by its widget, None: its default; with a remark if there is one.

    For callbacks.
    """
    st.session_state[key] = value
    st.session_state[_CHOSEN + key] = value is not None
    add_remark(key, said)


def add_remark(key: str, sentence: str) -> None:
    st.session_state[_REMARK + key] = sentence


def draw_remarks(*keys: str) -> None:
    """Draw the remarks on these choices, if there are any; one goes when its choice changes."""
    remarks = [st.session_state.get(_REMARK + key) for key in keys]
    if any(remarks):
        st.warning("\n\n".join(filter(None, remarks)), icon=":material/info:")


def reset_none(key: str, default: Any) -> None:
    """Put the default where a choice was taken back (set to None)."""
    if key in st.session_state and st.session_state[key] is None:
        st.session_state[key] = default


def read_request(key: str) -> str | None:
    """What stands in the session, or, before the widget's first run, in the URL."""
    if key in st.session_state:
        return str(st.session_state[key])
    return st.query_params.get(key)


def on_change(
    key: str, redraw: Sequence[str] = (), then: Callable[[Any], None] | None = None
) -> None:
    """What every change of a choice does; the callback of widgets."""
    move(key, st.session_state[key])
    if then is not None:
        then(st.session_state[key])
    if redraw:
        st.rerun(scope=list(redraw))


def _replace_unknown_name(
    key: str,
    label: str,
    texts: Mapping[str, str],
    default: str,
    why_not: Callable[[str], str | None] = lambda name: None,
) -> None:
    """Put the default in place of a name that is none of the options, with a remark."""
    translate_url(key, texts)
    reset_none(key, default)
    request = request_one(key, label)
    if request in texts:
        st.session_state[key] = request
    elif request is not None and request not in texts.values():
        reason = why_not(request) or f"{label}: there is no {quote(request)} here"
        possible = ", ".join(texts.values())
        refuse(key, default, f"{reason}. Shown instead: {texts[default]}; possible: {possible}.")


def translate_url(key: str, texts: Mapping[str, str]) -> None:
    """Let a link say names, or former texts: Streamlit takes only what a menu shows today."""
    given, context = st.query_params.get_all(key), get_script_run_ctx()
    names = [find_name(key, text) for text in given]
    shown = [texts.get(name, text) for name, text in zip(names, given, strict=True)]
    if shown == given or context is None:
        return
    # Send no message, so that the browser's URL stays as it was given.
    with context.session_state.query_params() as url:
        url.set_with_no_forward_msg(key, shown if len(shown) > 1 else shown[0])
        url.set_initial_query_params_from_current()


def request_one(key: str, label: str) -> str | None:
    """What is requested; of a key that a URL gives several times the last, with a remark."""
    given = st.query_params.get_all(key)
    if len(given) > 1 and key not in st.session_state:
        sentence = (
            f"{label} was given {len(given)} times: the last one, {quote(given[-1])}, counts."
        )
        st.query_params[key] = given[-1]
        add_remark(key, sentence)
    return read_request(key)


def refuse(key: str, instead: Any, sentence: str) -> None:
    """Choose something else than what was asked for, and say so."""
    choose(key, instead)
    add_remark(key, sentence)


def choose(key: str, value: Any) -> None:
    """Have a widget that is drawn next show a value, whatever the URL says."""
    if key not in st.session_state:
        st.query_params.pop(key, None)
        st.session_state[_UNBOUND + key] = True
    st.session_state[key] = value


def bind(key: str) -> Literal["query-params"] | None:
    """How a widget is bound to the URL; not in the run that refuses the URL's value.

    In a widget's first run Streamlit takes the URL's value over the session's: 1.5 for a whole
    number as 1, none for an empty one; and it breaks at inf.
    """
    return None if st.session_state.pop(_UNBOUND + key, False) else "query-params"


def format_with(texts: Mapping[Any, str]) -> Callable[[Any], str]:
    """How a widget shows its values, and one that it still holds from other options."""
    return lambda value: texts.get(value, str(value))
