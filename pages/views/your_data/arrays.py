"""Which array is which, and what its axes are: asked wherever it can be two things."""

import json
from collections.abc import Mapping

import streamlit as st

from data.arrays import LAYOUTS, list_layouts

from . import text
from .results import FileFacts
from .upload import Upload

Shapes = Mapping[str, tuple[int, ...]]
INPUTS = ("x_train", "x", "X", "data", "images", "inputs", "features")
TARGETS = ("y_train", "y", "Y", "target", "labels", "label", "targets")


def choose_arrays(upload: Upload, facts: FileFacts) -> str | None:
    """Inputs, target, test part, lengths, layout and task as JSON; None until they are chosen."""
    shapes = facts.shapes
    st.markdown(text.describe_arrays(upload.title, shapes))
    began = upload.began or {}
    left, middle, right = st.columns(3)
    with left:
        x = _pick("Inputs", shapes, began.get("x") or _find_first(INPUTS, shapes, largest=True))
        x_test = _pick(
            "Inputs of a given test part",
            shapes,
            began.get("x_test") or _find_partner(x, shapes),
            none=True,
        )
    with middle:
        y = _pick("Target", shapes, began.get("y") or _find_first(TARGETS, shapes, largest=False))
        y_test = _pick(
            "Target of the test part",
            shapes,
            began.get("y_test") or _find_partner(y, shapes),
            none=True,
        )
    with right:
        lengths = _pick(
            "Lengths of sequences",
            shapes,
            began.get("lengths") or _find_name("lengths", shapes),
            none=True,
        )
        task = st.selectbox(
            "The target is read as",
            [None, "classification", "regression"],
            index=[None, "classification", "regression"].index(began.get("task")),
            format_func=lambda task: text.TASKS.get(task, "the likelier"),
        )
    layout = _choose_layout(shapes.get(x or "", ()), shapes.get(lengths or ""), began.get("layout"))
    if x is None or y is None or layout == "":
        st.info(text.CHOOSE_ARRAYS, icon=":material/info:")
        return None
    made = {
        "title": upload.title,
        "x": x,
        "y": y,
        "task": task,
        "layout": layout,
        "lengths": lengths,
    }
    if x_test and y_test:
        made |= {"x_test": x_test, "y_test": y_test}
    return json.dumps(made, sort_keys=True)


def _choose_layout(
    shape: tuple[int, ...], lengths: tuple[int, ...] | None, began: str | None
) -> str | None:
    """A layout, None where there is but one, "" until one is chosen.

    ``lengths``: the shape of the sequences' lengths. Inputs with as many rows hold one sequence
    each; others hold all behind one another, and get an axis when they are padded.
    """
    joined = lengths is not None and lengths[:1] != shape[:1]
    possible = list_layouts((0, 0, *shape[1:]) if joined else shape)
    if len(possible) < 2:
        return None
    chosen = st.radio(
        f"What are the axes of {' × '.join(map(str, shape))}?",
        possible,
        index=possible.index(began) if began in possible else None,
        format_func=lambda name: LAYOUTS[name],
        horizontal=True,
    )
    return chosen or ""


def _pick(label: str, shapes: Shapes, first: str | None, none: bool = False) -> str | None:
    names = [*([None] if none else []), *shapes]
    return st.selectbox(
        label,
        names,
        index=names.index(first) if first in names else (0 if none else None),
        format_func=lambda name: (
            "none" if name is None else text.describe_array(name, shapes[name])
        ),
    )


def _find_name(name: str, shapes: Shapes) -> str | None:
    return name if name in shapes else None


def _find_first(names: tuple[str, ...], shapes: Shapes, largest: bool) -> str | None:
    known = next((name for name in names if name in shapes), None)
    if known or not shapes:
        return known
    order = sorted(shapes, key=lambda name: len(shapes[name]))
    return order[-1 if largest else 0]


def _find_partner(name: str | None, shapes: Shapes) -> str | None:
    """The test part's array of the same kind: x_test beside x_train."""
    return (
        _find_name((name or "").replace("train", "test"), shapes)
        if "train" in (name or "")
        else None
    )
