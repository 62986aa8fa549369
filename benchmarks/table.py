"""A line of the table that every benchmark adds to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One question, answered.

    Attributes
    ----------
    question : str
        What is compared, in words.
    measured, peer : str
        Ours, and what it is held against, with units.
    ratio : float
        Ours over the peer's, both in one unit.
    target : str
        What is to be reached, or empty where nothing is promised.
    met : bool or None
        Whether it is; None without a target.
    """

    question: str
    measured: str
    peer: str
    ratio: float
    target: str
    met: bool | None


WIDTHS = (62, 26, 40, 8, 10, 5)
HEAD = ("question", "measured", "peer", "ratio", "target", "met")


def line(*cells: str) -> str:
    """Cells in columns; one that is too long pushes the others to the right."""
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def show(row: Row) -> str:
    met = {True: "yes", False: "NO", None: "–"}[row.met]
    return line(row.question, row.measured, row.peer, f"{row.ratio:.3g}", row.target or "–", met)
