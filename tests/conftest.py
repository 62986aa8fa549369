"""Two test processes share the cores, and nothing that a person has kept is read or changed."""

import os

import pytest
from hypothesis import settings

os.environ["COMPRESS_STORE"] = "none"

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# How long an example takes says how busy the machine is: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items):
    """One process runs the tests of a file: they share its fixtures, and what its pages compute."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
