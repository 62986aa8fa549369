"""What somebody adds to each catalogue: one implementation and one line each."""

from dataclasses import dataclass

import numpy as np
from torch import nn

import data
from compression.baselines.rounding import Rounding
from compression.combined.low_rank_then_constrained import LowRankThenConstraints
from compression.constrained.convex.solvers.accelerated_projected_gradient import (
    AcceleratedProjectedGradient,
)
from compression.constrained.sets import ConstraintSet, check_bound
from compression.constrained.training.projected_training import ProjectedTraining
from compression.entries import (
    BaselineEntry,
    CombinedEntry,
    ConstrainedEntry,
    ConstraintEntry,
    LowRankEntry,
    ModelEntry,
    SolverEntry,
)
from compression.low_rank.truncated_svd import TruncatedSVD
from compression.models import Recipe


def samples() -> data.Samples:
    """Three clouds of points."""
    generator = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 30)
    return data.Samples(
        x=generator.normal(size=(90, 6))
        + 0.25 * np.eye(6)[y],  # far from separable: optima are near
        y=y,
        feature_names=tuple(f"feature {n}" for n in range(6)),
        class_names=("first", "second", "third"),
    )


def narrow(input_shape, outputs):
    layers = [
        ("in", nn.Linear(input_shape[0], 8)),
        ("relu", nn.ReLU()),
        ("out", nn.Linear(8, outputs)),
    ]
    return layers, Recipe(epochs=3, batch_size=32, learning_rate=0.01, patience=None)


class NewSVD(TruncatedSVD):
    pass


class NewSolver(AcceleratedProjectedGradient):
    pass


class NewCombination(LowRankThenConstraints):
    pass


class NewWay(ProjectedTraining):
    pass


class NewBaseline(Rounding):
    pass


@dataclass(frozen=True)
class Ellipsoid(ConstraintSet):
    """‖θ‖₂ <= c/2: a set of its own, whose outline nobody has drawn."""

    name = "new_set"

    def project(self, v, c, metric=None):
        norm = np.linalg.norm(v)
        return v if norm <= c / 2 else (v * (c / 2 / norm)).astype(np.asarray(v).dtype)

    def support(self, v, c):
        return check_bound(c) / 2 * float(np.linalg.norm(v))

    def gauge(self, v):
        return 2 * float(np.linalg.norm(v))

    def find_pinned(self, v, c, tolerance=0.0):
        return np.zeros(np.shape(v), bool)


def _facts(name: str, implementation: str, knob: str = "") -> dict[str, str]:
    where = f"tests.pages.new_entries:{implementation}"
    return {
        "name": name,
        "title": f"A {name}",
        "knob": knob,
        "summary": "New.",
        "source": "",
        "where": where,
    }


DATASET = data.Entry(
    name="new_data",
    title="A new_data",
    task="classification",
    shape=(90, 6),
    input_shape=(6,),
    classes=3,
    summary="New.",
    source="this test",
    licence="none",
    where="tests.pages.new_entries:samples",
)
ENTRIES = {
    "MODELS": ModelEntry(**_facts("new_model", "narrow"), fits=lambda data: None),
    "LOW_RANK_METHODS": LowRankEntry(**_facts("new_svd", "NewSVD", "rank k"), layers=("linear",)),
    "CONSTRAINTS": ConstraintEntry(**_facts("new_set", "Ellipsoid", "bound c")),
    "SOLVERS": SolverEntry(**_facts("new_solver", "NewSolver")),
    "COMBINED_METHODS": CombinedEntry(**_facts("new_pair", "NewCombination", "rank k, bound c")),
    "CONSTRAINED_METHODS": ConstrainedEntry(**_facts("new_way", "NewWay", "bound c")),
    "BASELINES": BaselineEntry(**_facts("new_baseline", "NewBaseline", "bits"), trains=False),
}
