"""What is said of each layer of a person's model before any data: sizes, spectra, savings."""

from typing import Any

from .model import Model
from .spectra import Array

SHARES = (90, 95, 99)  # percent of a layer's energy


def tabulate_layers(model: Model) -> Any:
    """The model's ``layers`` with what else is shown of them, as a DataFrame.

    Besides: rows and columns (of each matrix), energy (sum of the squares of its entries; NaN
    where there is no spectrum), saving_90, saving_95 and saving_99 (share of its numbers that its
    rank at that energy saves, below 0 where it grows).
    """
    shapes = [weight.matrix_shape for weight in model.weights]
    rows, columns = [shape[0] for shape in shapes], [shape[1] for shape in shapes]
    layers = model.layers.assign(rows=rows, columns=columns)
    # Share of the layer's numbers that one rank costs.
    cost = (layers["rows"] + layers["columns"]) / layers["parameters"]
    savings = {f"saving_{share}": 1 - layers[f"rank_{share}"] * cost for share in SHARES}
    known = layers["rank_99"].notna()
    energies = [
        model.energy(name) if has_spectrum else float("nan")
        for name, has_spectrum in zip(layers["layer"], known, strict=True)
    ]
    return layers.assign(**savings, energy=energies)


def take_spectra(model: Model) -> dict[str, Array]:
    """Layer -> singular values, of the layers whose values are finite."""
    layers = model.layers
    return {name: model.spectrum(name) for name in layers["layer"][layers["rank_99"].notna()]}
