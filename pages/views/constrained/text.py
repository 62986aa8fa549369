"""Sentences, labels and columns of the constrained page."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from compression import CONSTRAINED_METHODS, CONSTRAINTS, SOLVERS
from compression.constrained.convex.results import Race, Trajectories
from compression.constrained.weight_history import LayerHistory
from compression.weight_states import FREE, LOWER, UPPER, ZERO
from pages.shared.format import format_score, score_name
from pages.shared.links import FROM_REFERENCE
from pages.shared.models.constrained_tasks import PATH
from pages.shared.models.requests import Way
from pages.shared.models.results import TrainedReference
from pages.shared.models.text import file_stem, format_epochs, name_reference

_SECTIONS = {  # anchor -> title, in the order of the screen
    "which-bound": "Which bound?",
    "weights": "Which weights are held?",
    "path": "As the bound tightens",
    "ways": "Other ways",
    "disk": "On disk",
}
_OF_CONVEX = {"plane": "Where the bound meets the loss", "race": "All solvers"}
_OF_NETWORKS = {"layer-bounds": "A bound for each layer"}

EPOCHS = ("1", "3", "10", "30")
STARTS = {"before": "The bound before", FROM_REFERENCE: "The reference"}
STARTS_HELP = (
    "The bound before: a path, on which the tightest bound has the epochs of all larger ones behind "
    "it. The reference: every bound has the same epochs, as on Decide."
)
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
PARTS = ("train", "validation", "test")  # whose loss is drawn
COMPARED = {"baselines": "With the baselines", "all": "All ways"}

CERTIFIED_BY = "Checked by code that no solver shares."
CERTIFICATE_TERMS = ("certificate", "gap", "KKT residual", "multiplier")
HELD = (
    "Box and upper bound: a held weight stands at its layer's bound and needs no number in the file, only its "
    "state. L1 ball and cardinality hold weights at zero. L2 holds none."
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
    "what a method adds. As a path bounds are met from the largest to the smallest. Click a point of the "
    "first to move the slider."
)
REFIT = (
    "Each layer aims at the reference's outputs, behind the layers that are refitted already, in "
    "squared error. That is not a classifier's score: at tight bounds plain projection can score "
    "higher, where it keeps the order of the outputs though it loses their size."
)
PENALTY = (
    "Each bound is given as many rounds as there are epochs, at these penalties: small μ lets the "
    "weights learn, large μ draws them to the bound. At equal epochs, each bound from the reference "
    "(digits and a multilayer perceptron, mean test error of 5 seeds at 10, 30 and 100 epochs, "
    "`python -m benchmarks constrained_networks`), learning–compression is ahead of projections in a "
    "box at 10 epochs, level at 30 and 5 points behind at 100 (ρ = 0.1: 15.0, 22.6 and 29.2 % against "
    "24.8, 23.8 and 24.2). Of a count it is behind, and level from 100 epochs at a κ of 8 % (52.5, 14.6 "
    "and 3.4 % against 7.2, 3.9 and 3.0), not yet at 4 % (8.4 against 4.9 at 100). Under an L1 ball it "
    "has one to three points more (ρ = 0.3: 5.0, 4.2 and 2.8 % against 1.9, 2.1 and "
    "1.9), in a file of about half the length. With a low rank alone (rank 5, 8 % of the weights) it is behind "
    "truncation that is trained on, and level from 100 epochs (47.1, 9.3 and 5.9 % against 11.6, 7.2 "
    "and 6.2); at rank 3 it is 16 points behind at 100."
)
STORED = (
    "Bytes are those of the file as it is written. Free weights are kept as codes of b bits "
    "between the layer's bounds; pinned and zero weights stay as they are. Allowed is what loses at most a point "
    "(0.01 of R²) on the validation part against the same network with the bits off. Every page has "
    "one grid per layer; a grid for each channel, a zero point and calibration rows are for networks "
    "without bounds and in Python only (`compression.quantize`)."
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
NO_OUTLINE = "No outline is known of this set: what it allows is not drawn."
MANY_OPTIMA = "Softmax can have more than one optimum: the ways need not end at the same point."


def list_sections(convex: bool) -> dict[str, str]:
    """Anchor -> title of the page's sections."""
    return _SECTIONS | (_OF_CONVEX if convex else _OF_NETWORKS)


