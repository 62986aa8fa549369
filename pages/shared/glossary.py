"""What each term means, in a sentence: shown beside controls and numbers, and as a whole."""

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


def explain(*terms: str) -> str:
    """These terms as a help text, a line each."""
    return "\n\n".join(f"**{term}**: {GLOSSARY[term]}" for term in terms)
