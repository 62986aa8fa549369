"""The architectures: each a chain of named torch modules, from flat samples to logits.

Every network takes samples as rows, (N, features), whatever their shape is, and returns
(N, outputs): class logits, or one predicted number.
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import nn

from .catalog import MODELS, find
from .entries import DatasetFacts
from .errors import NotApplicableError

Shape = tuple[int, ...]
Layers = list[tuple[str, nn.Module]]


@dataclass(frozen=True)
class Recipe:
    """How a model is trained when nobody says otherwise.

    Attributes
    ----------
    epochs : int
        The most passes over the training rows.
    batch_size : int or None
        Rows a step; None: all of them (full batch).
    learning_rate : float
        Adam's step size.
    patience : int or None
        Epochs without a better validation loss before training stops; None: never.
    """

    epochs: int
    batch_size: int | None
    learning_rate: float
    patience: int | None


FULL_BATCH = Recipe(epochs=1000, batch_size=None, learning_rate=0.01, patience=None)
MINI_BATCH = Recipe(epochs=60, batch_size=64, learning_rate=1e-3, patience=8)


def linear_regression(input_shape: Shape, outputs: int) -> tuple[Layers, Recipe]:
    """One linear layer with one output."""
    return [("linear", nn.Linear(prod(input_shape), outputs))], FULL_BATCH


def softmax_regression(input_shape: Shape, outputs: int) -> tuple[Layers, Recipe]:
    """One linear layer, a row of weights a class."""
    return [("linear", nn.Linear(prod(input_shape), outputs))], FULL_BATCH


def _scale_units(units: int, width: float) -> int:
    """A layer's units in a network of so many times the width; at least one."""
    return max(1, round(width * units))


def _build_multilayer(inputs: int, hidden: tuple[int, ...], outputs: int, width: float) -> Layers:
    layers: Layers = []
    sizes = [inputs, *(_scale_units(units, width) for units in hidden), outputs]
    for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        layers.append((f"fc{number}", nn.Linear(inputs, outputs)))
        layers.append((f"relu{number}", nn.ReLU()))
    return layers[:-1]


def mlp(input_shape: Shape, outputs: int, width: float = 1.0) -> tuple[Layers, Recipe]:
    """Hidden layers of 256 and 128 rectified units."""
    return _build_multilayer(prod(input_shape), (256, 128), outputs, width), MINI_BATCH


def lenet300(input_shape: Shape, outputs: int, width: float = 1.0) -> tuple[Layers, Recipe]:
    """LeNet-300-100: hidden layers of 300 and 100 rectified units (LeCun et al. 1998)."""
    return _build_multilayer(prod(input_shape), (300, 100), outputs, width), MINI_BATCH


def lenet5(input_shape: Shape, outputs: int, width: float = 1.0) -> tuple[Layers, Recipe]:
    """LeNet-5 with rectified units and maximum pooling (LeCun et al. 1998)."""
    channels, rows, columns = input_shape
    first, second, third, fourth = (_scale_units(units, width) for units in (6, 16, 120, 84))
    flat = second * ((rows // 2 - 4) // 2) * ((columns // 2 - 4) // 2)
    return [
        ("image", nn.Unflatten(1, input_shape)),
        ("conv1", nn.Conv2d(channels, first, 5, padding=2)),
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(first, second, 5)),
        ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(2)),
        ("flat", nn.Flatten()),
        ("fc1", nn.Linear(flat, third)),
        ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(third, fourth)),
        ("relu4", nn.ReLU()),
        ("fc3", nn.Linear(fourth, outputs)),
    ], MINI_BATCH


def conv1d(input_shape: Shape, outputs: int, width: float = 1.0) -> tuple[Layers, Recipe]:
    """Three strided 1-D convolutions of 25 channels and a linear layer (Greydanus & Kobak 2020)."""
    channels, samples = input_shape
    units = _scale_units(25, width)
    for kernel in (5, 3, 3):
        samples = (samples + 2 - kernel) // 2 + 1
    return [
        ("signal", nn.Unflatten(1, input_shape)),
        ("conv1", nn.Conv1d(channels, units, 5, stride=2, padding=1)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv1d(units, units, 3, stride=2, padding=1)),
        ("relu2", nn.ReLU()),
        ("conv3", nn.Conv1d(units, units, 3, stride=2, padding=1)),
        ("relu3", nn.ReLU()),
        ("flat", nn.Flatten()),
        ("fc1", nn.Linear(units * samples, outputs)),
    ], Recipe(epochs=120, batch_size=64, learning_rate=3e-3, patience=15)


def build(
    model: str, data: DatasetFacts, outputs: int, seed: int, width: float = 1.0
) -> tuple[nn.Sequential, Recipe]:
    """A freshly initialised network for a dataset, and its recipe.

    Parameters
    ----------
    model : str
        A name of ``compression.MODELS``.
    data : Dataset, or anything with ``task`` and ``input_shape``
    outputs : int
        Number of classes, or 1.
    seed : int
        Of the initial weights; torch's global generator is left as it was.
    width : float
        Units of each hidden layer, in shares of the model's own.

    Raises
    ------
    ArgumentError
        There is no such model.
    NotApplicableError
        The model cannot learn this dataset, or has no hidden layer and no other width; the
        message says why.
    """
    entry = find(MODELS, model, "model")
    reason = entry.fits(data)
    if reason:
        fitting = [name for name, other in MODELS.items() if other.fits(data) is None]
        raise NotApplicableError(f"{entry.title} {reason}: choose {' or '.join(fitting)}")
    if width != 1 and not entry.scalable:
        raise NotApplicableError(
            f"{entry.title} has no hidden layer that could have fewer units: choose width 1"
        )
    settings = {"width": width} if entry.scalable else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers, recipe = entry.load()(tuple(data.input_shape), outputs, **settings)
    return nn.Sequential(OrderedDict(layers)), recipe


def recipe_of(model: str, data: DatasetFacts) -> Recipe:
    """The recipe of a model for a dataset."""
    with torch.device("meta"):
        return find(MODELS, model, "model").load()(tuple(data.input_shape), 1)[1]
