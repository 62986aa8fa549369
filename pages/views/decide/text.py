"""Sentences, labels and columns of the page that decides."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from compression import COMBINED_METHODS, CONSTRAINED_METHODS, CONSTRAINTS, LOW_RANK_METHODS
from compression.pareto import Nearest, Wish
from pages.shared.format import (
    compare_sizes,
    format_change,
    format_count,
    format_interval,
    format_score,
    format_size,
)
from pages.shared.models.requests import Way
from pages.shared.models.results import CurveView, Trained
from pages.shared.models.text import bound_letter

from .results import (
    BATCHES,
    DENSE,
    EPOCHS,
    KILO,
    MICRO,
    POINT,
    REFERENCE,
    Measured,
    Series,
    architecture,
    kept_on_test,
    latency,
)

Line: TypeAlias = Mapping[str, Any] | pd.Series

SPARSE = "low_rank_plus_sparse"
COSTS = {"bytes": "File", "parameters": "Parameters", "macs": "MACs"}
TIMES = {latency(batch): f"Time for {batch}" for batch in BATCHES}
SCORES = {"test": "Test", "validation": "Validation"}
NOT_MEASURED = "Time is measured once the box's curve is there; until then the file's size counts."
ASK_LATENCY = (
    "Fewer MACs are not always less time. On request low rank at some twenty ranks and a "
    "constrained network are timed beside the reference; time then is a cost axis above too."
)
PLANE = (
    "The front and what stands out were chosen by validation score; the test part only reports. "
    "Bars are 95 % intervals (Wilson for accuracy, bootstrap for R²) of one training: they speak "
    "of the samples, not of other seeds. Click a point to load it; the lasso above the chart puts "
    "points into the comparison below, and into the link. The axis begins 20 points (0.2 of R²) below the reference: zoom out for all."
)
RANKED = (
    "Undominated among all that is smaller than the reference, chosen on the validation part; the "
    "test columns report. Changes are against the reference on the same test samples, with 95 % "
    "intervals: a score interval for paired proportions (Tango 1998), or a paired bootstrap for R²."
)
COMPARE = "Choose by name, or draw a lasso around points"
NEAREST = (
    "Each misses one part of the wish by the least and fulfils the others, where a model does. "
    "More methods can be computed below."
)
LATENCY = (
    "ONNX Runtime on one CPU thread, warmed up; all networks take turns in the same run, in a new "
    "order each round, so that whatever else the machine does meets them alike. Medians of 100 "
    "rounds with their 95 % intervals, on this machine. A constrained network is dense at run time: "
    "its zeros and pinned weights save bytes, not time. It runs the reference's own graph, so how "
    "far apart these two are is what cannot be told here, and counts as no difference."
)


def title(name: str) -> str:
    """A series' name; none holds a comma, which a link would lose."""
    if name in LOW_RANK_METHODS:
        return LOW_RANK_METHODS[name].title
    if name in TUNED:
        return f"{LOW_RANK_METHODS[TUNED[name]].title} + {EPOCHS} epochs"
    if name in CONSTRAINTS:
        return CONSTRAINTS[name].title
    if name in CONSTRAINED_METHODS:
        return f"Box by {CONSTRAINED_METHODS[name].title.lower()}"
    if name in COMBINED_METHODS:
        return COMBINED_METHODS[name].title.replace(",", "")
    return _TITLES[name]


TUNED = {f"{name}_tuned": name for name in ("truncated_svd", "activation_aware_svd")}
_TITLES = {
    "budgets": "Bytes shared among layers",
    "quantized": "Box in fewer bits",
    "fine_tuned": f"Reference + {EPOCHS} epochs",
}


