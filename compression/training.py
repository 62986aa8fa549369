"""One loop for all that trains: references, fine-tuning, projected training."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.optim.adam import adam

from . import evaluation, models
from .argument_checks import check_arguments
from .arrays import check_plain
from .errors import ArgumentError, NotConvergedError
from .network import forward_in_blocks
from .report import Report as Report
from .report import keep_going as keep_going
from .threads import in_one_thread

BATCH_SIZE = 256  # of fine-tuning: it starts near the solution, where few steady steps do
MAX_WIDTH = 8  # shares of a model's own units
LARGEST_SEED = 2**32 - 1


class DatasetLike(Protocol):
    """What is needed of a dataset: flat samples as rows, and which rows to learn from."""

    name: str
    task: str
    x_train: NDArray
    y_train: NDArray
    x_test: NDArray
    y_test: NDArray
    fit_rows: NDArray
    validation_rows: NDArray

    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def outputs(self) -> int: ...
    @property
    def fingerprint(self) -> str: ...


def pick_device(device: str) -> torch.device:
    """``auto``: an accelerator where torch has one, else the CPU."""
    if device != "auto":
        try:
            return torch.device(device)
        except RuntimeError as error:
            raise ArgumentError(f"there is no device {device!r}: choose auto or cpu") from error
    if torch.accelerator.is_available():
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    return torch.device("cpu")


def loss_of(
    task: str, reduction: str = "mean"
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Cross-entropy in nats, or ½ the squared error: the mean, or each sample's ("none")."""
    if task == "classification":
        return partial(functional.cross_entropy, reduction=reduction)
    return lambda outputs, target: (
        0.5 * functional.mse_loss(outputs[:, 0], target, reduction=reduction)
    )


class SampleTensors:
    """A dataset's rows as tensors: all of them in one, so that one pass evaluates every part."""

    def __init__(self, dataset: DatasetLike, device: torch.device | str = "cpu"):
        self.task = dataset.task
        for name in ("x_train", "y_train", "x_test", "y_test"):
            check_plain(getattr(dataset, name), f"the values of {name}")
        _check_parts(dataset)
        self.x = torch.from_numpy(np.concatenate([dataset.x_train, dataset.x_test])).to(device)
        self.y = torch.from_numpy(np.concatenate([dataset.y_train, dataset.y_test])).to(device)
        self.fit = torch.from_numpy(np.asarray(dataset.fit_rows)).to(device)
        self.validation = torch.from_numpy(np.asarray(dataset.validation_rows)).to(device)
        self.trained = len(dataset.x_train)  # the test part begins at this row

    def outputs(self, network: nn.Module) -> torch.Tensor:
        """A network's outputs for all rows."""
        return forward_in_blocks(network, self.x)


def _check_parts(dataset: DatasetLike) -> None:
    parts = (dataset.fit_rows, dataset.validation_rows, dataset.x_test)
    for purpose, rows in zip(("to learn from", "to choose by", "to test with"), parts, strict=True):
        if not len(rows):
            raise ArgumentError(
                f"{dataset.name!r} has no rows {purpose}: give a dataset with rows in each part"
            )


class _Adam:
    """Adam (Kingma & Ba 2015) through torch's functional form.

    The class form, ``torch.optim.Adam``, imports torch's compiler at its first use: two seconds
    that a first visitor would wait for nothing.
    """

    def __init__(self, parameters: list[nn.Parameter], learning_rate: float):
        self._parameters: list[torch.Tensor] = list(parameters)
        self._learning_rate = learning_rate
        self._means = [torch.zeros_like(p) for p in parameters]
        self._squares = [torch.zeros_like(p) for p in parameters]
        self._steps = [torch.zeros((), device=p.device) for p in parameters]
        self._fused = parameters[0].device.type in ("cpu", "cuda")

    def step(self, loss: torch.Tensor) -> None:
        gradients = torch.autograd.grad(loss, self._parameters)
        with torch.no_grad():
            adam(
                self._parameters,
                list(gradients),
                self._means,
                self._squares,
                [],
                self._steps,
                fused=self._fused,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=self._learning_rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )


