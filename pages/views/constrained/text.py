"""Sentences, labels and columns of the constrained page."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from compression import CONSTRAINED_METHODS, CONSTRAINTS, SOLVERS
from compression.weight_states import FREE, LOWER, UPPER, ZERO
from pages.shared.format import format_interval, format_score
from pages.shared.models.constrained_tasks import PATH
from pages.shared.models.results import LayerRows, Trained

from .results import Runs

EPOCHS = ("1", "3", "10", "30")
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
COMPARED = {"baselines": "With the baselines", "all": "All ways"}
BITS = (*range(2, 17), 32)
LARGEST_PROGRAMME = 5000  # rows x outputs that an interior point solves 40 times in a minute or so

HELD = (
    "Box and upper bound: a held weight stands at its layer's bound and needs no number in the file, only its "
    "state. L1 ball and cardinality hold weights at zero. L2 holds none."
)
SHARES = (
    "Pinned and zero weights are entries of a state map of one or two bits; only free weights "
    "are stored as numbers."
)
NO_PRICES = (
    "One number for the whole ball: its multiplier λ, the price of the bound that is given above. "
    "Single weights have no bound of their own."
)
LAYERS = (
    "Each layer's own problem is convex: its outputs, kept as near to the reference's as the bound "
    "allows. Lost and gap are shares of the variance of the layer's outputs; no certificate for "
    "cardinality."
)
WAYS = (
    "All ways are given the same bounds and, where they train, the same epochs for each. Fine-tuning "
    "is trained on without any bound, projection only is not trained: what lies between them is "
    "what a method adds. Bounds are met from the largest to the smallest. Click a point of the "
    "first to move the slider."
)
REFIT = (
    "Each layer aims at the reference's outputs, behind the layers that are refitted already, in "
    "squared error. That is not a classifier's score: at tight bounds plain projection can score "
    "higher, where it keeps the order of the outputs though it loses their size."
)
PENALTY = (
    "Each bound is given as many rounds as there are epochs, at these penalties: small μ lets the "
    "weights learn, large μ draws them to the bound."
)
STORED = (
    "Bytes are those of the file as it is written. Free weights are kept as codes of b bits "
    "between the layer's bounds; pinned and zero weights stay as they are. Allowed is what loses at most a point "
    "(0.01 of R²) on the validation part against the same network with the bits off."
)
OWN = (
    "Each layer's relative bound ρ is the share of the bound that just holds its reference weight: "
    "at 1 it costs nothing. This one network goes from the reference straight to its bounds; on the curve "
    "each bound goes on from the larger ones before it, and has been trained for longer by then."
)
RACE = (
    "All solvers start from the zero model and are judged by the same certificate, outside their "
    "own time. The lower bound is the best that any of them certified. Each may take 30 s."
)
PLANE = (
    "The other weights{} stand at this bound's optimum. The optimum of a bound that costs "
    "something is where what is allowed and what would be less loss touch. Solvers move all "
    "weights at once: what is drawn is the shadow of their ways, from the zero model on, and it "
    "may cross the set's edge, which is that of this plane only."
)
MANY_OPTIMA = "Softmax can have more than one optimum: the ways need not end at the same point."


def ways(convex: bool) -> dict[str, str]:
    """The ways to a bound that a menu offers: name -> title."""
    return {
        name: entry.title
        for name, entry in CONSTRAINED_METHODS.items()
        if name != "fine_tuning" or convex
    }


def solvers() -> dict[str, str]:
    """Name -> title; without commas, which a URL cannot hold."""
    titles = {name: entry.title.replace(", ", " and ") for name, entry in SOLVERS.items()}
    return {PATH: "Path: all bounds in one go", **titles}


def solver_reasons(
    reasons: Mapping[str, str | None], rows: int, outputs: int
) -> dict[str, str | None]:
    """Solver -> None, or why it is not offered for a whole curve."""
    found = dict(reasons)
    if found.get("cvxpy", "") is None and rows * outputs > LARGEST_PROGRAMME:
        found["cvxpy"] = (
            "takes a minute or more for each bound of this problem: let it race at one bound below"
        )
    return found


def not_offered(reasons: Mapping[str, str | None]) -> str:
    """What to say beside a menu that leaves some solvers out."""
    titles = solvers()
    left_out = [f"- {titles[name]}: {why}" for name, why in reasons.items() if why]
    text = "On a convex problem every solver ends at the same optimum; the race below shows how."
    return "\n".join([text, "", "Not offered here:", "", *left_out]) if left_out else text


def certificate(fact: pd.Series, constraint: str) -> tuple[str, str]:
    """What is certified of one row of a convex model: ("success" | "info" | "warning", words)."""
    if constraint == "cardinality":
        return "info", (
            "**No certificate.** The set is not convex: what is shown is a point that projected "
            "gradient steps no longer leave, and another choice of κ weights may fit better. Its "
            f"training loss is {fact['objective']:.5g}."
        )
    gap, residual = fact["duality_gap"], fact["kkt_residual"]
    if not fact["certified"]:
        reached = f"gap {gap:.1e}" if math.isfinite(gap) else f"KKT residual {residual:.1e}"
        return "warning", (
            f"**Not certified**: {reached} reached, training loss {fact['objective']:.5g}. "
            f"{fact['status'].capitalize()}."
        )
    within = f"within {tiny(gap)} of the optimum by its duality gap"
    if not math.isfinite(gap):
        within = "optimal by its KKT residual; this set is not bounded, so there is no duality gap"
    numbers = f"{within} (training loss {fact['objective']:.5g}, KKT residual {residual:.1e})"
    if fact["inactive"]:
        return "success", (
            f"**Inactive**: this bound costs nothing, the solution is the unconstrained one; {numbers}."
        )
    return "success", (
        f"**Certified**: {numbers}. One more unit of c would take **{fact['price']:.3g}** off the loss."
    )


def duration(seconds: float) -> str:
    """In seconds or milliseconds, so that a moment is not 0."""
    if seconds < 0.1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def short(value: float) -> str:
    """Two digits, with as few of an exponent as will do."""
    return f"{value:.2g}".replace("e-0", "e-")


def tiny(value: float) -> str:
    return "1e-16" if value < 1e-16 else f"{value:.0e}".replace("e-0", "e-")


def held(rows: LayerRows, row: int, letter: str) -> str:
    """How many of a layer's weights the bound holds; ``letter``: of the layer's bound."""
    counts = rows.held_counts[row]
    total = int(counts.sum())
    edge, zero = int(counts[LOWER] + counts[UPPER]), int(counts[ZERO])
    bound = f"{letter} = {rows.bounds[row]:.3g}" if math.isfinite(rows.bounds[row]) else "no bound"
    return (
        f"**{rows.name}**, {bound}: {edge:,} of {total:,} weights pinned at the bound, {zero:,} "
        f"zero, **{int(counts[FREE]):,} free** ({100 * counts[FREE] / total:.0f} %)."
    )


def weight_names(
    feature_names: Sequence[str], inputs: int, outputs: int, class_names: Sequence[str]
) -> list[list[str]]:
    """Every weight by output and input, without commas; features are named where that is known."""
    own = [str(name).replace(", ", " ").replace(",", " ") for name in feature_names]
    if len(own) != inputs:
        own = [f"input {n}" for n in range(1, inputs + 1)]
    if outputs == 1:
        return [own]
    classes = class_names if len(class_names) == outputs else range(1, outputs + 1)
    return [[f"{feature} → {name}" for feature in own] for name in classes]


def prices(multipliers: NDArray, weights: NDArray, names: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Every bound that costs something, the dearest first: weight, bound, price."""
    flat = multipliers.ravel()
    order = np.argsort(-flat, kind="stable")
    order = order[flat[order] > 0]
    every = [name for line in names for name in line]
    return pd.DataFrame(
        {
            "weight": [every[n] for n in order],
            "bound": np.where(weights.ravel()[order] > 0, "+c", "−c"),
            "price": flat[order],
        }
    )


