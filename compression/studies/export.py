"""A study's table where people keep their results: a Parquet file, MLflow, Optuna.

Each takes what ``table`` gives. Exporting again adds nothing to what is there already, and puts
what has changed in place of what it was.
"""

import hashlib
import math
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from compression.atomic_file import write_whole
from compression.errors import CompressionError

from .comparison import FACTS

DIGEST = "compression.rows"  # which rows a run or a study holds
REPORTED = " with report"
AT_ONCE = 1000  # metrics that MLflow takes at a time
MISSING = "{} is not installed: python -m pip install {}"


def export_parquet(table: pd.DataFrame, path: Path | str, specification: str = "") -> None:
    """Write the table as one file, whole or not at all; the study's JSON stands in its metadata."""
    tagged = table.copy()
    tagged.attrs = {"study": specification} if specification else {}
    write_whole(tagged.to_parquet(index=False), Path(path))


def export_mlflow(table: pd.DataFrame, uri: str, name: str, report: str = "") -> int:
    """Log one run for each reference and curve, under an experiment of the study's name.

    Parameters
    ----------
    table : DataFrame
        Of a study, as ``table`` gives it.
    uri : str
        MLflow's tracking URI: "sqlite:///mlflow.db", "http://host:5000".
    name : str
        Of the experiment.
    report : str
        The study's report, HTML that ``build_report`` gives; "": none is put beside the table.

    Returns
    -------
    int
        Runs that were added. Numbers are metrics, NaN and infinite ones left out; a metric's step
        is the knob where all knobs are whole numbers, else the row's place (tag "step" says
        which). The whole table, and the report, are artifacts of a run named "table".

    Raises
    ------
    CompressionError
        MLflow is not installed, or says no; its own words follow.
    """
    try:
        from mlflow.entities import Metric, Param, RunTag
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ModuleNotFoundError:
        raise CompressionError(MISSING.format("MLflow", "mlflow-skinny==3.17.2")) from None

    def log(client: Any, experiment: str, facts: dict[str, Any], rows: pd.DataFrame) -> str:
        run = client.create_run(experiment, run_name=_name_run(facts)).info.run_id
        steps, kind = _choose_steps(rows)
        client.log_batch(run, params=[Param(key, str(value)) for key, value in facts.items()])
        now = int(1000 * time.time())
        metrics = [
            Metric(column, float(value), now, step)
            for column in rows.columns.difference(FACTS)
            for step, value in zip(steps, rows[column], strict=True)
            if math.isfinite(value)
        ]
        for first in range(0, len(metrics), AT_ONCE):
            client.log_batch(run, metrics=metrics[first : first + AT_ONCE])
        client.log_batch(run, tags=[RunTag("step", kind), RunTag(DIGEST, _hash_rows(rows))])
        return run

    def write() -> int:
        client = MlflowClient(uri)
        existing = client.get_experiment_by_name(name)
        experiment = client.create_experiment(name) if existing is None else existing.experiment_id
        known = dict(_list_known_runs(client, experiment))
        parts = [*_split_curves(table), ({"table": name}, table)]
        added = 0
        for facts, rows in parts:
            run, digest = known.get(_name_run(facts), ("", ""))
            whole = "table" in facts
            wanted = _hash_rows(rows) + (REPORTED if whole and report else "")
            if digest == wanted:
                continue
            if whole:
                new = client.create_run(experiment, run_name=_name_run(facts)).info.run_id
                with TemporaryDirectory() as folder:
                    export_parquet(table, Path(folder) / "study.parquet")
                    if report:
                        (Path(folder) / "report.html").write_text(report, encoding="utf-8")
                    client.log_artifacts(new, folder)
                client.set_tag(new, DIGEST, wanted)
            else:
                new = log(client, experiment, facts, rows)
            client.set_terminated(new)
            if run:
                client.delete_run(run)
            added += 1
        return added

    return _call(write, MlflowException, "MLflow")