@dataclass(eq=False)
class Trainer:
    """Adam over a network's parameters, as often as ``run`` is called.

    The optimiser's state outlives a run: a sequence of neighbouring problems starts warm.

    Parameters
    ----------
    network : torch module
        Trained in place.
    samples : SampleTensors
    learning_rate : float
    batch_size : int or None
        None: full batch.
    seed : int
        Of the order of the rows.
    after_step : callable, optional
        Called after every optimiser step, for projections.
    penalty : callable, optional
        Returns a term to be added to the loss.
    """

    network: nn.Module
    samples: SampleTensors
    learning_rate: float
    batch_size: int | None = 64
    seed: int = 0
    after_step: Callable[[], None] | None = None
    penalty: Callable[[], torch.Tensor] | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    epochs: int = field(default=0, init=False)  # epochs trained so far
    # The loss takes the outputs times this factor.
    output_scale: float = field(default=1.0, init=False)

    def __post_init__(self) -> None:
        self._adam = _Adam(list(self.network.parameters()), self.learning_rate)
        self._order = torch.Generator().manual_seed(self.seed)
        self._loss = loss_of(self.samples.task)

    def run_epoch(self) -> float:
        """One pass over the training rows; returns the mean loss seen on the way."""
        self.network.train()
        rows = self.samples.fit
        if self.batch_size is None or self.batch_size >= len(rows):
            batches = [rows]
        else:
            order = torch.randperm(len(rows), generator=self._order).to(rows.device)
            batches = list(rows[order].split(self.batch_size))
        total = 0.0
        for batch in batches:
            outputs = self.output_scale * self.network(self.samples.x[batch])
            loss = self._loss(outputs, self.samples.y[batch])
            step_loss = loss if self.penalty is None else loss + self.penalty()
            self._adam.step(step_loss)
            if self.after_step is not None:
                self.after_step()
            total += float(loss.detach()) * len(batch)
        self.network.eval()
        self.epochs += 1
        return total / len(rows)

    def run(
        self,
        epochs: int,
        patience: int | None = None,
        report: Report = keep_going,
    ) -> list[dict[str, float]]:
        """Train; with ``patience`` the network ends as it was at its best validation loss.

        Returns
        -------
        list of dict
            One an epoch: epoch, train_loss, validation_loss, validation_score.

        Raises
        ------
        NotConvergedError
            The loss is no longer finite.
        """
        best, best_state, waited = np.inf, None, 0
        for number in range(epochs):
            train_loss = self.run_epoch()
            row = {"epoch": len(self.history) + 1, "train_loss": train_loss, **self._validate()}
            self.history.append(row)
            if not np.isfinite(train_loss):
                raise NotConvergedError(
                    f"the loss left the finite numbers in epoch {row['epoch']}: lower the learning"
                    f" rate (now {self.learning_rate:g})"
                )
            go_on = report(number + 1, epochs, lambda: list(self.history))
            if patience is not None:
                waited += 1
                if row["validation_loss"] < best:
                    best, waited = row["validation_loss"], 0
                    best_state = {k: v.clone() for k, v in self.network.state_dict().items()}
                if waited >= patience:
                    break
            if not go_on:
                break
        if best_state is not None:
            self.network.load_state_dict(best_state)
        return self.history

    def _validate(self) -> dict[str, float]:
        rows = self.samples.validation
        outputs, target = (
            forward_in_blocks(self.network, self.samples.x[rows]),
            self.samples.y[rows],
        )
        loss = float(self._loss(outputs, target))
        predicted = evaluation.predictions(outputs.cpu().numpy(), self.samples.task)
        score = evaluation.score(predicted, target.cpu().numpy(), self.samples.task)
        return {"validation_loss": loss, "validation_score": score}


@dataclass(frozen=True, eq=False)
class Reference:
    """A trained model: what every compressed one is held against.

    Attributes
    ----------
    network : torch module
        In eval mode, on the CPU.
    history : DataFrame
        One row an epoch: epoch, train_loss, validation_loss, validation_score.
    score : float
        Accuracy or R² on the test part.
    interval : evaluation.Interval
        95 % interval of the score.
    model, dataset : str
        Names in the catalogues.
    seed : int
        Of the initial weights, and of other draws that are not an order of rows.
    seconds : float
        Training time.
    fingerprint : str
        Of the dataset that it was trained on; "": it is not known, and nothing is checked.
    epochs, learning_rate : number, optional
        As they were asked for; None: the model's own recipe.
    width : float
        Units of each hidden layer, in shares of the model's own.
    order : int, optional
        Seed of the order of the rows in all training; None: ``seed``.
    """

    network: nn.Sequential
    history: pd.DataFrame
    score: float
    interval: evaluation.Interval
    model: str
    dataset: str
    seed: int
    seconds: float
    fingerprint: str = ""
    epochs: int | None = None
    width: float = 1.0
    learning_rate: float | None = None
    order: int | None = None

    @property
    def order_seed(self) -> int:
        """Seed of the order of the rows."""
        return self.seed if self.order is None else self.order


def samples_for(reference: Reference, dataset: DatasetLike) -> SampleTensors:
    """The rows that a reference is judged on.

    Raises
    ------
    ArgumentError
        The reference was trained on other rows, which may stand in this dataset's test part; its
        network does not fit the dataset; or a part of the dataset has no rows.
    """
    if reference.fingerprint and reference.fingerprint != dataset.fingerprint:
        raise ArgumentError(
            f"the reference was trained on another dataset or split than this {dataset.name!r}: its "
            "training rows may stand in this test part; give the dataset that it was trained on, "
            "loaded with the same seed"
        )
    samples = SampleTensors(dataset)
    check_fit(reference.network, samples, dataset)
    return samples


