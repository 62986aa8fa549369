"""``python -m compression``: spectra, smaller files, comparisons and a gate for pipelines."""

import sys

from .command_line.parser import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
