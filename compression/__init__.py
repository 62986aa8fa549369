"""Compression of trained models, and what it costs.

LMM, low-rank matrix decomposition, and COC, compression by constrained optimisation.
The public names load on first use: importing this package imports neither torch nor cvxpy.
"""

import os

# Python 3.14 has a standard package of the same name, and gzip, bz2, lzma and zipfile import
# their parts from it. It is found through this package's path, before anything else is imported.
_standard = os.path.join(os.path.dirname(os.__file__), "compression")
if os.path.isdir(_standard) and _standard not in __path__:
    __path__.append(_standard)

import lazy_loader  # noqa: E402

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
