"""Datasets by name, split and standardised, ready to learn from.

The public names load on first use: importing this package imports not even NumPy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
