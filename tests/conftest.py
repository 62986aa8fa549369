"""Two test processes share the cores, and nothing that a person has kept is read or changed."""

import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

SERVED = ("tests/browser/", "tests/compression/studies/")

os.environ["COMPRESS_STORE"] = "none"

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# How long an example takes says how busy the machine is: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class ByFile(LoadFileScheduling):
    """One process runs the tests of a file, or of a folder that shares a server."""

    def _split_scope(self, nodeid: str) -> str:
        return next(
            (folder for folder in SERVED if nodeid.startswith(folder)), super()._split_scope(nodeid)
        )


def pytest_xdist_make_scheduler(config, log):
    """Fixtures of a file, and what its pages compute, are there once.

    Groups by ``xdist_group`` have no effect with this pytest: it takes no other name of a test.
    """
    return ByFile(config, log)


@pytest.fixture(scope="session")
def cluster():
    """URL of a PostgreSQL of this session, for tests that ask for one."""
    from tests.databases import start_postgresql

    yield from start_postgresql()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request, tmp_path):
    """URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'folder' / 'results.db'}"
    from tests.databases import make_schema

    return make_schema(request.getfixturevalue("cluster"))