def shown_prices(table: pd.DataFrame) -> pd.DataFrame:
    """For people: as many decimals in every line as give the dearest four digits."""
    decimals = max(0, 3 - math.floor(math.log10(table["price"].max())))
    return table.assign(price=[f"{price:.{decimals}f}" for price in table["price"]])


def race_bounds(values: Sequence[float]) -> dict[str, float]:
    """The bounds that a race can be held at, by what a menu and a URL show."""
    return {f"{value:.6g}": float(value) for value in values}


def loss_unit(task: str) -> str:
    return "nats" if task == "classification" else "½ squared error"


def way_title(way: str, convex: bool, epochs: int) -> str:
    """A way's name as the catalogue has it, with its epochs where it trains."""
    if way == PATH or way in SOLVERS:
        return "Optimum"
    title = CONSTRAINED_METHODS[way].title
    if way in ("clip", "refit"):
        return title
    return f"{title}, {epochs} epoch{'s' if epochs > 1 else ''}"


def numbers(line: pd.Series, task: str) -> dict[str, object]:
    """What a table says of one constrained network."""
    return {
        "validation": format_score(line["validation_score"], task),
        "test": format_score(line["score"], task),
        "95 % interval": format_interval(line["score_low"], line["score_high"], task),
        "parameters": int(line["parameters"]),
        "bytes": int(line["bytes"]),
        "free": f"{100 * line['free']:.0f} %",
    }


