"""A database of each kind for whoever asks for its URL."""

import pytest


@pytest.fixture
def url(each_database):
    """URL of an empty database, of each kind."""
    return each_database
