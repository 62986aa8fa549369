# The public names, each with the module it is loaded from on first use.

from .arrays import from_arrays as from_arrays
from .base import Dataset as Dataset
from .base import Samples as Samples
from .base import prepare as prepare
from .catalog import DATASETS as DATASETS
from .catalog import Entry as Entry
from .catalog import find as find
from .catalog import hash_samples as hash_samples
from .catalog import load as load
from .checks import Review as Review
from .checks import review as review
from .errors import DatasetError as DatasetError
from .tables import Table as Table
from .tables import from_table as from_table
from .tables import read_table as read_table
