"""One HTML file to send: the choices, the pictures, the numbers, and the code that gives them.

It asks no server for anything. Without Plotly's script it is 5 MB smaller and looks for
``plotly.min.js`` beside itself.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from importlib.metadata import version
from string import Template
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st
from plotly.offline import get_plotlyjs

import compression
import data
from pages.shared.format import MACS, format_count, format_interval, format_score, score_name
from pages.shared.models import text as words
from pages.shared.models.results import OWN_RECIPE, CurveView, Layer, TrainedReference
from pages.shared.models.text import (
    RULER,
    describe_baseline,
    file_stem,
    metric_rows,
    reference_line,
)
from pages.shared.plots.baselines import ThinCurve
from pages.shared.ui import blocks

from . import animation, text
from .baselines import BackgroundCurve, find_best_at_sides, list_thin
from .side import Sides

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "cvxpy", "pandas", "plotly", "streamlit")

_CODE = Template(
    """import compression
import data

dataset = data.load("$dataset", seed=$seed)
reference = compression.train(dataset, model="$model", seed=$seed$training)

low_rank = compression.low_rank_curve(
    reference, dataset, method="$method", ranks=[$rank], layers=$layers$epochs
)
constrained = compression.constrained_curve(
    reference, dataset, constraint="$constraint"$course
)

rows = {
    "LMM": low_rank.table.iloc[0],
    "COC": constrained.table.set_index("knob", drop=False).loc[$bound],
}
print("reference", reference.score)
for name, row in rows.items():
    print(name, row["knob"], row["score"], int(row["parameters"]), int(row["bytes"]))
compression.save(low_rank.network(0), "low-rank.safetensors")
$baselines"""
)
_BASELINES_CODE = Template(
    """
baselines = {  # the best at each side's file size
$lines
}
for name, curve in baselines.items():
    row = curve.table.iloc[0]
    print("best baseline at", name, row["knob"], row["score"], int(row["bytes"]))
"""
)

Best = Mapping[str, tuple[str, pd.Series]]
"""Side's title -> the best baseline at its file size: name, row."""


def draw(sides: Sides, curves: Sequence[tuple[BackgroundCurve, CurveView]]) -> None:
    """Buttons for the comparison as one file; ``curves``: what stands behind the two sides."""
    low_rank, constrained = sides
    if low_rank.job.result is None or constrained.job.result is None:
        return
    trained = low_rank.trained
    # Streamlit builds the file in a thread without a session: bind every value here.
    build = partial(
        build_html_report,
        trained,
        low_rank.layer,
        low_rank.job.result,
        constrained.job.result,
        low_rank.value,
        constrained.value,
        baselines=_find_best_baselines(sides, curves),
        behind=list_thin(curves),
        link=_link(),
    )
    name = f"{file_stem(trained)}-report.html"
    with st.container(horizontal=True, gap="small"):
        for label, script in (("Report (HTML)", True), ("without Plotly's script", False)):
            content, key = partial(build, script=script), f"report_{script}".lower()
            blocks.download(label, content, name, key, text.REPORT[script], "text/html")


def _find_best_baselines(sides: Sides, curves: Sequence[tuple[BackgroundCurve, CurveView]]) -> Best:
    """The sides in few bits are no baselines: they have none here."""
    known = [(one, curve) for one, curve in curves if one.baseline is not None]
    best_by_side = find_best_at_sides(sides, known)
    return {
        side: (best[0].baseline, best[1])
        for side, best in best_by_side.items()
        if best is not None and best[0].baseline is not None
    }


def _link() -> str:
    """The URL that shows the page as it is now."""
    query = urlencode(st.query_params.to_dict())
    return f"{(st.context.url or '').split('?')[0]}?{query}"


def write_code(
    trained: TrainedReference,
    low_rank: CurveView,
    constrained: CurveView,
    rank: float,
    bound: float,
    baselines: Best = MappingProxyType({}),
) -> str:
    """A script over the public API that gives the same numbers: ``rows``, by side."""
    lines = [
        curve.table.iloc[curve.row(knob)]
        for curve, knob in ((low_rank, rank), (constrained, bound))
    ]
    epochs, passes = (int(line["epochs"]) for line in lines)
    fresh = passes > 0 and constrained.table["epochs"].nunique() == 1
    return _CODE.substitute(
        dataset=trained.dataset,
        model=trained.model,
        seed=trained.seed,
        training="".join(
            f", {name}={value!r}"
            for name, value in trained.training._asdict().items()
            if value != OWN_RECIPE._asdict()[name]
        ),
        method=low_rank.method,
        layers=list(low_rank.spectra),
        constraint=constrained.method,
        epochs=f", epochs={epochs}" if epochs else "",
        course=f", epochs={passes}, warm_start=False" if fresh else "",
        rank=int(lines[0]["knob"]),
        bound=repr(float(lines[1]["knob"])),
        baselines=_write_baseline_code(baselines),
    )


def _write_baseline_code(baselines: Best) -> str:
    lines = [
        f'    "{side}": compression.baseline_curve(\n'
        f'        reference, dataset, method="{name}", knobs=[{float(line["knob"])!r}]\n'
        "    ),"
        for side, (name, line) in baselines.items()
    ]
    return _BASELINES_CODE.substitute(lines="\n".join(lines)) if lines else ""


