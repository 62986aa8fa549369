import pytest

import data


@pytest.fixture(scope="session")
def datasets():
    """Every dataset of the catalogue, loaded once."""
    return {name: data.load(name) for name in data.DATASETS}