def check_fit(network: nn.Module, samples: SampleTensors, dataset: DatasetLike) -> None:
    """Raises ArgumentError unless a network takes a dataset's samples and gives its outputs."""
    try:
        outputs = forward_in_blocks(network, samples.x[:1])
    except RuntimeError:
        raise ArgumentError(
            f"the network does not take samples of {samples.x.shape[1]} values, which {dataset.name!r} "
            "has: give the dataset that it was made for"
        ) from None
    check_outputs(outputs, dataset)


def check_outputs(outputs: torch.Tensor, dataset: DatasetLike) -> None:
    """Raises ArgumentError unless there is a logit a class, or one number for a regression."""
    count = outputs.shape[1] if outputs.ndim == 2 else "no row of"
    if count == dataset.outputs:
        return
    gives = f"the network gives {count} output{'' if count == 1 else 's'}"
    if dataset.task == "classification":
        raise ArgumentError(
            f"{gives}, the data has {dataset.outputs} classes: give a network with one output a "
            "class (two for a yes or no)"
        )
    raise ArgumentError(f"{gives}, a regression needs 1: give a network with one output")


def check_seed(seed: int) -> None:
    """Raises ArgumentError unless every generator here takes a seed."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ArgumentError(f"seed {seed} is not possible: choose 0 to {LARGEST_SEED}")


@check_arguments
@in_one_thread
def train(
    dataset: DatasetLike,
    model: str = "mlp",
    seed: int = 0,
    epochs: int | None = None,
    *,
    width: float = 1.0,
    learning_rate: float | None = None,
    order: int | None = None,
    device: str = "auto",
    report: Report = keep_going,
) -> Reference:
    """Train a reference on the training part, watched on its validation part.

    Parameters
    ----------
    dataset : Dataset
    model : str
        A name of ``compression.MODELS`` that fits the dataset.
    seed : int
        Of the initial weights and, unless ``order`` is given, of the order of the rows.
    epochs : int, optional
        The most epochs; the model's own recipe says when left out.
    width : float
        Units of each hidden layer, in shares of the model's own; above 0, at most 8.
    learning_rate : float, optional
        Adam's step size, above 0; the model's own recipe says when left out.
    order : int, optional
        Seed of the order of the rows.
    device : str
        A torch device, or ``auto``.
    report : callable
        Called after each epoch with (done, total, a function that gives the
        history so far); returning False stops the
        training and keeps the best network so far.

    Raises
    ------
    ArgumentError
        Unknown model or device, fewer than one epoch, a width or rate out of range, a
        dataset of which a part has no rows, or a model whose outputs are not those that it asks
        for.
    NotApplicableError
        The model cannot learn this dataset, or has no hidden layer and no other width.
    NotConvergedError
        The loss left the finite numbers.
    """
    if not 0 < width <= MAX_WIDTH:
        raise ArgumentError(f"a width of {width:g} is not possible: choose above 0 to {MAX_WIDTH}")
    if learning_rate is not None and not 0 < learning_rate < np.inf:
        raise ArgumentError(
            f"a learning rate of {learning_rate:g} is not possible: choose a finite one above 0"
        )
    if epochs is not None and epochs < 1:
        raise ArgumentError(f"{epochs} epochs train nothing: choose 1 or more")
    for each in (seed, seed if order is None else order):
        check_seed(each)
    begin = time.perf_counter()
    place = pick_device(device)
    samples = SampleTensors(dataset, place)
    network, recipe = models.build(model, dataset, dataset.outputs, seed, width)
    network.to(place).eval()
    check_fit(network, samples, dataset)
    trainer = Trainer(
        network,
        samples,
        learning_rate or recipe.learning_rate,
        recipe.batch_size,
        seed if order is None else order,
    )
    history = trainer.run(epochs or recipe.epochs, recipe.patience, report)
    network.cpu().eval()
    outputs = forward_in_blocks(network, torch.from_numpy(dataset.x_test)).numpy()
    predicted = evaluation.predictions(outputs, dataset.task)
    low, high = evaluation.Comparison(predicted, dataset.y_test, dataset.task).intervals(
        predicted[None]
    )
    return Reference(
        network=network,
        history=pd.DataFrame(history),
        score=evaluation.score(predicted, dataset.y_test, dataset.task),
        interval=evaluation.Interval(float(low[0]), float(high[0])),
        model=model,
        dataset=dataset.name,
        seed=seed,
        seconds=time.perf_counter() - begin,
        fingerprint=dataset.fingerprint,
        epochs=epochs,
        width=width,
        learning_rate=learning_rate,
        order=order,
    )
