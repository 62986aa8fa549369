"""What can go wrong, and what the caller can do about it."""


class CompressionError(Exception):
    """Base of every error that a caller can act on; its message is one or two plain sentences."""


class ArgumentError(CompressionError, ValueError):
    """An argument cannot be used; the message names the values that would do. Change it, then try again."""


class NotApplicableError(CompressionError):
    """This method, set, solver or model does not fit that problem. Choose another; trying again does not help."""


class NotConvergedError(CompressionError):
    """The tolerance was not reached within the limits. More iterations or a looser tolerance may help."""


class StorageError(CompressionError):
    """A file is not one of ours, or is damaged. Take another copy of the file."""


class CancelledError(CompressionError):
    """The caller asked to stop. Nothing is wrong."""