def title_ways() -> dict[str, str]:
    """The ways to a bound that a menu offers: name -> title."""
    return {name: entry.title for name, entry in CONSTRAINED_METHODS.items() if entry.keeps_bound}


def title_solvers() -> dict[str, str]:
    """Name -> title; without commas, which a URL cannot hold."""
    titles = {name: entry.title.replace(", ", " and ") for name, entry in SOLVERS.items()}
    return {PATH: "Path: all bounds in one go", **titles}


def rule_out_solvers(
    reasons: Mapping[str, str | None], rows: int, outputs: int, convex: bool
) -> dict[str, str | None]:
    """Solver -> None, or why it is not offered for a whole curve.

    ``reasons``: why it does not fit the loss and the set; ``convex``: of the set.
    """
    obstacles = dict(reasons)
    for name, reason in reasons.items():
        if reason is None and not convex:
            obstacles[name] = "without a certificate it would not know when to stop"
        elif reason is None and rows * outputs > SOLVERS[name].largest_curve:
            obstacles[name] = (
                "takes a minute or more for each bound of this problem: let it race at one "
                "bound below"
            )
    return obstacles


def explain_missing_solvers(reasons: Mapping[str, str | None]) -> str:
    """What to say beside a menu that leaves some solvers out."""
    titles = title_solvers()
    left_out = [f"- {titles[name]}: {why}" for name, why in reasons.items() if why]
    text = "On a convex problem every solver ends at the same optimum; the race below shows how."
    return "\n".join([text, "", "Not offered here:", "", *left_out]) if left_out else text


def describe_certificate(fact: pd.Series, convex: bool) -> tuple[str, str]:
    """What is certified of one row of a convex model: ("success" | "info" | "warning", words).

    ``convex``: of the set.
    """
    if not convex:
        reached = (
            "a point that projected gradient steps no longer leave (exchanges of one weight for "
            "another are tried with squared loss only), and another choice of weights may fit better"
        )
        if fact["swap_optimal"]:
            reached = (
                "a choice of weights in which no exchange of one for another lowers the loss; an "
                "exchange of several at once may"
            )
        return "info", (
            f"**No certificate.** The set is not convex: what is shown is {reached}. Its training "
            f"loss is {fact['objective']:.5g}."
        )
    gap, residual = fact["duality_gap"], fact["kkt_residual"]
    if not fact["certified"]:
        reached = f"gap {gap:.1e}" if math.isfinite(gap) else f"KKT residual {residual:.1e}"
        return "warning", (
            f"**Not certified**: {reached} reached, training loss {fact['objective']:.5g}. "
            f"{fact['status'].capitalize()}."
        )
    within = f"within {format_tiny(gap)} of the optimum by its duality gap"
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


def format_duration(seconds: float) -> str:
    """In seconds or milliseconds, so that a moment is not 0."""
    if seconds < 0.1:
        return f"{1000 * seconds:.3g} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"


def format_short(value: float) -> str:
    """Two digits, with as few of an exponent as will do."""
    return f"{value:.2g}".replace("e-0", "e-")


def format_tiny(value: float) -> str:
    return "1e-16" if value < 1e-16 else f"{value:.0e}".replace("e-0", "e-")


def describe_states(rows: LayerHistory, row: int, letter: str) -> str:
    """How many of a layer's weights the bound holds; ``letter``: of the layer's bound."""
    counts = rows.state_counts[row]
    total = int(counts.sum())
    edge, zero = int(counts[LOWER] + counts[UPPER]), int(counts[ZERO])
    bound = f"{letter} = {rows.bounds[row]:.3g}" if math.isfinite(rows.bounds[row]) else "no bound"
    return (
        f"**{rows.name}**, {bound}: {edge:,} of {total:,} weights pinned at the bound, {zero:,} "
        f"zero, **{int(counts[FREE]):,} free** ({100 * counts[FREE] / total:.0f} %)."
    )