def stored(line: pd.Series, off: pd.Series, allowed: int, letter: str) -> str:
    """What this many bits do to the file and to the weights."""
    bits = int(line["bits"])
    said = f"The fewest bits that lose at most a point here: **{'off' if allowed == 32 else allowed}**."
    if bits == 32:
        return (
            f"At {letter} = {line['bound']:.3g}, bits off: **{int(line['bytes']):,} bytes**, free weights "
            f"as 32-bit numbers. {said}"
        )
    return (
        f"At {letter} = {line['bound']:.3g}: **{int(line['bytes']):,} bytes** instead of "
        f"{int(off['bytes']):,}; step {short(line['step'])}, rounding "
        f"{short(line['rounding_error'])} (at most {short(line['largest_rounding_error'])}), "
        f"beside {short(line['clipping_error'])} that the bound "
        f"cuts off the reference (root mean squares, in units of the weights). {said}"
    )


def layers_certified(own: pd.DataFrame) -> pd.DataFrame:
    """One bound's layers as a table for people."""
    return pd.DataFrame(
        {
            "layer": own["layer"],
            "outputs lost (%)": 100 * own["error"],
            "gap (%)": 100 * own["duality_gap"],
            "KKT residual": own["kkt_residual"],
        }
    )


def race(table: pd.DataFrame) -> pd.DataFrame:
    """The end of a race as a table for people."""
    titles = solvers()
    return pd.DataFrame(
        {
            "solver": [titles[name] for name in table["solver"]],
            # The gap has a column of its own.
            "status": [status.rpartition("reached, ")[2] for status in table["status"]],
            "objective": table["objective"],
            "duality gap": table["duality_gap"],
            "KKT residual": table["kkt_residual"],
            "iterations": table["iterations"],
            "time": [duration(seconds) for seconds in table["seconds"]],
            "pinned (%)": 100 * table["pinned"],
        }
    )


def plane(found: Runs | None, row: int, task: str) -> str:
    """What is drawn in the plane of two weights, and what of it is not there yet."""
    softmax = task == "classification"
    lines = [PLANE.format(" and the intercepts" if softmax else "")]
    if softmax:
        lines.append(MANY_OPTIMA)
    if found is None:
        return " ".join([*lines, "The solvers' ways are not there yet."])
    titles = solvers()
    missing = [titles[solver] for solver, own in found.weights.items() if own[row] is None]
    stopped = [
        titles[solver]
        for solver, ends in found.ends.items()
        if row in ends and not ends[row].certified
    ]
    lines.append(f"Of each way at most {found.kept} iterates are drawn, the later ones thinned.")
    if missing:
        lines.append(f"Not there yet: {', '.join(missing)}.")
    if stopped:
        lines.append(
            f"Stopped after {found.seconds:g} s, short of the optimum: {', '.join(stopped)}."
        )
    return " ".join(lines)


def name(trained: Trained, constraint: str, way: str) -> str:
    """Of the file with the page's figures."""
    return f"{trained.dataset}-{trained.model}-{constraint}-{way}"


def made_from(trained: Trained, constraint: str, way: str) -> str:
    """What the page's figures were made from."""
    by = solvers()[way] if trained.convex else CONSTRAINED_METHODS[way].title
    return (
        f"{trained.dataset}, {trained.model}, seed {trained.seed}; weights in the "
        f"{CONSTRAINTS[constraint].title}; {by}."
    )
