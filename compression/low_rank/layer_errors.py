"""What a method said that a layer would lose, held against what it does lose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
import torch
from torch import nn

from ..argument_checks import check_arguments
from ..network import forward_in_blocks, low_rank_layer
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, Report, keep_going, samples_for
from .layers import input_rows
from .networks import Chosen, check_choices, prepare


@check_arguments
@in_one_thread
def layer_errors(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "truncated_svd",
    ranks: Iterable[Chosen] | None = None,
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    calibration: str = "reference",
    report: Report = keep_going,
) -> pd.DataFrame:
    """Predicted and realised error of every compressed layer at every rank.

    The arguments are those of :func:`compression.low_rank_curve`.

    Returns
    -------
    DataFrame
        One row a rank and layer that is compressed there: rank, layer, predicted, realised,
        whole. ``predicted`` is the method's own objective on its calibration inputs, ``realised``
        the same objective measured on what the layer sees of the validation rows in the network
        whose layers are all compressed to that rank, ``whole`` the predicted error of rank 0.
    """
    with torch.no_grad():
        samples = samples_for(reference, dataset)
        all_ranks = prepare(
            reference, samples, method, layers, ridge=ridge, calibration=calibration
        )
        values = check_choices(ranks, all_ranks)
        lines: list[dict] = []

        def table() -> pd.DataFrame:
            return pd.DataFrame(lines, columns=["rank", "layer", "predicted", "realised", "whole"])

        for done, rank in enumerate(values, start=1):
            effective = all_ranks.find_compressed(rank)
            decomposed = all_ranks.decompositions_at(rank)
            x, passed = samples.x[samples.validation], nn.Sequential()
            for name, module in reference.network.named_children():
                if name in decomposed:
                    x, passed = forward_in_blocks(passed, x), nn.Sequential()
                    layer, decomposition, layer_rank = (
                        all_ranks.layers[name],
                        decomposed[name],
                        effective[name],
                    )
                    lines.append(
                        {
                            "rank": rank,
                            "layer": name,
                            "predicted": decomposition.errors[layer_rank],
                            "realised": decomposition.realised_error(
                                layer_rank, input_rows(layer, x)
                            ),
                            "whole": decomposition.errors[0],
                        }
                    )
                    module = low_rank_layer(layer, decomposition.at(layer_rank))
                passed.append(module)
            if not report(done, len(values), table):
                break
        return table()
