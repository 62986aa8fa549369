"""What the constrained page is handed beside what ``compression`` defines."""

from dataclasses import dataclass

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trail:
    """How every weight moves with c.

    Attributes
    ----------
    bounds : ndarray, shape (b,)
        Breakpoints of an exact path; else its grid.
    weights : ndarray, shape (b, outputs, inputs)
    exact : bool
        Whether the path is piecewise linear with corners at these bounds and nowhere else.
    """

    bounds: NDArray
    weights: NDArray
    exact: bool