def name_weights(
    feature_names: Sequence[str], inputs: int, outputs: int, class_names: Sequence[str]
) -> list[list[str]]:
    """Every weight by output and input, without commas; features are named where that is known."""
    features = [str(name).replace(", ", " ").replace(",", " ") for name in feature_names]
    if len(features) != inputs:
        features = [f"input {n}" for n in range(1, inputs + 1)]
    if outputs == 1:
        return [features]
    classes = class_names if len(class_names) == outputs else range(1, outputs + 1)
    return [[f"{feature} → {name}" for feature in features] for name in classes]


def name_loss_unit(task: str) -> str:
    return "nats" if task == "classification" else "½ squared error"


def title_way(way: Way) -> str:
    """A way's name as the catalogue has it, with its epochs where it trains.

    On a path they are those of each bound, which goes on from the one before: a row has the sum.
    """
    if way.name not in CONSTRAINED_METHODS:
        return "Optimum"
    entry = CONSTRAINED_METHODS[way.name]
    if not entry.trains:
        return entry.title
    return f"{entry.title}{format_epochs(way.epochs)}{' per bound' if way.warm_start else ''}"


def describe_trail(count: int, exact: bool) -> str:
    """How a path of weights was found; ``count``: its breakpoints, or bounds."""
    if exact:
        return f"Exact: {count} breakpoints, straight lines between them."
    return (
        f"No exact path is known for this loss and set: a grid of {count} bounds, each solved from "
        "its neighbour, straight lines between them."
    )


def describe_bits(line: pd.Series, off: pd.Series, allowed: int, letter: str) -> str:
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
        f"{int(off['bytes']):,}; step {format_short(line['step'])}, rounding "
        f"{format_short(line['rounding_error'])} (at most {format_short(line['largest_rounding_error'])}), "
        f"beside {format_short(line['clipping_error'])} that the bound "
        f"cuts off the reference (root mean squares, in units of the weights). {said}"
    )


def describe_plane(
    trajectories: Trajectories | None, row: int, task: str, has_outline: bool
) -> str:
    """What is drawn in the plane of two weights, and what of it is not computed yet."""
    softmax = task == "classification"
    lines = [PLANE.format(" and the intercepts" if softmax else "")]
    if not has_outline:
        lines.append(NO_OUTLINE)
    if softmax:
        lines.append(MANY_OPTIMA)
    if trajectories is None:
        return " ".join([*lines, "The solvers' ways are not there yet."])
    titles = title_solvers()
    missing = [
        titles[name] for name, iterates in trajectories.weights.items() if iterates[row] is None
    ]
    stopped = [
        titles[name]
        for name, ends in trajectories.ends.items()
        if row in ends and not ends[row].certified
    ]
    lines.append(
        f"Of each way at most {trajectories.max_iterates} iterates are drawn, the later ones "
        "thinned."
    )
    if missing:
        lines.append(f"Not there yet: {', '.join(missing)}.")
    if stopped:
        lines.append(
            f"Stopped after {trajectories.max_seconds:g} s, short of the optimum: "
            f"{', '.join(stopped)}."
        )
    return " ".join(lines)


def name_file(trained: TrainedReference, constraint: str, way: str) -> str:
    """Of the file with the page's figures."""
    return f"{file_stem(trained)}-{constraint}-{way}"


def describe_choices(trained: TrainedReference, constraint: str, way: str) -> str:
    """What the page's figures were made from."""
    by = title_solvers()[way] if trained.convex else CONSTRAINED_METHODS[way].title
    return f"{name_reference(trained)}; weights in the {CONSTRAINTS[constraint].title}; {by}."


def describe_held(rows: LayerHistory, row: int, letter: str) -> str:
    """How many of a layer's weights are held at its bound, in words without marks."""
    return describe_states(rows, row, letter).replace("**", "").rstrip(".")


def describe_prices(table: pd.DataFrame, where: str) -> str:
    """How many bounds cost something, and the dearest; ``table``: the dearest first."""
    dearest = table.iloc[0]
    return (
        f"Largest multipliers at {where}: {len(table):,} bounds cost something, most "
        f"{dearest['bound']} of {dearest['weight']}, {dearest['price']:.3g}"
    )


