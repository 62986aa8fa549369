"""Ranks of all layers of a model for every share of its parameters, before any data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import ArgumentError, NotApplicableError
from ..low_rank.allocation import allocate
from ..low_rank.rank_choices import RankChoices, kept_energy_loss
from ..low_rank.truncated_svd import tails
from ..report import Report, keep_going
from .model import Model

STEPS = 30
START_ENERGY = 0.9  # share that each layer keeps where a slider stands first


@dataclass(frozen=True, eq=False)
class Plan:
    """What each share of the parameters gives.

    Attributes
    ----------
    table : DataFrame
        A row a step, the smallest first: share (of the model's parameters), parameters, energy
        (smallest share of energy that any layer keeps), weakest (that layer), bytes (about).
    ranks : tuple of dict
        Of each row: layer -> rank, of those that are replaced.
    """

    table: pd.DataFrame
    ranks: tuple[dict[str, int], ...]


def plan(model: Model, steps: int = STEPS, report: Report = keep_going) -> Plan:
    """Ranks by the exact rule for budgets from rank 1 everywhere to the whole model.

    The rule keeps the largest product over layers of the share of energy that each keeps.

    Raises
    ------
    NotApplicableError
        No layer can be made smaller.
    """
    layers = _list_choices(model)
    dense = sum(layer.dense_cost for layer in layers.values())
    fixed = model.parameters - dense
    smallest = sum(int(layer.costs[0]) for layer in layers.values())
    budgets = np.unique(np.linspace(smallest, dense, steps).astype(int))
    rows: list[dict[str, object]] = []
    ranks: list[dict[str, int]] = []
    for place, budget in enumerate(budgets):
        allocation = allocate(layers, int(budget), resolution=1e-3)
        chosen = {name: rank for name, rank in allocation.ranks.items() if rank is not None}
        if not ranks or ranks[-1] != chosen:
            ranks.append(chosen)
            rows.append(_build_row(model, chosen, fixed + allocation.cost))
        if not report(place + 1, len(budgets), None):
            break
    return Plan(pd.DataFrame(rows), tuple(ranks))


def ranks_within(model: Model, parameters: int) -> dict[str, int]:
    """Layer -> rank, of those that are replaced, by the rule of :func:`plan` for one budget.

    Parameters
    ----------
    model : Model
    parameters : int
        Numbers that the whole model may hold.

    Raises
    ------
    NotApplicableError
        No layer can be made smaller.
    ArgumentError
        The budget is below what is left at rank 1 everywhere; the message names that.
    """
    layers = _list_choices(model)
    fixed = model.parameters - sum(layer.dense_cost for layer in layers.values())
    smallest = fixed + sum(int(layer.costs[0]) for layer in layers.values())
    if parameters < smallest:
        raise ArgumentError(
            f"{parameters:,} parameters are too few for this model: choose at least {smallest:,}, "
            f"{smallest / model.parameters:.3f} of it"
        )
    ranks = allocate(layers, parameters - fixed).ranks
    return {name: rank for name, rank in ranks.items() if rank is not None}


def _list_choices(model: Model) -> dict[str, RankChoices]:
    """Of every layer that a lower rank makes smaller; NotApplicableError where there is none."""
    layers: dict[str, RankChoices] = {}
    for weight in model.weights:
        if weight.reason:
            continue
        try:
            choices = _build_choices(model, weight.name)
        except NotApplicableError:
            continue
        if choices is not None:
            layers[weight.name] = choices
    if not layers:
        raise NotApplicableError("no layer of this model can be made smaller by a lower rank")
    return layers


def energy_at(model: Model, layer: str, rank: int) -> float:
    """Share of a weight's energy that a rank keeps."""
    values = model.spectrum(layer)
    return float(np.sum(values[:rank] ** 2) / model.energy(layer))


def _build_choices(model: Model, layer: str) -> RankChoices | None:
    weight, values = model.weight(layer), model.spectrum(layer)
    most = min(weight.break_even, len(values))
    if model.energy(layer) == 0 or most == 0:
        return None
    unseen = max(model.energy(layer) - float(np.sum(values**2)), 0.0)
    errors = kept_energy_loss(tails(values**2) + unseen)[:most]
    costs = np.arange(1, most + 1, dtype=np.int64) * sum(weight.matrix_shape)
    return RankChoices(errors, costs, weight.parameters)


def _build_row(model: Model, ranks: dict[str, int], parameters: int) -> dict[str, object]:
    energies = {layer: energy_at(model, layer, rank) for layer, rank in ranks.items()}
    weakest = min(energies, key=energies.__getitem__, default="")
    saved = sum(
        (model.weight(layer).parameters - model.weight(layer).count_stored(rank))
        * model.weight(layer).bytes_each
        for layer, rank in ranks.items()
    )
    return {
        "share": parameters / model.parameters,
        "parameters": parameters,
        "energy": energies.get(weakest, 1.0),
        "weakest": weakest,
        "bytes": model.file_bytes - saved,
    }


def find_starting_row(table: pd.DataFrame) -> int:
    """The smallest of the plans in which every layer keeps 90 % of its energy."""
    enough: Sequence[int] = np.flatnonzero(table["energy"].to_numpy() >= START_ENERGY).tolist()
    return enough[0] if len(enough) else len(table) - 1
