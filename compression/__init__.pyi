# The public names, each with the module it is loaded from on first use.

from .accounting import bytes_of as bytes_of
from .accounting import macs as macs
from .accounting import parameters as parameters
from .catalog import COMBINED_METHODS as COMBINED_METHODS
from .catalog import CONSTRAINED_METHODS as CONSTRAINED_METHODS
from .catalog import CONSTRAINTS as CONSTRAINTS
from .catalog import LOW_RANK_METHODS as LOW_RANK_METHODS
from .catalog import MODELS as MODELS
from .catalog import SOLVERS as SOLVERS
from .combined.curve import combined_curve as combined_curve
from .constrained.convex.path import path as path
from .constrained.convex.solve import Solution as Solution
from .constrained.convex.solve import solve as solve
from .constrained.training.curve import constrained_curve as constrained_curve
from .constrained.training.layer_outputs import layer_certificates as layer_certificates
from .curve import Curve as Curve
from .equal_bytes import at_equal_bytes as at_equal_bytes
from .errors import CompressionError as CompressionError
from .factors import Factors as Factors
from .intervals import Interval as Interval
from .intervals import paired_change as paired_change
from .latency import latencies as latencies
from .low_rank.allocation import allocate_ranks as allocate_ranks
from .low_rank.budgets import budget_curve as budget_curve
from .low_rank.cross_validation import cross_validated_rank as cross_validated_rank
from .low_rank.curve import low_rank_curve as low_rank_curve
from .low_rank.decomposition import factorize as factorize
from .low_rank.layer_errors import layer_errors as layer_errors
from .low_rank.rank_selection import ranks_for_energy as ranks_for_energy
from .low_rank.sensitivity import sensitivity as sensitivity
from .pareto import Wish as Wish
from .pareto import best_rows as best_rows
from .pareto import nearest_row as nearest_row
from .pareto import pareto_front as pareto_front
from .quantization import fewest_bits as fewest_bits
from .quantization import quantize as quantize
from .quantization import quantized_curve as quantized_curve
from .storage import export_onnx as export_onnx
from .storage import load as load
from .storage import save as save
from .suggestion import rank_within as rank_within
from .training import Reference as Reference
from .training import train as train

__version__: str