def series(name: str, found: CurveView) -> Series:
    """What a job found, each row with its name and where it can be looked at."""
    table = found.table
    told = title(name)
    knobs = table["knob"].tolist()
    if name == "budgets":
        return Series(
            name,
            told,
            "low_rank",
            table,
            table["ranks"].tolist(),
            [f"{name}: {ranks}" for ranks in table["ranks"]],
            "pages/low_rank.py",
            [
                {"method": "truncated_svd", "share": True, "unit": "bytes", "budget": float(budget)}
                for budget in knobs
            ],
        )
    if name in LOW_RANK_METHODS or name in TUNED:
        method = TUNED.get(name, name)
        queries = [{"method": method, "rank": int(k)} for k in knobs]
        if name in TUNED:
            queries = [{**query, "methods": "tuned", "epochs": EPOCHS} for query in queries]
        linear = "linear" in LOW_RANK_METHODS[method].layers
        return Series(
            name,
            told,
            "low_rank",
            table,
            [f"rank {k:g}" for k in knobs],
            [architecture(int(k)) if linear else f"{name}: {k:g}" for k in knobs],
            "pages/low_rank.py" if name in TUNED else "pages/compare.py",
            queries,
        )
    if name in COMBINED_METHODS:
        pairs = list(zip(table["rank"], table["bound"], strict=True))
        sparse = name == SPARSE
        return Series(
            name,
            told,
            "combined",
            table,
            [
                f"rank {k:g} + {100 * c:g} % sparse" if sparse else f"rank {k:g}, ρ = {c:g}"
                for k, c in pairs
            ],
            [f"{name}: {k:g}" if sparse else architecture(int(k)) for k, _ in pairs],
            "pages/combine.py",
            [
                {
                    "together": name,
                    **({} if COMBINED_METHODS[name].constraint else {"set": "box"}),
                    "pair_epochs": EPOCHS,
                    "rank": int(k),
                    "bound": float(c),
                }
                for k, c in pairs
            ],
        )
    if name == "fine_tuned":
        queries: list[dict[str, Any]] = [{"set": "box", "bound": float(c)} for c in knobs]
        if found.knob == _OF_NETWORKS:
            queries = [
                {**query, "way": "projected_training", "passes": str(EPOCHS)} for query in queries
            ]
        page = "pages/constrained.py"
        return Series(name, told, "baseline", table, ["trained on"], [REFERENCE], page, queries)
    letter = bound_letter(found.knob)
    if letter == "c" and name == "cardinality":
        letter = "κ"
    texts = [f"{letter} = {c:.3g}" for c in knobs]
    queries = [{"set": "box" if name in WAYS else name, "bound": float(c)} for c in knobs]
    page = "pages/compare.py"
    if name in WAYS:
        page = "pages/constrained.py"
        queries = [{**query, **_way(name, found.knob != _OF_NETWORKS)} for query in queries]
    if name == "quantized":
        texts = [f"{text}, {bits} bits" for text, bits in zip(texts, table["bits"], strict=True)]
        queries = [
            {**query, "few_bits": True, "bits": int(bits)}
            for query, bits in zip(queries, table["bits"], strict=True)
        ]
    places = [DENSE] * len(table)
    return Series(name, told, "constrained", table, texts, places, page, queries)


_OF_NETWORKS = "relative bound"
WAYS: Mapping[str, Mapping[str, Any]] = {
    "refit": {},
    "learning_compression": {"epochs": EPOCHS, "first_mu": 0.1, "last_mu": 0.3},
    "quantized": {"epochs": EPOCHS},
}
"""What the constrained page is told of a way to the box that only it shows."""


def way(name: str, convex: bool) -> Way:
    """Of a convex model that page shows every way beside the optimum, as it comes."""
    settings = WAYS[name]
    penalties = None
    if "first_mu" in settings and not convex:
        penalties = settings["first_mu"], settings["last_mu"]
    return Way(name, settings.get("epochs", EPOCHS), penalties)


def _way(name: str, convex: bool) -> dict[str, Any]:
    """What the page's URL says of it."""
    if convex:
        return {} if name == "quantized" else {"ways": "all"}
    query = {"way": "projected_training" if name == "quantized" else name, **WAYS[name]}
    if "epochs" in query:
        query["passes"] = str(query.pop("epochs"))
    return query


def name(line: Line) -> str:
    """A choice's name: the method's without its formula, and the knob."""
    method = re.split(" (?=[|θ‖])", line["method"])[0]
    return method if line["family"] == "baseline" else f"{method}, {line['choice']}"


def short(line: Line) -> str:
    """A choice's name as a link has it: without the commas, at which a link would be cut."""
    return name(line).replace(",", "")


def renamed(asked: str) -> str:
    """What a choice is called now that a link of before calls by c, which was ρ, or by κ."""
    return re.sub(r" [cκ] = ", " ρ = ", asked)


def unknown(asked: str) -> str:
    return f"There is no choice {asked!r} among what was computed. Shown instead: the best one."


def too_many(lassoed: int, shown: int) -> str:
    return (
        f"The lasso holds {lassoed:,} choices. Compared are {shown} of them: those on the front, "
        "then the smallest."
    )


def cost(value: float, column: str) -> str:
    if column in TIMES:
        return f"{value:.3g} ms a call"
    if column == "bytes":
        return f"{format_size(value)} file"
    return f"{format_count(value)} {'MACs' if column == 'macs' else 'parameters'}"


