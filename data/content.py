"""Samples by a hash of their content."""

import hashlib
import json

import numpy as np

from .base import Samples


def hash_values(samples: Samples) -> str:
    """SHA-256, in hexadecimal, of samples and their names.

    Of ``x`` and ``y`` the kind of number, the shape, and the bytes, row after row and
    little-endian, however they lie in memory; what is no number counts as text. One other bit of
    one number gives another hash, so that -0.0 is not 0.0.
    """
    digest = hashlib.sha256()
    for values in map(np.asarray, (samples.x, samples.y)):
        numbers = values if values.dtype.kind in "biuf" else values.astype(str)
        ordered = numbers.astype(numbers.dtype.newbyteorder("<"), order="C", copy=False)
        digest.update(f"{ordered.dtype.str}{ordered.shape}".encode() + ordered.tobytes())
    names = [list(samples.feature_names), list(samples.class_names)]
    target = [samples.target_name, samples.target_unit]
    digest.update(json.dumps([*names, target]).encode())
    return digest.hexdigest()
