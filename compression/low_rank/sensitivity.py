"""What each layer costs: the score when it alone is compressed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch

from .. import evaluation
from ..argument_checks import check_arguments
from ..errors import ArgumentError
from ..network import forward_in_blocks
from ..threads import in_one_thread
from ..training import DatasetLike, Reference, Report, keep_going, samples_for
from .layers import LayerDecomposition
from .networks import Ranks, prepare

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@check_arguments
@in_one_thread
def sensitivity(
    reference: Reference,
    dataset: DatasetLike,
    method: str = "truncated_svd",
    shares: Iterable[float] = SHARES,
    layers: Sequence[str] | str | None = None,
    *,
    ridge: float = 0.0,
    report: Report = keep_going,
) -> pd.DataFrame:
    """Compress one layer at a time and score the network on the validation part.

    Parameters
    ----------
    reference : Reference
    dataset : Dataset
        The one that the reference was trained on.
    shares : iterable of float
        Of a layer's own numbers that its factors may hold, each above 0, up to 1.
    method, layers, ridge
        As for :func:`compression.low_rank_curve`.
    report : callable
        Called after each layer with (done, total, a function that gives the table so far);
        returning False ends the table there.

    Returns
    -------
    DataFrame
        One row a layer and share: layer, share; rank, the largest that the share affords, at
        least 1, missing where the layer stays dense; kept, the share that it really holds;
        validation_score with the ends of its 95 % interval, low and high (Wilson's for an
        accuracy, a bootstrap's for R²); change from the reference's score on the same rows, with
        its paired interval, change_low and change_high; samples, the number of those rows.

    Raises
    ------
    ArgumentError
        A share is not possible, or there is no such method or layer.
    NotApplicableError
        See :func:`compression.low_rank_curve`.
    """
    wanted = sorted(set(shares))
    if not wanted or not all(0 < share <= 1 for share in wanted):
        raise ArgumentError(f"shares {wanted} are not possible: choose numbers above 0, up to 1")
    with torch.no_grad():
        samples = samples_for(reference, dataset)
        all_ranks = prepare(reference, samples, method, layers, ridge=ridge)
        x = samples.x[samples.validation]
        target = dataset.y_train[dataset.validation_rows]
        seen = evaluation.predictions(forward_in_blocks(reference.network, x).numpy(), dataset.task)
        comparison = evaluation.Comparison(seen, target, dataset.task)
        tables: list[pd.DataFrame] = []

        def table() -> pd.DataFrame:
            return pd.concat(tables, ignore_index=True)

        for name, layer in all_ranks.layers.items():
            decomposition = all_ranks.decompositions[name]
            alone = Ranks(all_ranks.network, {name: layer}, {name: decomposition})
            ranks = [_find_affordable_rank(decomposition, share) for share in wanted]
            distinct = sorted(set(ranks))
            evaluated = zip(distinct, alone.evaluate(x, distinct), strict=True)
            outputs = {rank: output.numpy() for rank, (_, output) in evaluated}
            predicted = np.stack(
                [evaluation.predictions(outputs[rank], dataset.task) for rank in ranks]
            )
            low, high = comparison.intervals(predicted)
            change, change_low, change_high = comparison.changes(predicted)
            dense = [not alone.find_compressed(rank) for rank in ranks]
            kept = decomposition.parameters[ranks] / decomposition.dense_parameters
            tables.append(
                pd.DataFrame(
                    {
                        "layer": name,
                        "share": wanted,
                        "rank": pd.Series(ranks, dtype="Int64").mask(dense),
                        "kept": np.where(dense, 1.0, kept),
                        "validation_score": [
                            evaluation.score(row, target, dataset.task) for row in predicted
                        ],
                        "low": low,
                        "high": high,
                        "change": change,
                        "change_low": change_low,
                        "change_high": change_high,
                        "samples": len(target),
                    }
                )
            )
            if not report(len(tables), len(all_ranks.layers), table):
                break
        return table()


def _find_affordable_rank(decomposition: LayerDecomposition, share: float) -> int:
    """The largest rank whose factors hold no more than this share of the layer; at least 1."""
    numbers = decomposition.parameters[1:]
    return 1 + int(np.flatnonzero(numbers <= share * decomposition.dense_parameters).max(initial=0))
