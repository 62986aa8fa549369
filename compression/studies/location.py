"""Where this user's results are kept, when nobody says otherwise, and how much."""

import os

MAX_BYTES = 2 * 2**30  # of what the app keeps outside studies
SETTING, OFF = "COMPRESS_STORE", "none"


def default_url() -> str | None:
    """The database that COMPRESS_STORE names, or a file of the user's; None where it says none."""
    url = os.environ.get(SETTING, "")
    if url:
        return None if url.lower() == OFF else url
    from platformdirs import user_data_path

    return f"sqlite:///{user_data_path('compress') / 'results.db'}"
