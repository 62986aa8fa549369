# The public names, each with the module it is loaded from on first use.

from .comparison import adjust_probabilities as adjust_probabilities
from .comparison import changes_at_shares as changes_at_shares
from .comparison import compare_all as compare_all
from .comparison import compare_labels as compare_labels
from .comparison import corrected_difference as corrected_difference
from .comparison import failures as failures
from .comparison import table as table
from .driver import Progress as Progress
from .driver import run as run
from .executors import DaskExecutor as DaskExecutor
from .executors import InThisProcess as InThisProcess
from .executors import LocalProcesses as LocalProcesses
from .export import export_mlflow as export_mlflow
from .export import export_optuna as export_optuna
from .export import export_parquet as export_parquet
from .kept import filter_kept as filter_kept
from .kept import list_kept as list_kept
from .location import default_url as default_url
from .specification import Curves as Curves
from .specification import Study as Study
from .specification import read_study as read_study
from .store import Store as Store
from .store import StoreError as StoreError
from .study_store import StudyStore as StudyStore
