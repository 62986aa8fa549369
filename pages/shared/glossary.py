"""What each term and each control means, in a sentence: shown beside it, and terms as a whole."""

from pages.shared import links

GLOSSARY = {
    "reference": "The uncompressed network that everything is compared with.",
    "seed": "The number that chooses the split, the initial weights and the order of the rows.",
    "rank k": (
        "How many products of a column and a row a layer's weight is made of; a rank-k layer "
        "stores k · (rows + columns) numbers."
    ),
    "singular values": (
        "How strong each of those products is, in descending order: the k largest are kept."
    ),
    "energy": "Sum of the squared singular values; a rank keeps a share of it.",
    "break-even rank k*": (
        "rows · columns ÷ (rows + columns): above it two factors hold more numbers than the "
        "layer, which then stays dense."
    ),
    "bound c": "The largest size that a weight may have, in units of the weights.",
    "relative bound ρ": (
        "A bound as a share of what just holds the reference's layer: at 1 nothing is cut off."
    ),
    "box": "The set |θ| ≤ c: every weight stays between −c and +c.",
    "upper bound": "The set θ ≤ c: one side only.",
    "L1 ball": "The set of weights whose sizes add up to at most c: many become exactly zero.",
    "L2 ball": "The set of weights of length at most c: it saves no storage by itself.",
    "cardinality": "The set of at most κ weights that are not zero.",
    "pinned": "A weight at its bound: it needs no number of its own, only an entry in a map.",
    "multiplier": "The price of a bound: what the loss would gain if it gave way by one unit.",
    "gap": (
        "Duality gap: how much better than this point any point of the set can be at most; "
        "computed from the point alone."
    ),
    "KKT residual": "How far a point is from meeting the conditions of an optimum.",
    "certificate": "What proves an optimum, by code that no solver shares: a gap near 0.",
    "path": "All optima as the bound moves; at a breakpoint a weight is pinned or set free.",
    "score": "Share of the test samples that are right (accuracy), or R² for numbers.",
    "interval": (
        "95 % interval of one training: it speaks of the test samples, not of other seeds."
    ),
    "parameters": (
        "Numbers that must be stored as numbers: both factors of a low-rank layer; of a "
        "constrained one the weights that are neither pinned nor zero. Biases count."
    ),
    "file": "Measured length of the model's safetensors file, the map of pinned weights included.",
    "MACs": "Multiply–accumulates for one sample: a multiplication and an addition each.",
    "Pareto front": "The models that no other beats in size and score at once.",
    "baseline": "What people would do instead: rounding, pruning, a smaller network.",
    "validation part": "Rows kept from training, by which ranks, bounds and epochs are chosen.",
    "test part": "Rows that choose nothing: they only report.",
}

