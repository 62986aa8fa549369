"""Programs that are run in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HASH_SEEDS = "1", "2"


def print_by_hash_seed(program: str, text: str = "") -> set[str]:
    """What a program prints of a text for two values of PYTHONHASHSEED: one answer or two."""
    return {
        subprocess.run(
            [sys.executable, "-c", program],
            input=text,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in HASH_SEEDS
    }
