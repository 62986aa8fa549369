"""Two test processes share the cores, and nothing that a person has kept is read or changed."""

import os

from hypothesis import settings

os.environ["COMPRESS_STORE"] = "none"

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# How long an example takes says how busy the machine is: benchmarks measure time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
