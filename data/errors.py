"""What can be wrong with a dataset."""


class DatasetError(ValueError):
    """These data, this name or this seed cannot be used; the message says what was seen and what would do."""