def describe_shares(line: pd.Series, where: str) -> str:
    parts = (f"{100 * line[name]:.1f} % {name}" for name in ("pinned", "zero", "free"))
    return f"What becomes of the weights as the bound moves: at {where} {', '.join(parts)}"


def describe_free(layers: Mapping[str, LayerHistory], row: int, where: str) -> str:
    shares = (
        f"{name} {100 * history.state_counts[row, FREE] / history.state_counts[row].sum():.1f} %"
        for name, history in layers.items()
    )
    return f"Free weights of each layer as the bound moves: at {where} {', '.join(shares)}"


def describe_losses(line: pd.Series, reference: pd.Series, where: str, unit: str) -> str:
    parts = (f"{name} {line[f'{name}_loss']:.3g}" for name in PARTS)
    return (
        f"Loss as the bound moves, in {unit}: at {where} {', '.join(parts)}; the reference's "
        f"training loss {reference['train_loss']:.3g}"
    )


def describe_ways(rows: Mapping[str, pd.Series], axis: str, near: str, task: str) -> str:
    """What each way scores near a bound; ``axis``: what the scores are drawn against."""
    scores = (f"{title} {format_score(line['score'], task)}" for title, line in rows.items())
    return f"{score_name(task)} against {axis}, near {near}: {', '.join(scores)}"


def describe_moves(line: pd.Series, largest: pd.Series, task: str, where: str) -> str:
    """What the bound does to the weights and to the loss, against the largest bound.

    ``line``, ``largest``: rows of a constrained curve; ``where``: the bound in words.
    """
    start = f"At {where}, **{100 * line['free']:.0f} %** of the weights are free"
    losses = (
        f"{line['train_loss']:.3g} on training rows",
        f"{line['validation_loss']:.3g} on validation rows",
    )
    loss = f"the loss ({name_loss_unit(task)}) is {' and '.join(losses)}"
    if line["knob"] == largest["knob"]:
        return f"{start} and {loss}: this is the largest bound."
    return (
        f"{start} and {loss}; at the largest bound {100 * largest['free']:.0f} % are free, and it "
        f"is {largest['train_loss']:.3g} and {largest['validation_loss']:.3g}."
    )


def answer_race(race: Race, where: str) -> str:
    """Whether the solvers that have run end at one optimum, and which is there first."""
    titles, table = title_solvers(), race.table
    done = table[table["status"] == "certified"]
    if done.empty:
        return f"**No solver is certified** at {where} within its time."
    fastest = done.loc[done["seconds"].idxmin()]
    first = (
        f"**{titles[fastest['solver']]}** is there first, in {format_duration(fastest['seconds'])}."
    )
    short = [titles[name] for name in table["solver"] if name not in set(done["solver"])]
    if short:
        left = f" Not certified within their time: {', '.join(short)}."
        return f"**{len(done)} of {len(table)} solvers** are certified at {where}; {first}{left}"
    apart = format_tiny(table["objective"].max() - table["objective"].min())
    return (
        f"**Yes**: all {len(table)} solvers are certified at {where}, and their objectives lie "
        f"within some {apart} of each other; {first}"
    )


def answer_before_race(facts: pd.DataFrame | None) -> str:
    """What the certificates of a curve's bounds say of any solver; empty: nothing is certified."""
    if facts is None or not facts["certified"].any():
        return ""
    rows = facts[facts["certified"]]
    gaps = rows["duality_gap"]
    many = f"**{len(rows)} of {len(facts)} bounds**"
    if not gaps.map(math.isfinite).all():
        return f"They have to: at {many} the optimum is certified by its KKT residual."
    return (
        f"They have to: at {many} the optimum is certified, and no solver can end lower by more "
        f"than some {format_tiny(gaps.max())}. How long each takes the race shows."
    )


def describe_tracks(race: Race, where: str, clock: str) -> str:
    """How far above the best lower bound each solver ended."""
    titles = title_solvers()
    ends = (
        f"{titles[name]} {format_tiny(max(track['above'].iloc[-1], 0.0))}"
        for name, track in race.tracks.items()
    )
    return (
        f"Objective above the best lower bound at {where} by {clock}, at the end: {', '.join(ends)}"
    )
