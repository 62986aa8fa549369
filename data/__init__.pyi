# The public names, each with the module it is loaded from on first use.

from .base import Dataset as Dataset
from .base import Samples as Samples
from .base import prepare as prepare
from .catalog import DATASETS as DATASETS
from .catalog import Entry as Entry
from .catalog import load as load
from .errors import DatasetError as DatasetError
