"""The factors that a bound is put on."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
from torch import nn

from ..low_rank.decomposition import Decomposition
from ..low_rank.layers import decompose_layer, layers_for
from ..low_rank.networks import Ranks


def prepare_balanced_ranks(network: nn.Sequential) -> Ranks:
    """A network's linear layers at every rank: truncated SVDs with factors of equal size.

    From its break-even rank on a layer stays dense.

    Raises
    ------
    ArgumentError
        A layer's weight is zero or not finite.
    """
    chosen = layers_for(network, "truncated_svd", None)
    decompositions = {
        name: cast(Decomposition, decompose_layer(name, layer, "truncated_svd"))
        for name, layer in chosen.items()
    }
    return Ranks(
        network, chosen, {name: _balance_lengths(one) for name, one in decompositions.items()}
    )


def _balance_lengths(decomposition: Decomposition) -> Decomposition:
    """The same products from columns and rows of equal length, so that one bound suits both."""
    columns = np.linalg.norm(decomposition.left, axis=0)
    rows = np.linalg.norm(decomposition.right, axis=1)
    scale = np.sqrt(np.divide(columns, rows, where=rows * columns > 0, out=np.ones_like(rows)))
    return replace(
        decomposition,
        left=decomposition.left / scale,
        right=decomposition.right * scale[:, None],
    )
