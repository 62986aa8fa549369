"""Layers that a budget leaves too little: said in a sentence, not mended."""

from collections.abc import Mapping

from .rank_choices import RankChoices

LOST = 1e-9
"""Of an objective: a rank that loses no more loses rounding."""


def describe_starved(
    layers: Mapping[str, RankChoices],
    ranks: Mapping[str, int | None],
    output: str | None = None,
    classes: int = 0,
) -> str:
    """Which layers an allocation starves, as a sentence; empty where it starves none.

    A layer is starved at rank 1, where that loses something while another layer stays dense that
    could be smaller; or, the output layer, at a rank that cannot tell the classes apart.

    Parameters
    ----------
    layers : mapping of str to RankChoices
    ranks : mapping of str to int or None
        None: dense.
    output : str, optional
        The layer that gives the class logits, if it is among the layers.
    classes : int
        0 for a regression.
    """
    parts = []
    spared = [
        name
        for name, rank in ranks.items()
        if rank is None and (layers[name].costs < layers[name].dense_cost).any()
    ]
    starved = [n for n, rank in ranks.items() if rank == 1 and layers[n].errors[0] > LOST]
    if spared and starved:
        has, stays = ("has" if len(starved) == 1 else "have"), _inflect_stay(spared)
        parts.append(f"{', '.join(starved)} {has} rank 1 while {', '.join(spared)} {stays} dense")
    rank = ranks.get(output) if output is not None else None
    if rank is not None and rank < classes - 1:
        parts.append(
            f"{output} has rank {rank}: to tell {classes} classes apart takes {classes - 1} in general"
        )
    return "; ".join(parts)


def _inflect_stay(names: list[str]) -> str:
    return "stays" if len(names) == 1 else "stay"