def hover(line: Line, column: str, task: str) -> str:
    test = format_interval(line["score_low"], line["score_high"], task)
    if pd.isna(line[column]):
        return ""
    return (
        f"<b>{name(line)}</b><br>test {format_score(line['score'], task)} ({test})<br>"
        f"validation {format_score(line['validation_score'], task)}<br>{cost(line[column], column)}"
    )


def change(line: Line, task: str) -> str:
    if line["change_low"] == line["change_high"] == 0:
        return "no change"
    low, high = format_change(line["change_low"], task), format_change(line["change_high"], task)
    return f"{format_change(line['change'], task)} ({low} to {high})"


def loss(value: float, task: str) -> str:
    """An amount of score: "1 point", or "0.01 of R²"."""
    if task != "classification":
        return f"{value:g} of R²"
    amount = f"{value / POINT:g}"
    return f"{amount} point{'' if amount == '1' else 's'}"


def wish(asked: Wish, task: str) -> str:
    """What is asked for, in words; empty: nothing is."""
    parts = []
    if asked.loss is not None:
        parts.append(f"at most {loss(asked.loss, task)} lost on validation")
    if "bytes" in asked.at_most:
        parts.append(f"at most {asked.at_most['bytes'] / KILO:g} kB")
    if "macs" in asked.times_fewer:
        parts.append(f"at least {asked.times_fewer['macs']:g}× fewer MACs")
    return " and ".join(parts)


def answer(trained: Trained, line: Line, asked: Wish, column: str, judged: int) -> str:
    """The best choice in one paragraph."""
    task, told = trained.task, wish(asked, trained.task)
    best = "the best validation score of those that are smaller than the reference"
    superlative = best if asked.loss is None else _LEAST[column]
    first = f"Of {judged:,} models **{name(line)}** has {superlative}"
    if told:
        first += f" with {told}"
    test = format_interval(line["score_low"], line["score_high"], task)
    return (
        f"{first}. It has **{format_size(line['bytes'])}** ({compare_sizes(trained.bytes, line['bytes'])}) "
        f"and on the test set **{format_score(line['score'], task)}** ({test}), "
        f"{change(line, task)} against the reference. {sure(line, asked, task)}"
    )


_LEAST = {
    "bytes": "the smallest file",
    "parameters": "the fewest parameters",
    "macs": "the fewest MACs",
    **dict.fromkeys(TIMES, "the shortest time"),
}


def sure(line: Line, asked: Wish, task: str) -> str:
    """Whether the test part bears out what was chosen on validation."""
    if asked.loss is None:
        return ""
    limit = loss(asked.loss, task)
    return {
        "yes": f"The test set agrees: the whole interval lies within {limit}.",
        "no": f"**The test set disagrees**: the whole interval lies beyond {limit}.",
        "open": f"The test set leaves open whether more than {limit} is lost.",
    }[kept_on_test(line, asked.loss)]


def nothing(
    trained: Trained, asked: Wish, column: str, judged: int, found: Sequence[tuple[Nearest, Line]]
) -> str:
    """That no smaller model fulfils a wish, and what it takes to give way in one part."""
    told = [f"No compressed model {_SMALLER[column]}"]
    if asked.loss is not None:
        told.append(f"loses at most {loss(asked.loss, trained.task)} on validation")
    if "bytes" in asked.at_most:
        told.append(f"has at most {asked.at_most['bytes'] / KILO:g} kB")
    if "macs" in asked.times_fewer:
        told.append(f"has at least {asked.times_fewer['macs']:g}× fewer MACs")
    if not found:  # nothing is smaller, whatever is asked for
        return f"{told[0].rstrip(',')} ({judged:,} models were computed)."
    sentence = f"{' and '.join(told)} ({judged:,} models were computed)."
    lines = [f"{sentence} What comes nearest:"]
    for near, line in found:
        lines.append(f"- {_PARTS[near.column]}: {name(line)}, {_by(trained, near, line)}.")
    return "\n".join(lines)


_SMALLER = {
    "bytes": "is smaller than the reference",
    "parameters": "has fewer parameters than the reference, in a file that is no longer,",
    "macs": "has fewer MACs than the reference, in a file that is no longer,",
    **dict.fromkeys(TIMES, "takes less time than the reference, in a file that is no longer,"),
}
_PARTS = {"validation_score": "Score", "bytes": "Size", "macs": "MACs"}


