"""What is known of one weight of a model before any data: its kind, its matrix, why not."""

from dataclasses import dataclass
from math import prod

from ..low_rank.decomposition import break_even_rank

LINEAR, CONVOLUTION, GROUPED = "linear", "convolution", "grouped convolution"
TRANSPOSED, EMBEDDING, RECURRENT = "transposed convolution", "embedding", "recurrent"
STACK, ATTRIBUTE, FACTOR = "stack of matrices", "attribute", "factor"

REASONS = {
    GROUPED: "is a grouped convolution: its groups share no channels, and two ordinary "
    "convolutions in its place would be larger",
    TRANSPOSED: "is a transposed convolution: two layers in its place are not built here",
    EMBEDDING: "is an embedding: rows of it are looked up, not multiplied",
    RECURRENT: "belongs to a recurrent layer, which takes its weights whole",
    STACK: "is a stack of matrices: one pair of factors cannot stand for all of them",
    FACTOR: "is one of two factors already",
}


@dataclass(frozen=True)
class Weight:
    """One weight of a model.

    Attributes
    ----------
    name : str
        As in the file.
    kind : str
    shape : tuple of int
        As in the file.
    matrix_shape : (int, int)
        (outputs, inputs · spatial) of the matrix that stands for it.
    groups : int
    aliases : tuple of str
        Other names, or other places, of the same tensor.
    reason : str
        Why it cannot be compressed; "" where it can.
    bytes_each : int
        Of one of its numbers.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    matrix_shape: tuple[int, int]
    groups: int = 1
    aliases: tuple[str, ...] = ()
    reason: str = ""
    bytes_each: int = 4

    @property
    def parameters(self) -> int:
        return prod(self.shape)

    @property
    def break_even(self) -> int:
        """The largest rank that stores fewer numbers than the weight."""
        return break_even_rank(*self.matrix_shape)

    @property
    def max_rank(self) -> int:
        return min(self.matrix_shape)

    def count_stored(self, rank: int | None) -> int:
        """Numbers that are stored at a rank; None: dense."""
        return self.parameters if rank is None else rank * sum(self.matrix_shape)


def explain_too_small(matrix_shape: tuple[int, int]) -> str:
    """The reason of a weight that even rank 1 makes larger, "" for any other."""
    if break_even_rank(*matrix_shape) > 0:
        return ""
    rows, columns = matrix_shape
    return (
        f"is too small: rank 1 of a {rows} x {columns} matrix stores {rows + columns} numbers "
        f"instead of {rows * columns}"
    )


def explain_same_tensor(other: str) -> str:
    return f"is the same tensor as {other}: compressed once for both or not at all"
