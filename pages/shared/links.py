"""Every URL parameter by name, and one function a page that gives a link to it.

A parameter's name is the key of the widget bound to it, so that a link reproduces the picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Every page
DATASET, MODEL, SEED = "dataset", "model", "seed"
TRAIN_EPOCHS, WIDTH, LEARNING_RATE = "train_epochs", "width", "learning_rate"
# Several pages
LAYER, METHOD, CONSTRAINT, RANK, BOUND, COST = "layer", "method", "set", "rank", "bound", "cost"
COURSE = "course"  # equal epochs or a path, on Combine and Decide
AS_PATH = "path"  # a value of COURSE
FROM_REFERENCE = "reference"  # a value of STARTS
# Compare
TIE, DIFFERENCES, ANIMATION, BASELINES = "tie", "differences", "scrub", "baselines"
WHOLE_AXIS, TOUR, EXERCISE, GUESS = "whole", "tour", "exercise", "guess"
SIDES = "sides"  # how the two sides are trained on: as a path, or for equal epochs
EQUAL = "equal"  # a value of SIDES, and of COURSE
VISIT = "visit"  # the name under which pins and undo are kept
ALL, ROUNDING, IN_FEW_BITS = "all", "rounding", "few_bits"  # values of BASELINES
BITS_BEHIND = "one_b"  # bits of both sides' curves in few bits, on Compare
# How it works
EXAMPLE_RANK, EXAMPLE_BOUND, STATEMENTS = "example_rank", "example_bound", "statements"
# Low rank
LAYER_KINDS, CALIBRATION, RIDGE, SPECTRUM_SCALE = "layers", "calibration", "ridge", "scale"
METHODS, AGAINST, EPOCHS, FOLDS = "methods", "against", "epochs", "folds"
SHARE, UNIT, BUDGET, BUDGET_EPOCHS = "share", "unit", "budget", "budget_epochs"
# Constrained
WAY, WAY_EPOCHS, SOLVER, FIRST_MU, LAST_MU = "way", "passes", "solver", "first_mu", "last_mu"
STARTS = "starts"  # what each bound starts from
WAYS, BOUND_AGAINST, FEW_BITS, BITS = "ways", "bound_against", "few_bits", "bits"
RACE, RACE_BOUND, PLANE, ACROSS, UP = "race", "race_at", "plane", "across", "up"
OWN_BOUNDS, LAYER_BOUND = "own_bounds", "bound_{}"  # one parameter per layer, by its name
# Combine
COMBINED_METHOD, PAIR_EPOCHS, PAIRS_IN_FEW_BITS = "together", "pair_epochs", "pairs_in_few_bits"
# Decide
POINTS_LOST, MAX_KILOBYTES, FEWER_MACS, SMALLEST_IN = "lose", "kb", "fewer", "by"
MORE_SERIES, SCORE_PART, COMPARED, CHOICE, MEASURE = "more", "part", "compare", "choice", "measure"
# Studies
STUDY_DATASETS, STUDY_MODELS, SEEDS, STUDY_CURVES = "on", "of", "seeds", "curves"
STUDY_PAIR, STUDY_SHARE, STUDY_AGAINST = "pair", "size", "than"
STUDY_SOURCE, STUDY_PART, STUDY_FOLDS, STUDY_VARY = "study", "atlas_part", "in_folds", "vary"
STUDY_EPOCHS, STUDY_SIZES, STUDY_DRAWN = "reference_epochs", "sizes", "drawn"
STUDY_VALUES = "values_{}"  # one parameter per curve, by its method or set
STUDY_BITS, STUDY_CURVE_EPOCHS = "rows_in_bits", "epochs_after"
KEPT, EVERY_ROW, UNTHINNED = "kept", "rows", "all_rows"
# Atlas
ATLAS_CELL, ATLAS_SIZE = "cell", "atlas_size"
ATLAS_HERE, ATLAS_SEEDS = "here", "atlas_seeds"  # the cell computed here, with how many seeds
# Your model
WEIGHT, ENERGY, KEEP, JUDGED_ON, READING = "weight", "energy", "keep", "judged_on", "reading"
HEAD_SET, HEAD_BOUND, TIMED = "head_set", "head_bound", "timed"
ALL_BOUND, BOUND_BITS, REFITTED = "all_bound", "bound_bits", "refit_all"
FILE_METHOD, FILE_BITS = "ranks_by", "weight_bits"
FILE_LOSS, FILE_TAKEN = "lose_at_most", "take"
EXAMPLE_MODEL = "example_model"

FORMER_TEXTS: Mapping[str, Mapping[str, str]] = {
    METHOD: {"Covariance eigenvectors (not optimal)": "covariance_eigenvectors"},
    SOLVER: {"Interior point (cvxpy and Clarabel)": "cvxpy"},
    TIE: {"File size": "bytes", "Validation score": "validation_score"},
    BASELINES: {"Both in few bits": IN_FEW_BITS},
    BOUND_AGAINST: {"Bound c": "knob"},
    MORE_SERIES: {
        "Covariance eigenvectors (not optimal)": "covariance_eigenvectors",
        "Activation-aware SVD + 3 epochs": "activation_aware_svd_tuned",
    },
}
"""Parameter -> what links said before a menu's words changed -> the name that they mean."""