def _by(trained: Trained, near: Nearest, line: Line) -> str:
    """What the nearest choice has where it misses the wish."""
    if near.column == "bytes":
        return f"{format_size(line['bytes'])}"
    if near.column == "macs":
        return f"{trained.macs / line['macs']:.2g}× fewer"
    short = format_change(line["validation_score"] - near.wished, trained.task)
    unit = " points" if trained.task == "classification" else " of R²"
    return f"{short}{unit} from what is asked for on validation"


def table(trained: Trained, rows: pd.DataFrame) -> pd.DataFrame:
    """What a table says of some choices, a line each."""
    task = trained.task
    return pd.DataFrame(
        {
            "choice": [name(line) for _, line in rows.iterrows()],
            "open": [BUTTONS.get(page) for page in rows["page"]],
            "validation": [format_score(value, task) for value in rows["validation_score"]],
            "test (95 %)": [
                f"{format_score(line['score'], task)} "
                f"({format_interval(line['score_low'], line['score_high'], task)})"
                for _, line in rows.iterrows()
            ],
            "change on test": [change(line, task) for _, line in rows.iterrows()],
            "file": [
                f"{format_size(value)} · {compare_sizes(trained.bytes, value)}"
                for value in rows["bytes"]
            ],
            "MACs": [compare_sizes(trained.macs, value) for value in rows["macs"]],
            "parameters": [format_count(value) for value in rows["parameters"]],
        }
    )


def constraint_of(name: str) -> str:
    """The set that a combined method is shown with."""
    return COMBINED_METHODS[name].constraint or "box"


PAGES = {
    "pages/compare.py": "Compare",
    "pages/combine.py": "Combine",
    "pages/low_rank.py": "Low rank",
    "pages/constrained.py": "Constrained",
    "pages/train.py": "Train",
}
BUTTONS = {page: f":material/tune: {title}" for page, title in PAGES.items()}


def raw(rows: pd.DataFrame) -> pd.DataFrame:
    """The numbers themselves, for a file."""
    told = ["method", "choice", "family"]
    numbers = [c for c in rows if pd.api.types.is_numeric_dtype(rows[c]) and c != "place"]
    return rows[[*told, *numbers]]


def file_name(trained: Trained, line: Line) -> str:
    text = (
        f"{line['series']}-{line['choice']}".replace("ρ", "rho")
        .replace(" = ", "-")
        .replace("%", "percent")
    )
    kept = "".join(c if c.isalnum() or c in "-._" else "-" for c in text)
    return f"{trained.dataset}-{trained.model}-{kept}.safetensors"


def of_figures(trained: Trained, names: Iterable[str]) -> tuple[str, str]:
    """The name of the file with the page's figures, and what they were made from."""
    origin = f"{trained.dataset}, {trained.model}, seed {trained.seed}"
    return f"{trained.dataset}-{trained.model}-decide", f"{origin}: {', '.join(map(title, names))}."


def waiting(names: Sequence[str]) -> str:
    return f"Waiting for their turn: {', '.join(map(title, names))}."


def break_even(measured: Measured) -> str:
    """Where low rank is faster, measured and counted."""
    ends = measured.break_even
    if not ends:
        return "No rank makes a layer of this model smaller: there is nothing to measure but dense."
    counted = next(rank for (_, kind), rank in ends.items() if kind == "counted")
    found = [
        f"{_rank(rank)} with batch {batch}"
        for (batch, kind), rank in ends.items()
        if kind == "measured"
    ]
    return (
        f"By its MACs low rank is faster {_rank(counted)}; measured, "
        f"{' and '.join(found)} (of {measured.ranks['rank'].nunique()} ranks that were timed)."
    )


def _rank(rank: float | None) -> str:
    return "at **no rank**" if rank is None else f"up to rank **{rank:g}**"


def latencies(measured: Measured) -> pd.DataFrame:
    """Median time of a call and its interval, for each network and batch; dense ones first."""
    lines: dict[str, dict[str, str]] = {name: {} for name in _ARCHITECTURES.values()}
    for _, line in measured.table.iterrows():
        middle, low, high = (
            f"{MICRO * line[name]:.3g}" for name in ("latency", "latency_low", "latency_high")
        )
        of = lines.setdefault(_ARCHITECTURES.get(line["model"], line["model"]), {})
        of[f"batch {line['batch']} (µs)"] = f"{middle} ({low}–{high})"
    return pd.DataFrame(lines).T.rename_axis("network").reset_index()


_ARCHITECTURES = {REFERENCE: "Reference", DENSE: "Constrained (dense)"}
