"""What every combined method starts from, and what it may spend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..constrained import networks
from ..constrained.networks import BATCH_SIZE
from ..low_rank.factors import Decomposition
from ..low_rank.networks import Ranks, prepare
from ..models import recipe_of
from ..training import Data, Reference, Samples, Trainer


@dataclass(frozen=True, eq=False)
class Start:
    """A reference, its data, and the passes over the training rows that each pair may take.

    Attributes
    ----------
    reference : Reference
    samples : Samples
    learning_rate : float
        Of Adam: the one that the reference was trained with.
    epochs : int
        For each pair of a rank and a bound.
    """

    reference: Reference
    samples: Samples
    learning_rate: float
    epochs: int

    @classmethod
    def of(cls, reference: Reference, dataset: Data, epochs: int) -> Start:
        rate = recipe_of(reference.model, dataset).learning_rate
        return cls(reference, Samples(dataset), rate, epochs)

    def ranks(self, network: nn.Sequential) -> Ranks:
        """A network's linear layers at every rank, with both factors of equal size.

        From its break-even rank on a layer stays dense.
        """
        family = prepare(replace(self.reference, network=network), self.samples, "truncated_svd")
        return replace(
            family,
            decompositions={
                name: _balanced(decomposition)
                for name, decomposition in family.decompositions.items()
                if isinstance(decomposition, Decomposition)
            },
        )

    def of_network(self, network: nn.Sequential, epochs: int) -> networks.Start:
        """Where constrained training of another network starts from."""
        return networks.Start(
            network, self.samples, self.learning_rate, self.reference.seed, epochs
        )

    def trainer(
        self,
        network: nn.Sequential,
        after_step: Callable[[], None] | None = None,
        penalty: Callable[[], torch.Tensor] | None = None,
    ) -> Trainer:
        return Trainer(
            network,
            self.samples,
            self.learning_rate,
            BATCH_SIZE,
            self.reference.seed,
            after_step,
            penalty,
        )


def _balanced(decomposition: Decomposition) -> Decomposition:
    """The same products from columns and rows of equal length, so that one bound suits both."""
    columns = np.linalg.norm(decomposition.left, axis=0)
    rows = np.linalg.norm(decomposition.right, axis=1)
    scale = np.sqrt(np.divide(columns, rows, where=rows * columns > 0, out=np.ones_like(rows)))
    return replace(
        decomposition,
        left=decomposition.left / scale,
        right=decomposition.right * scale[:, None],
    )
