"""What has to be stored of a weight that is held in a set."""

from enum import IntEnum


class WeightState(IntEnum):
    """A weight's state, with the value that files hold.

    Exact: a weight is rebuilt from its state and its layer's bound bit by bit.
    """

    FREE = 0
    """A number of its own."""
    UPPER = 1
    """+c."""
    LOWER = 2
    """−c."""
    ZERO = 3
    """Exactly 0."""


FREE, UPPER, LOWER, ZERO = WeightState
