"""The singular value decomposition of a product of two thin matrices, without the product.

With thin QRs  up = Q₁ R₁  and  downᵀ = Q₂ R₂  it is  up · down = Q₁ (R₁ R₂ᵀ) Q₂ᵀ: what is left to
decompose is r x r. For m x n weights that is O((m + n) r²) instead of O(m n min(m, n)).
"""

import torch


def singular_values(up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Singular values of ``up @ down`` in descending order, float64.

    Parameters
    ----------
    up : tensor, shape (m, r)
    down : tensor, shape (r, n)

    Returns
    -------
    tensor, shape (min(m, n, r),)
        All that can differ from 0.
    """
    first = torch.linalg.qr(up.double(), mode="r").R
    second = torch.linalg.qr(down.double().T, mode="r").R
    return torch.linalg.svdvals(first @ second.T)


def truncate(up: torch.Tensor, down: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The nearest product of rank ``rank``: factors (m, k) and (k, n) of equal norms, float64."""
    first, second = torch.linalg.qr(up.double()), torch.linalg.qr(down.double().T)
    u, s, vt = torch.linalg.svd(first.R @ second.R.T)
    root = s[:rank].sqrt()
    return first.Q @ (u[:, :rank] * root), (root[:, None] * vt[:rank]) @ second.Q.T


def distance(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """‖up₁ down₁ − up₂ down₂‖ (Frobenius) of two products of one shape."""
    up = torch.cat([first[0].double(), -second[0].double()], dim=1)
    down = torch.cat([first[1].double(), second[1].double()])
    one = torch.linalg.qr(up, mode="r").R
    other = torch.linalg.qr(down.T, mode="r").R
    return float(torch.linalg.matrix_norm(one @ other.T))