# What a choice changes, by its control's URL parameter. Other controls have their own help.
CONTROLS = {
    links.DATASET: "The rows to learn from. Your own table becomes one of them on *Your data*.",
    links.MODEL: "The network that is trained and then compressed: the reference.",
    links.TRAIN_EPOCHS: "Passes over the fit rows; training ends sooner where it no longer helps.",
    links.WIDTH: "Units of every hidden layer, as a multiple of the model's own.",
    links.LEARNING_RATE: "Step size of the optimiser.",
    links.LAYER: "The layer whose singular values or weights the pictures show.",
    links.LAYER_KINDS: "Which of the layers are compressed; the others stay as they are.",
    links.SOLVER: "What searches the optimum; each is checked by a certificate of its own.",
    links.COST: "What the horizontal axis counts. The file is measured, the others are counted.",
    links.WHOLE_AXIS: "All scores instead of the range in which decisions lie.",
    links.DIFFERENCES: "The test samples on which the two models answer differently.",
    links.ANIMATION: "All ranks and bounds as one picture with sliders that need no server.",
    links.SPECTRUM_SCALE: "On a logarithmic axis small singular values can be told apart.",
    links.METHODS: "Which methods the curves show; a baseline is trained as long as its method.",
    links.AGAINST: "What the curves are drawn against.",
    links.EPOCHS: "Passes over the fit rows after truncation, at every rank.",
    links.FOLDS: "The training part in five: each is held out in turn and judges the ranks of a "
    "network that the others trained.",
    links.SHARE: "One budget for the whole network, divided by rules: which layer gets which rank?",
    links.UNIT: "What the budget is counted in.",
    links.BUDGET: "How much the whole network may have, in the unit chosen above.",
    links.BUDGET_EPOCHS: "Passes over the fit rows after truncation; 0: as truncated.",
    links.WAY: "How the loss is kept low within the bound.",
    links.WAY_EPOCHS: "Passes over the fit rows at each bound.",
    links.FIRST_MU: "The first and smallest price of the distance to the set.",
    links.LAST_MU: "The last price: the larger, the nearer the weights are to the set.",
    links.WAYS: "Which ways to keep the bound the curves show.",
    links.BOUND_AGAINST: "What the curves are drawn against.",
    links.FEW_BITS: "Weights between the bounds are stored in b bits instead of 32.",
    links.BITS: "Bits of a weight that is neither pinned nor zero; 32: as trained.",
    links.RACE: "Every solver that fits starts from the same point; gaps against seconds.",
    links.RACE_BOUND: "The bound that all solvers are given.",
    links.PLANE: "The loss as two weights vary and the others stay, with the set's border.",
    links.ACROSS: "The weight on the horizontal axis.",
    links.UP: "The weight on the vertical axis.",
    links.OWN_BOUNDS: "A slider per layer instead of one relative bound for all.",
    links.COMBINED_METHOD: "How low rank and the bound are put together.",
    links.PAIR_EPOCHS: "Passes over the fit rows for every pair of rank and bound.",
    links.PAIRS_IN_FEW_BITS: "All sides in 1 to 8 bits, trained on with rounded weights.",
    links.POINTS_LOST: "On the validation part, against the reference. Empty: any.",
    links.MAX_KILOBYTES: "Of the measured file, in units of 1,000 bytes. Empty: any.",
    links.FEWER_MACS: "The reference's MACs divided by the model's. Empty: any.",
    links.SMALLEST_IN: "What is kept low among the models that meet the requirements.",
    links.MORE_SERIES: "Each is computed and then competes like the others.",
    links.COMPARED: "Rows to hold side by side; a selection in the picture chooses them too.",
    links.MEASURE: "Milliseconds a batch on this machine.",
    links.TIMED: "Milliseconds a run on this machine, the file before and after.",
    links.STUDY_SOURCE: "Your own choices, or a part of the atlas.",
    links.STUDY_PART: "Which part of the atlas is computed.",
    links.STUDY_DATASETS: "Each with every model and every seed.",
    links.STUDY_MODELS: "Those that fit a dataset are trained on it.",
    links.STUDY_CURVES: "The methods whose whole curves are computed for every reference.",
    links.STUDY_PAIR: "The dataset and the model that the picture is about.",
    links.STUDY_SHARE: "Models with files of at most this share of the reference's.",
    links.STUDY_AGAINST: "The method that all others are held against.",
    links.STUDY_EPOCHS: "Passes over the fit rows of every reference; 0: as its model's recipe says.",
    links.STUDY_SIZES: "Shares of the reference's file at which curves are held side by side. No "
    "fit depends on them.",
    links.STUDY_BITS: "Every row of a curve is judged in so many bits too, rounded after it was trained; a "
    "method that rounds by itself stays as it is.",
    links.STUDY_DRAWN: "Means and intervals at every size, or at the chosen ones alone.",
    links.EVERY_ROW: "Every fit of the study as a line; a range on an axis picks lines.",
    links.UNTHINNED: "Without it a part of them, at even distances: a browser without a graphics "
    "card takes a second for every thousand lines.",
    links.KEPT: "References, curves and studies in the store: filter, tag, take away, delete.",
    links.ATLAS_CELL: "The pair of which every family's scores are shown.",
    links.ATLAS_SIZE: "Models with files of at most this share of the reference's.",
    links.ATLAS_HERE: "The same protocol on this machine, beside what ships.",
    links.ATLAS_SEEDS: "Seeds 0, 1, …: each a split, an initialisation and an order of its own.",
    links.WEIGHT: "The weight whose singular values the picture shows.",
    links.ENERGY: "Each layer gets the smallest rank that keeps this share of its energy.",
    links.KEEP: "Of all parameters of the file; ranks are shared out among the layers.",
    links.FILE_METHOD: "By the weights alone, or by what the layers give on your data.",
    links.FILE_LOSS: "Files are chosen by validation rows; test rows report.",
    links.FILE_TAKEN: "The smallest within the loss, or the smallest that is promised to be.",
    links.JUDGED_ON: "The dataset on which the model before and after is scored.",
    links.READING: "The scale and the order of axes that the model expects.",
    links.HEAD_SET: "What the last layer's weights must stay within.",
    links.BOUND_BITS: "Each layer is clipped and refitted first, and rounded then.",
    links.REFITTED: "Runs the whole model some times for each layer and bound.",
    links.EXAMPLE_MODEL: "Models that show what the page does.",
    links.STATEMENTS: "Trains networks and recomputes each statement here; takes minutes.",
}


def explain(*terms: str) -> str:
    """These terms as a help text, a line each."""
    return "\n\n".join(f"**{term}**: {GLOSSARY[term]}" for term in terms)