REFERENCE = (DATASET, MODEL, SEED, TRAIN_EPOCHS, WIDTH, LEARNING_RATE)


def find_name(parameter: str, text: str) -> str:
    """The name that a former text stands for; any other text as it is."""
    return FORMER_TEXTS.get(parameter, {}).get(text, text)


@dataclass(frozen=True)
class Link:
    """A page's script and what its URL says beside the reference."""

    page: str
    query: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The page's, as in the menu."""
        return self.page.removeprefix("pages/").removesuffix(".py").replace("_", " ").capitalize()

    def texts(self) -> dict[str, str]:
        """The query as it stands in a URL."""
        return {name: str(value) for name, value in self.query.items()}


def to_train() -> Link:
    return _link("train", {})


def to_compare(
    *,
    method: str | None = None,
    rank: int | None = None,
    constraint: str | None = None,
    bound: float | None = None,
    baselines: str | None = None,
) -> Link:
    query = {METHOD: method, RANK: rank, CONSTRAINT: constraint, BOUND: bound}
    return _link("compare", query | {BASELINES: baselines})


def to_low_rank(
    *,
    method: str | None = None,
    rank: int | None = None,
    methods: str | None = None,
    epochs: int | None = None,
    share: bool | None = None,
    unit: str | None = None,
    budget: float | None = None,
) -> Link:
    query = {METHOD: method, RANK: rank, METHODS: methods, EPOCHS: epochs}
    return _link("low_rank", query | {SHARE: share, UNIT: unit, BUDGET: budget})


def to_constrained(
    *,
    constraint: str | None = None,
    bound: float | None = None,
    way: str | None = None,
    epochs: int | None = None,
    starts: str | None = None,
    first_mu: float | None = None,
    last_mu: float | None = None,
    ways: str | None = None,
    few_bits: bool | None = None,
    bits: int | None = None,
) -> Link:
    query = {CONSTRAINT: constraint, BOUND: bound, WAY: way}
    query |= {WAY_EPOCHS: None if epochs is None else str(epochs)}  # the menu's values are texts
    query |= {STARTS: starts, FIRST_MU: first_mu, LAST_MU: last_mu, WAYS: ways}
    return _link("constrained", query | {FEW_BITS: few_bits, BITS: bits})


def to_combine(
    *,
    method: str,
    constraint: str | None = None,
    epochs: int | None = None,
    rank: int | None = None,
    bound: float | None = None,
    course: str | None = None,
) -> Link:
    query = {COMBINED_METHOD: method, CONSTRAINT: constraint, PAIR_EPOCHS: epochs, COURSE: course}
    return _link("combine", query | {RANK: rank, BOUND: bound})


def to_atlas(dataset: str, model: str, size: str | None = None) -> Link:
    return _link("atlas", {ATLAS_CELL: f"{dataset}:{model}", ATLAS_SIZE: size})


def to_decide() -> Link:
    return _link("decide", {})


def to_page(title: str) -> Link:
    """The page of that title in the menu: "Low rank" is pages/low_rank.py."""
    return _link(title.lower().replace(" ", "_"), {})


def _link(page: str, query: Mapping[str, Any]) -> Link:
    given = {name: value for name, value in query.items() if value is not None}
    return Link(f"pages/{page}.py", given)
