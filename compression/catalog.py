"""Every method, set, solver and model by name.

To add one: write its file, then add its line here. Menus, curves, tests and benchmarks find it.
This module imports nothing heavy: an entry loads its implementation when asked.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from .entries import (
    BaselineEntry,
    CatalogEntry,
    CombinedEntry,
    ConstrainedEntry,
    ConstraintEntry,
    DatasetFacts,
    LowRankEntry,
    ModelEntry,
    SolverEntry,
)
from .errors import ArgumentError

E = TypeVar("E", bound="CatalogEntry")


def _build_catalogue(*entries: E) -> Mapping[str, E]:
    return MappingProxyType({entry.name: entry for entry in entries})


def find(catalogue: Mapping[str, E], name: str, what: str) -> E:
    """The entry of that name; raises ArgumentError naming the possible ones."""
    try:
        return catalogue[name]
    except (KeyError, TypeError):
        raise ArgumentError(
            f"there is no {what} named {name!r}: choose one of {', '.join(catalogue)}"
        ) from None


def _require_number(data: DatasetFacts) -> str | None:
    if data.task != "regression":
        return "predicts a number; this dataset has classes"
    return None


def _require_classes(data: DatasetFacts) -> str | None:
    if data.task != "classification":
        return "predicts classes; this dataset has a number as its target"
    return None


def _accept_any(data: DatasetFacts) -> str | None:
    return None


def _require_images(data: DatasetFacts) -> str | None:
    if len(data.input_shape) != 3:
        return "needs images (channels, height, width); this dataset has none"
    if min(data.input_shape[1:]) < 12:
        height, width = data.input_shape[1:]
        return f"needs images of at least 12 x 12; these are {height} x {width}"
    return None


def _require_signals(data: DatasetFacts) -> str | None:
    if len(data.input_shape) != 2:
        return "needs signals (channels, samples); this dataset has none"
    if data.input_shape[1] < 16:
        return f"needs signals of at least 16 samples; these have {data.input_shape[1]}"
    return None


MODELS: Mapping[str, ModelEntry] = _build_catalogue(
    ModelEntry(
        name="linear_regression",
        title="Linear regression",
        knob="",
        summary="One linear layer trained on the squared error.",
        source="",
        where="compression.models:linear_regression",
        fits=_require_number,
    ),
    ModelEntry(
        name="softmax_regression",
        title="Softmax regression",
        knob="",
        summary="One linear layer and a softmax: logistic regression for any number of classes.",
        source="",
        where="compression.models:softmax_regression",
        fits=_require_classes,
    ),
    ModelEntry(
        name="mlp",
        title="MLP (256-128)",
        knob="",
        summary="Two hidden layers of 256 and 128 rectified units.",
        source="",
        where="compression.models:mlp",
        fits=_accept_any,
        scalable=True,
    ),
    ModelEntry(
        name="lenet300",
        title="LeNet-300-100",
        knob="",
        summary="Two hidden layers of 300 and 100 rectified units, the classic of the compression literature.",
        source="LeCun, Bottou, Bengio & Haffner 1998",
        where="compression.models:lenet300",
        fits=_accept_any,
        scalable=True,
    ),
    ModelEntry(
        name="lenet5",
        title="LeNet-5",
        knob="",
        summary="Two 5 x 5 convolutions and three linear layers, for images.",
        source="LeCun, Bottou, Bengio & Haffner 1998",
        where="compression.models:lenet5",
        fits=_require_images,
        scalable=True,
    ),
    ModelEntry(
        name="conv1d",
        title="1-D convolutional net",
        knob="",
        summary="Three 1-D convolutions and one linear layer, for signals.",
        source="Greydanus & Kobak 2020, arXiv 2011.14439",
        where="compression.models:conv1d",
        fits=_require_signals,
        scalable=True,
    ),
)

LOW_RANK_METHODS: Mapping[str, LowRankEntry] = _build_catalogue(
    LowRankEntry(
        name="truncated_svd",
        title="Truncated SVD",
        knob="rank k",
        summary="The nearest matrix of rank k to the weight itself.",
        source="Eckart & Young 1936",
        where="compression.low_rank.truncated_svd:TruncatedSVD",
        layers=("linear", "conv1d", "conv2d"),
        singular_vectors=True,
    ),
    LowRankEntry(
        name="activation_aware_svd",
        title="Activation-aware SVD",
        knob="rank k",
        summary="The matrix of rank k whose outputs are nearest on the inputs that the layer sees.",
        source="Wang et al. 2024, arXiv 2403.07378; regularised as in arXiv 2507.07580",
        where="compression.low_rank.activation_aware_svd:ActivationAwareSVD",
        layers=("linear", "conv1d", "conv2d"),
        needs_inputs=True,
    ),
    LowRankEntry(
        name="column_groups",
        title="Column groups",
        knob="rank k",
        summary="Factors within groups of inputs, as many groups as lose least; rank k holds at most what k ranks of a whole layer hold.",
        source="Liebenwein et al. 2021, arXiv 2107.11442; here fitted to the inputs that the layer sees",
        where="compression.low_rank.column_groups:ColumnGroups",
        layers=("linear",),
        needs_inputs=True,
    ),
    LowRankEntry(
        name="covariance_eigenvectors",
        title="Covariance eigenvectors (not optimal before fine-tuning)",
        knob="rank k",
        summary="The weight on the k main directions of its inputs; optimal neither for the weight nor for the outputs. Trained on, it may do as well as what is.",
        source="Principal components: Pearson 1901, Hotelling 1933",
        where="compression.low_rank.covariance_eigenvectors:CovarianceEigenvectors",
        layers=("linear", "conv1d", "conv2d"),
        needs_inputs=True,
        ridge_moves_factors=False,
    ),
    LowRankEntry(
        name="randomized_svd",
        title="Randomised SVD",
        knob="rank k",
        summary="Truncated SVD from a random sketch, for weights whose full SVD takes too long.",
        source="Halko, Martinsson & Tropp 2011, arXiv 0909.4061; scikit-learn",
        where="compression.low_rank.randomized_svd:RandomizedSVD",
        layers=("linear", "conv1d", "conv2d"),
    ),
    LowRankEntry(
        name="spatial_svd",
        title="Spatial SVD",
        knob="rank k",
        summary="A 2-D convolution as a vertical and a horizontal one with k channels between them.",
        source="Jaderberg, Vedaldi & Zisserman 2014, arXiv 1405.3866",
        where="compression.low_rank.spatial_svd:SpatialSVD",
        layers=("conv2d",),
        splits_kernel_sides=True,
    ),
    LowRankEntry(
        name="tucker2",
        title="Tucker-2",
        knob="rank k",
        summary="A convolution of k channels between two that mix channels only.",
        source="Kim et al. 2016, arXiv 1511.06530; tensorly",
        where="compression.low_rank.tucker2:Tucker2",
        layers=("conv1d", "conv2d"),
    ),
    LowRankEntry(
        name="cp",
        title="CP",
        knob="rank k",
        summary="Channels mixed down to k, each filtered on its own, and mixed up again (canonical polyadic).",
        source="Hitchcock 1927; Lebedev et al. 2015, arXiv 1412.6553; tensorly",
        where="compression.low_rank.cp:CanonicalPolyadic",
        layers=("conv1d", "conv2d"),
    ),
)

CONSTRAINTS: Mapping[str, ConstraintEntry] = _build_catalogue(
    ConstraintEntry(
        name="box",
        title="Box |θ| ≤ c",
        knob="bound c",
        summary="Every weight stays within ±c; pinned weights need no number, only their sign.",
        source="",
        where="compression.constrained.sets:Box",
        elementwise=True,
    ),
    ConstraintEntry(
        name="upper",
        title="Upper bound θ ≤ c",
        knob="bound c",
        summary="One-sided: no weight exceeds c. It never costs a softmax model anything.",
        source="",
        where="compression.constrained.sets:UpperBound",
        bounded=False,
        elementwise=True,
    ),
    ConstraintEntry(
        name="l1",
        title="L1 ball ‖θ‖₁ ≤ c",
        knob="bound c",
        summary="The weights' sizes add up to at most c: many become exactly zero.",
        source="Tibshirani 1996; Duchi et al. 2008",
        where="compression.constrained.sets:L1Ball",
    ),
    ConstraintEntry(
        name="l2",
        title="L2 ball ‖θ‖₂ ≤ c",
        knob="bound c",
        summary="The weights' length is at most c: a baseline that saves no storage by itself.",
        source="Hoerl & Kennard 1970",
        where="compression.constrained.sets:L2Ball",
    ),
    ConstraintEntry(
        name="cardinality",
        title="Cardinality ‖θ‖₀ ≤ κ",
        knob="count κ",
        summary="At most κ weights differ from zero. Not convex: the optimum is not certified.",
        source="Blumensath & Davies 2009; Beck & Eldar 2013",
        where="compression.constrained.sets:Cardinality",
        convex=False,
        counts=True,
    ),
)

CONSTRAINED_METHODS: Mapping[str, ConstrainedEntry] = _build_catalogue(
    ConstrainedEntry(
        name="projected_training",
        title="Projected training",
        knob="bound c",
        summary="An optimiser step, then the nearest weights within the bound, and so on.",
        source="Goldstein 1964; Levitin & Polyak 1966",
        where="compression.constrained.training.projected_training:ProjectedTraining",
        scales_loss=True,
    ),
    ConstrainedEntry(
        name="learning_compression",
        title="Learning–compression",
        knob="bound c",
        summary="Free weights learn, drawn ever closer to their nearest point within the bound.",
        source="Carreira-Perpiñán & Idelbayev 2017, arXiv 1707.01209; arXiv 2005.07786",
        where="compression.constrained.training.learning_compression:LearningCompression",
        has_penalties=True,
    ),
    ConstrainedEntry(
        name="refit",
        title="Layer-wise refit",
        knob="bound c",
        summary="No training: each layer's outputs kept as near as the bound allows, certified.",
        source="Least squares with bounds: Tseng & Yun 2009; Beck & Teboulle 2009",
        where="compression.constrained.training.refit:Refit",
        trains=False,
        certifies_layers=True,
    ),
    ConstrainedEntry(
        name="clip",
        title="Projection only (baseline)",
        knob="bound c",
        summary="The reference's weights moved within the bound, and nothing else.",
        source="",
        where="compression.constrained.training.baselines:Clipping",
        trains=False,
        is_baseline=True,
    ),
    ConstrainedEntry(
        name="fine_tuning",
        title="Fine-tuning without a bound (baseline)",
        knob="bound c",
        summary="The reference trained on for as many epochs as the others: what training alone gives.",
        source="",
        where="compression.constrained.training.baselines:FineTuning",
        keeps_bound=False,
        is_baseline=True,
    ),
)

SOLVERS: Mapping[str, SolverEntry] = _build_catalogue(
    SolverEntry(
        name="coordinate_descent",
        title="Coordinate descent",
        knob="",
        summary="One weight after the other, each to its best place within its bounds.",
        source="Tseng & Yun 2009; Friedman, Hastie & Tibshirani 2010",
        where="compression.constrained.convex.solvers.coordinate_descent:CoordinateDescent",
    ),
    SolverEntry(
        name="quasi_newton",
        title="Quasi-Newton (L-BFGS-B)",
        knob="",
        summary="Limited-memory quasi-Newton steps inside a box.",
        source="Byrd, Lu, Nocedal & Zhu 1995; scipy.optimize.minimize",
        where="compression.constrained.convex.solvers.quasi_newton:QuasiNewton",
    ),
    SolverEntry(
        name="hamiltonian_descent",
        title="Hamiltonian descent",
        knob="",
        summary="A particle with friction rolls down the loss; projected, which the paper does not do.",
        source="Maddison et al. 2018, arXiv 1809.05042",
        where="compression.constrained.convex.solvers.hamiltonian_descent:HamiltonianDescent",
    ),
    SolverEntry(
        name="accelerated_projected_gradient",
        title="Accelerated projected gradient",
        knob="",
        summary="Gradient step, projection, momentum with restart.",
        source="Beck & Teboulle 2009; O'Donoghue & Candès 2015",
        where="compression.constrained.convex.solvers.accelerated_projected_gradient:AcceleratedProjectedGradient",
    ),
    SolverEntry(
        name="projected_newton",
        title="Projected Newton",
        knob="",
        summary="Newton steps on the free weights; a quadratic model finds the pinned ones.",
        source="Bertsekas 1982",
        where="compression.constrained.convex.solvers.projected_newton:ProjectedNewton",
    ),
    SolverEntry(
        name="face_newton",
        title="Newton on faces (L1)",
        knob="",
        summary="A gradient step finds who is zero in the L1 ball, a Newton step moves the others.",
        source="after Moré & Toraldo 1991",
        where="compression.constrained.convex.solvers.face_newton:FaceNewton",
    ),
    SolverEntry(
        name="cvxpy",
        title="Interior point (cvxpy, Clarabel)",
        knob="",
        summary="The independent referee: a cone programme solved by an interior-point method.",
        source="Diamond & Boyd 2016; Goulart & Chen 2024, arXiv 2405.12762",
        where="compression.constrained.convex.solvers.interior_point:InteriorPoint",
        has_trajectory=False,
        largest_curve=5000,
    ),
)

COMBINED_METHODS: Mapping[str, CombinedEntry] = _build_catalogue(
    CombinedEntry(
        name="low_rank_then_constrained",
        title="Low rank, then bounds",
        knob="rank k, bound c",
        summary="Truncate each layer, then train its factors under a bound.",
        source="",
        where="compression.combined.low_rank_then_constrained:LowRankThenConstraints",
    ),
    CombinedEntry(
        name="constrained_then_low_rank",
        title="Bounds, then low rank",
        knob="rank k, bound c",
        summary="Train the weights under a bound, then truncate them and train the factors on.",
        source="",
        where="compression.combined.constrained_then_low_rank:ConstraintsThenLowRank",
        bound_on="weights",
    ),
    CombinedEntry(
        name="jointly",
        title="Both at once (learning–compression)",
        knob="rank k, bound c",
        summary="The weights learn, held ever closer to a product of bounded factors.",
        source="Carreira-Perpiñán & Idelbayev 2017, arXiv 1707.01209; Bolte, Sabach & Teboulle 2014",
        where="compression.combined.jointly:JointTraining",
    ),
    CombinedEntry(
        name="low_rank_plus_sparse",
        title="Low rank plus sparse",
        knob="rank k, share kept",
        summary="The weights learn, held ever closer to a sum of a low-rank and a sparse weight.",
        source="Zhou & Tao 2011; Carreira-Perpiñán & Idelbayev 2017, arXiv 1707.01209",
        where="compression.combined.low_rank_plus_sparse:LowRankPlusSparseTraining",
        bounds=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
        constraint="cardinality",
        bound_on="sparse part",
    ),
)

BASELINES: Mapping[str, BaselineEntry] = _build_catalogue(
    BaselineEntry(
        name="rounding",
        title="Rounding to few bits",
        knob="bits",
        summary="The reference's weights on a uniform grid of b bits, and nothing else.",
        source="Uniform grids: Jacob et al. 2018, arXiv 1712.05877",
        where="compression.baselines.rounding:Rounding",
        trains=False,
    ),
    BaselineEntry(
        name="quantization_aware",
        title="Quantisation-aware training",
        knob="bits",
        summary="The reference trained on with rounded weights; gradients pass the rounding unchanged.",
        source="Bengio et al. 2013, arXiv 1308.3432; Jacob et al. 2018, arXiv 1712.05877",
        where="compression.baselines.quantization_aware:QuantizationAwareTraining",
    ),
    BaselineEntry(
        name="magnitude_pruning",
        title="Magnitude pruning with fine-tuning",
        knob="share kept",
        summary="Only the largest weights of all layers together, trained on.",
        source="Han et al. 2015, arXiv 1506.02626",
        where="compression.baselines.magnitude_pruning:MagnitudePruning",
    ),
    BaselineEntry(
        name="smaller_network",
        title="Smaller network from scratch",
        knob="width",
        summary="The same architecture with fewer units, trained as the reference was.",
        source="",
        where="compression.baselines.smaller_network:SmallerNetwork",
        narrows=True,
    ),
)