def build_html_report(
    trained: TrainedReference,
    layer: Layer,
    low_rank: CurveView,
    constrained: CurveView,
    rank: float,
    bound: float,
    *,
    baselines: Best = MappingProxyType({}),
    behind: Sequence[ThinCurve] = (),
    link: str,
    script: bool = True,
) -> str:
    """The comparison as one HTML page.

    Parameters
    ----------
    trained, layer, low_rank, constrained, rank, bound
        As for ``animation.scrub``.
    baselines : mapping
        Side's title -> name and row of the best baseline at its file size.
    behind : sequence of ThinCurve
        What the figure's plane has thin behind the two sides.
    link : str
        Where the app shows the same.
    script : bool
        Whether Plotly's script is part of the file.
    """
    figure = animation.scrub(trained, layer, low_rank, constrained, rank, bound, behind)
    rows = low_rank.row(rank), constrained.row(bound)
    source = data.find(trained.dataset)
    library = f"<script>{get_plotlyjs()}</script>"
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return _PAGE.substitute(
        title=escape(
            f"{source.title}, {compression.MODELS[trained.model].title}: low rank and constrained"
        ),
        script=library if script else '<script src="plotly.min.js"></script>',
        summary=_convert_bold(reference_line(trained)),
        link=escape(link, quote=True),
        figure=figure.update_layout(template="plotly_white").to_html(
            full_html=False,
            include_plotlyjs=False,
            config={"displaylogo": False, "responsive": True},
            auto_play=False,
        ),
        choices=_list_choices(trained, layer, low_rank, constrained, rows),
        numbers=_build_number_table(
            trained,
            {
                "LMM": low_rank.table.iloc[rows[0]],
                "COC": constrained.table.iloc[rows[1]],
                **{_name_best(side, name, line): line for side, (name, line) in baselines.items()},
            },
        ),
        methods=_list_methods(trained, low_rank, constrained),
        ruler=escape(RULER),
        code=escape(write_code(trained, low_rank, constrained, rank, bound, baselines)),
        versions=escape(f"{packages}; compression {compression.__version__}"),
    )


def _name_best(side: str, name: str, line: pd.Series) -> str:
    title = compression.BASELINES[name].title.lower()
    return f"Best baseline at {side}'s file size: {title}, {describe_baseline(name, line)}"


def _list_choices(
    trained: TrainedReference,
    layer: Layer,
    low_rank: CurveView,
    constrained: CurveView,
    rows: tuple[int, int],
) -> str:
    bound = words.bound_title(constrained.knob, constrained.method)
    return _list_pairs(
        {
            "Dataset": f"{data.find(trained.dataset).title}: {data.find(trained.dataset).summary}",
            "Model": compression.MODELS[trained.model].title,
            "Seed": trained.seed,
            "Training": ", ".join(words.describe_training(trained.training))
            or "the model's own recipe",
            "Rank k": f"{low_rank.table['knob'].iloc[rows[0]]:g}",
            bound: f"{constrained.table['knob'].iloc[rows[1]]:g}",
            "Layer drawn": layer.title,
        }
    )


def _list_methods(trained: TrainedReference, low_rank: CurveView, constrained: CurveView) -> str:
    """Each method, set and model in words, with its source."""
    entries = {
        "LMM": compression.LOW_RANK_METHODS[low_rank.method],
        "COC": compression.CONSTRAINTS[constrained.method],
        "Model": compression.MODELS[trained.model],
    }
    pairs = {
        f"{side}: {entry.title}": entry.summary
        + (f" Source: {entry.source}." if entry.source else "")
        for side, entry in entries.items()
    }
    source = data.find(trained.dataset)
    return _list_pairs(pairs | {"Data": f"{source.source}. Licence: {source.licence}."})


def _convert_bold(markdown: str) -> str:
    """Markdown's bold as HTML's."""
    parts = escape(markdown).split("**")
    return "".join(f"<b>{part}</b>" if n % 2 else part for n, part in enumerate(parts))


def _list_pairs(pairs: Mapping[str, Any]) -> str:
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in pairs.items()
    )


def _build_number_table(trained: TrainedReference, rows: Mapping[str, pd.Series]) -> str:
    lines = {"Reference": [format_score(trained.score, trained.task)]}
    lines["Reference"] += [
        format_interval(trained.score_low, trained.score_high, trained.task),
        "",
        format_count(trained.parameters),
        format_count(trained.bytes),
        format_count(trained.macs),
    ]
    for name, line in rows.items():
        metrics = metric_rows(trained, line)
        lines[name] = [
            metrics[0][1],
            format_interval(line["score_low"], line["score_high"], trained.task),
            metrics[0][2],
            format_count(line["parameters"]),
            format_count(line["bytes"]),
            format_count(line["macs"]),
        ]
    columns = [
        score_name(trained.task),
        "95 % interval",
        "change (95 % interval)",
        "parameters",
        "file (bytes)",
        MACS,
    ]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    return table.to_html(border=0, justify="left")


_PAGE = Template(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 15px/1.5 sans-serif; color: #16202a; background: #fff; max-width: 1200px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; }
table { border-collapse: collapse; } th, td { padding: 0.25rem 1rem 0.25rem 0; text-align: left; }
pre { background: #f4f5f7; padding: 1rem; overflow-x: auto; }
small { color: #5b616b; }
</style>
$script
</head>
<body>
<h1>$title</h1>
<p>$summary</p>
<p><small>The same in the app: <a href="$link">$link</a></small></p>
$figure
<h2>Numbers</h2>
$numbers
<p><small>$ruler</small></p>
<h2>Choices</h2>
<dl>$choices</dl>
<h2>Methods</h2>
<dl>$methods</dl>
<h2>The same numbers from Python</h2>
<pre><code>$code</code></pre>
<p><small>Made with $versions.</small></p>
</body>
</html>
"""
)
