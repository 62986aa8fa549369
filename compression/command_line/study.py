"""``study``: many fits from one file, kept for good; stopped ones go on where they were."""

import json
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from ..atomic_file import write_whole
from ..errors import ArgumentError
from .output import print_json, print_table, say, show_progress, show_text

if TYPE_CHECKING:
    from ..studies import Progress, Study, StudyStore

FINE, FAILED, PAUSED = 0, 1, 3
PAUSING = "pausing: what is in flight is finished and kept; once more drops it"


def run(arguments: Namespace) -> int:
    from ..studies import StudyStore, default_url

    url = arguments.store or default_url()
    if url is None:
        raise ArgumentError("COMPRESS_STORE is none: say where to keep the study, --store URL")
    store = StudyStore(url)
    try:
        return _ACTIONS[arguments.action](arguments, store)
    finally:
        store.close()


def _run(arguments: Namespace, store: "StudyStore") -> int:
    from .. import studies
    from ..studies.kept import collect_damaged

    study = _find_study(arguments, store)
    if arguments.retry_failed:
        store.forget_failed(study.name)
    executor = studies.DaskExecutor(arguments.dask) if arguments.dask is not None else None
    estimate = studies.describe_estimate(studies.estimate_time(study, store))
    print(show_text(f"{study.name}: {estimate}"), file=sys.stderr)  # noqa: T201
    with _pause_on_signal() as paused, collect_damaged() as damaged:
        try:
            came = studies.run(
                study,
                store,
                executor,
                workers=arguments.workers,
                report=_report(study, paused),
            )
        finally:
            if executor is not None:
                executor.shutdown(cancel_futures=True)
    if damaged:
        print(show_text(f"{len(damaged):,} damaged, computed again"), file=sys.stderr)  # noqa: T201
    facts = {"study": study.name, "fits": came.total, "done": came.done, "failed": came.failed}
    if arguments.json:
        print_json(facts)
    else:
        say(f"{study.name}: {came.done:,} of {came.total:,} fits, {came.failed:,} failed")
    if came.done < came.total:
        print(f"paused; go on with: study resume {study.name!r}", file=sys.stderr)  # noqa: T201
        return PAUSED
    return FAILED if came.failed else FINE


def _show_status(arguments: Namespace, store: "StudyStore") -> int:
    from ..studies import failures

    if arguments.study is None:
        listed = store.list_studies().drop(columns="changed_at").to_dict("records")
        _print(arguments, {"studies": listed}, listed)
        return FINE
    name = _find_name(arguments, store)
    known = store.list_studies().set_index("name")
    if name not in known.index:
        raise ArgumentError(f"{name!r} has not been run yet: study run FILE.toml")
    row = {"name": name, **known.loc[name].drop("changed_at").to_dict()}
    failed = failures(store, name).to_dict("records")
    _print(arguments, {**row, "failures": failed}, [row], failed)
    return FINE


def _export(arguments: Namespace, store: "StudyStore") -> int:
    from .. import studies

    name = _find_name(arguments, store)
    table, done = studies.table(store, name), []
    targets = (arguments.parquet, arguments.report, arguments.mlflow, arguments.optuna)
    if not any(targets):
        raise ArgumentError(
            "say where to: --parquet FILE, --report FILE, --mlflow URI or --optuna URL"
        )
    if table.empty:
        raise ArgumentError(f"{name!r} has no rows yet: run it first")
    specification, report = store.read_specification(name) or "", ""
    if arguments.report or arguments.mlflow:
        report = studies.build_report(table, specification, studies.failures(store, name))
    if arguments.parquet is not None:
        studies.export_parquet(table, arguments.parquet, specification)
        done.append(f"{arguments.parquet}: {len(table):,} rows")
    if arguments.report is not None:
        write_whole(report.encode(), arguments.report)
        done.append(f"{arguments.report}: the report")
    if arguments.mlflow is not None:
        new = studies.export_mlflow(table, arguments.mlflow, name, report)
        done.append(f"MLflow: {new:,} new runs")
    if arguments.optuna is not None:
        done.append(f"Optuna: {studies.export_optuna(table, arguments.optuna, name):,} new trials")
    if arguments.json:
        print_json({"study": name, "rows": len(table), "exported": done})
    else:
        for line in done:
            say(line)
    return FINE


_ACTIONS = {"run": _run, "resume": _run, "status": _show_status, "export": _export}


def _find_name(arguments: Namespace, store: "StudyStore") -> str:
    """A study's name, also of one that was kept and whose datasets are not there any more."""
    name: str = arguments.study
    if store.read_specification(name) is not None:
        return name
    return _find_study(arguments, store).name


def _find_study(arguments: Namespace, store: "StudyStore") -> "Study":
    """The study of a TOML file, or a kept one by its name."""
    from ..studies import read_study
    from ..studies.specification import build_study

    name = arguments.study
    if name.endswith(".toml") or Path(name).is_file():
        try:
            return read_study(Path(name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            raise ArgumentError(f"{name} is no text in UTF-8") from None
    if arguments.action != "run" and (kept := store.read_specification(name)) is not None:
        return build_study(json.loads(kept))
    known = ", ".join(map(repr, store.list_studies()["name"])) or "none yet"
    raise ArgumentError(f"{name!r} is neither a TOML file nor a kept study: there are {known}")


def _report(study: "Study", paused: Event) -> Any:
    from ..studies.estimate import describe_seconds

    count = show_progress(show_text(study.name))

    def report(now: "Progress") -> bool:
        notes = [f"{now.failed:,} failed"] if now.failed else []
        if now.seconds_left and now.done < now.total:
            notes.append(f"about {describe_seconds(now.seconds_left)} left")
        count(now.done, now.total, None, "".join(f", {note}" for note in notes))
        return not paused.is_set()

    return report


@contextmanager
def _pause_on_signal() -> Iterator[Event]:
    """An event that is set by the first Ctrl-C or SIGTERM; the second one stops at once."""
    paused = Event()

    def pause(number: int, frame: Any) -> None:
        if paused.is_set():
            raise KeyboardInterrupt
        paused.set()
        print(f"\n{PAUSING}", file=sys.stderr, flush=True)  # noqa: T201

    before = {each: signal.signal(each, pause) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield paused
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(arguments: Namespace, facts: dict[str, Any], *tables: list[dict[str, Any]]) -> None:
    if arguments.json:
        print_json(facts)
        return
    for rows in tables:
        print_table(rows)
