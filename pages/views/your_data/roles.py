"""What each column of a table is for: suggested, shown with its reason, and changed in place."""

import json
from typing import Any

import streamlit as st

from data.roles import ROLES
from pages.shared import jobs
from pages.shared.ui.progress import wait_for

from . import tasks, text
from .results import DescribedTable, FileFacts
from .upload import Upload

_CHOSEN = "_roles"


def choose_roles(upload: Upload, facts: FileFacts) -> str | None:
    """Target, task and roles as JSON; None while something stands in the way."""
    chosen = _find_choices(upload)
    described = wait_for(_describe(upload, chosen), "Looking at the columns")
    if described is None:
        return None
    st.markdown(text.describe_file(upload.title, facts))
    _draw_target(chosen, described)
    _draw_columns(upload, chosen, described)
    if described.obstacles:
        st.error(text.list_obstacles(described.obstacles), icon=":material/error:")
        return None
    roles = {name: role for name, role in chosen["roles"].items() if role != "target"}
    made = {"title": upload.title, "target": described.target, "task": described.task}
    return json.dumps(made | {"roles": roles}, sort_keys=True)


def _find_choices(upload: Upload) -> dict[str, Any]:
    """What was chosen for this upload in this session, or what the link's dataset began with."""
    kept = st.session_state.setdefault(_CHOSEN, {})
    if upload.name not in kept:
        began = upload.began or {}
        kept[upload.name] = {
            "target": began.get("target"),
            "task": began.get("task"),
            "roles": dict(began.get("roles", {})),
            "edits": 0,
        }
    return kept[upload.name]


def _describe(upload: Upload, chosen: dict[str, Any]) -> jobs.Job[DescribedTable]:
    roles = tuple(word for pair in sorted(chosen["roles"].items()) for word in pair)
    return jobs.submit(tasks.describe, upload.name, chosen["target"], chosen["task"], roles)


def _draw_target(chosen: dict[str, Any], described: DescribedTable) -> None:
    names = described.columns["column"].tolist()
    left, right = st.columns(2, vertical_alignment="bottom")
    target = left.selectbox(
        "What is predicted",
        names,
        index=names.index(described.target) if described.target in names else None,
        key=f"target_{chosen['edits']}",
        on_change=_set_target,
        args=(chosen,),
    )
    assert target is None or target in names
    readings = dict(described.readings)
    if described.task in readings:
        right.radio(
            "It is read as",
            list(readings),
            index=list(readings).index(described.task),
            format_func=lambda task: readings[task][0].upper() + readings[task][1:],
            key=f"task_{chosen['edits']}_{described.target}",
            on_change=_set_task,
            args=(chosen, f"task_{chosen['edits']}_{described.target}"),
        )


def _draw_columns(upload: Upload, chosen: dict[str, Any], described: DescribedTable) -> None:
    key = f"roles_{upload.name}_{chosen['edits']}"
    st.data_editor(
        described.columns,
        key=key,
        hide_index=True,
        height="auto",
        disabled=[name for name in described.columns if name != "role"],
        column_config={
            "role": st.column_config.SelectboxColumn(
                "role", options=list(ROLES), required=True, help=text.ROLES_HELP
            ),
            "missing": st.column_config.NumberColumn("missing", format="localized"),
            "distinct": st.column_config.NumberColumn("distinct", format="localized"),
            "rule": st.column_config.TextColumn("what becomes of it", width="large"),
        },
        on_change=set_roles,
        args=(chosen, key, described.columns["column"].tolist()),
    )


def _set_target(chosen: dict[str, Any]) -> None:
    target = st.session_state[f"target_{chosen['edits']}"]
    chosen["roles"].pop(target, None)
    chosen.update(target=target, task=None, edits=chosen["edits"] + 1)


def _set_task(chosen: dict[str, Any], key: str) -> None:
    chosen["task"] = st.session_state[key]


def set_roles(chosen: dict[str, Any], key: str, names: list[str]) -> None:
    """Take over what was edited; the next table shows what became of it."""
    for row, edit in st.session_state[key]["edited_rows"].items():
        name, role = names[int(row)], edit.get("role")
        if role == "target":
            chosen["roles"].pop(name, None)
            chosen.update(target=name, task=None)
        elif role is not None:
            chosen["roles"][name] = role
            if name == chosen["target"]:
                chosen.update(target=None, task=None)
    chosen["edits"] += 1
