"""Many fits, kept for good: define a study, run it, see its table.

    study = studies.read_study(text_of_toml)
    studies.run(study, store="sqlite:///studies.db")
    studies.table("sqlite:///studies.db", study.name)

The one part of the package that loads datasets by itself.
"""

from .run import Progress, run
from .specification import Curves, Study, read_study
from .store import Store, StoreError
from .study_store import StudyStore
from .table import adjust_probabilities, compare_labels, corrected_difference, failures, table

__all__ = [
    "Curves",
    "Progress",
    "Store",
    "StoreError",
    "Study",
    "StudyStore",
    "adjust_probabilities",
    "compare_labels",
    "corrected_difference",
    "failures",
    "read_study",
    "run",
    "table",
]