def _list_known_runs(client: Any, experiment: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, id and digest of every run that is there."""
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            yield run.info.run_name, (run.info.run_id, run.data.tags.get(DIGEST, ""))
        if not (token := page.token):
            return


def export_optuna(table: pd.DataFrame, url: str, name: str) -> int:
    """Write finished trials, one Optuna study for each dataset and model.

    The objectives are bytes (down) and the *validation* score (up): a Pareto front is there to
    choose from, and the test set only reports. Parameters are the curve, seed, fold and knob; all
    numbers of a row are the trial's user attributes.

    Parameters
    ----------
    table : DataFrame
        Of a study, as ``table`` gives it.
    url : str
        Optuna's storage: "sqlite:///optuna.db".
    name : str
        Before each Optuna study's own name.

    Returns
    -------
    int
        Trials that were added.

    Raises
    ------
    CompressionError
        Optuna is not installed, or says no; its own words follow.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise CompressionError(MISSING.format("Optuna", "optuna==5.0.0")) from None
    from sqlalchemy.exc import SQLAlchemyError

    def write() -> int:
        storage, added = optuna.storages.RDBStorage(url), 0
        known = set(optuna.get_all_study_names(storage))
        for (dataset, model), rows in table.groupby(["dataset", "model"], sort=False):
            title, digest = f"{name}: {dataset}, {model}", _hash_rows(rows)
            if title in known:
                there = optuna.load_study(study_name=title, storage=storage)
                if there.user_attrs.get(DIGEST) == digest:
                    continue
                optuna.delete_study(study_name=title, storage=storage)
            study = optuna.create_study(
                study_name=title, storage=storage, directions=["minimize", "maximize"]
            )
            # Optuna warns that the method is experimental.
            with warnings.catch_warnings(action="ignore"):
                study.set_metric_names(["bytes", "validation score"])
            trials = list(_build_trials(rows))
            study.add_trials(trials)
            # Set it last: an interrupted export is written again.
            study.set_user_attr(DIGEST, digest)
            added += len(trials)
        return added

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return _call(write, (optuna.exceptions.OptunaError, SQLAlchemyError), "Optuna")
    finally:
        optuna.logging.set_verbosity(before)


def _build_trials(rows: pd.DataFrame) -> Iterator[Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import create_trial

    knobs = rows["knob"]
    distributions: dict[str, Any] = {
        name: IntDistribution(int(rows[name].min()), int(rows[name].max()))
        for name in ("seed", "fold")
    }
    distributions["curve"] = CategoricalDistribution(sorted(rows["label"].unique()))
    if knobs.notna().any():
        distributions["knob"] = FloatDistribution(float(knobs.min()), float(knobs.max()))
    for row in rows.to_dict("records"):
        values = [row["bytes"], row["validation_score"]]
        if not all(map(math.isfinite, values)):
            continue
        params = {name: int(row[name]) for name in ("seed", "fold")}
        params |= {"curve": row["label"], "knob": row["knob"]}
        present = {key: value for key, value in params.items() if value == value}
        yield create_trial(
            values=values,
            params=present,
            distributions={key: distributions[key] for key in present},
            user_attrs={
                key: value
                for key, value in row.items()
                if not isinstance(value, float) or math.isfinite(value)
            },
        )


def _split_curves(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    for values, rows in table.groupby(FACTS, sort=False):
        yield dict(zip(FACTS, values, strict=True)), rows


def _name_run(facts: dict[str, Any]) -> str:
    if "table" in facts:
        return "table"
    fold = f", fold {facts['fold']}" if facts["fold"] else ""
    return f"{facts['label']}: {facts['dataset']}, {facts['model']}, seed {facts['seed']}{fold}"


def _choose_steps(rows: pd.DataFrame) -> tuple[list[int], str]:
    knobs = rows["knob"]
    if knobs.notna().all() and (knobs % 1 == 0).all() and knobs.is_unique:
        return [int(knob) for knob in knobs], "knob"
    return list(range(len(rows))), "position"


def _hash_rows(rows: pd.DataFrame) -> str:
    """SHA-256 of rows as text that has every digit."""
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()


def _call(write: Callable[[], int], errors: Any, who: str) -> int:
    try:
        return write()
    except errors as error:
        raise CompressionError(f"{who} says no: {' '.join(str(error).split())[:500]}") from error
