"""A torch module as a model: its weights, and its outputs with some of them replaced.

Nothing in the module is exchanged for another module: the data of its own parameters is, for as
long as somebody looks, and is put back whatever happens. So hooks, ties, branches and the module's
own ``forward`` stay what they are.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..argument_checks import check_arguments
from ..errors import NotApplicableError
from .bag import Bag
from .head import LOG_SOFTMAX, PLAIN, SOFTMAX, Head
from .limits import show
from .model import Model, Ranks
from .spectra import Array
from .tensors import Tensor
from .weights import (
    CONVOLUTION,
    EMBEDDING,
    GROUPED,
    LINEAR,
    REASONS,
    RECURRENT,
    STACK,
    TRANSPOSED,
    Weight,
    explain_same_tensor,
    explain_too_small,
)

BLOCK = 256  # samples that are run at once
_FLOATS = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_PARAMETRIZED = "is one part of a parametrization: call torch.nn.utils.parametrize.remove_parametrizations first"
_ELSEWHERE = "is used by the module's own code, which may do more than multiply by it"


class ModuleModel(Model):
    """A torch module as a model.

    Attributes
    ----------
    module : torch module
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._names = _list_names_by_parameter(module)
        self._parameters = {names[0]: parameter for parameter, names in self._names}
        self.parameters = sum(p.numel() for p in self._parameters.values())
        self.file_bytes = sum(p.numel() * p.element_size() for p in self._parameters.values())
        self.weights = tuple(
            weight
            for parameter, names in self._names
            if (weight := _describe(module, parameter, names)) is not None
        )

    def matrix(self, layer: str) -> Array:
        weight = self.weight(layer)
        values = self._parameters[weight.name].detach().cpu().double().numpy()
        return values.reshape(weight.matrix_shape)

    def compressed(self, ranks: Ranks) -> Bag:
        """The factor file of the module's state: see :func:`compression.restore`."""
        state = self.module.state_dict()
        tensors = {name: _read_plain(name, value) for name, value in state.items()}
        bag = Bag(tensors, "module.safetensors", self.file_bytes)
        return bag.compressed(self.check_ranks(ranks))

    def to_bytes(self) -> dict[str, bytes]:
        return self.compressed({}).to_bytes()

    @contextmanager
    def substitute(self, matrices: Mapping[str, Array]) -> Iterator[nn.Module]:
        """The module with other values in some weights, which are put back at the end.

        Parameters
        ----------
        matrices : mapping of str to ndarray
            Layer -> matrix (outputs, inputs · spatial); a tied weight changes at all its places.
        """
        originals: dict[str, torch.Tensor] = {}
        try:
            for layer, matrix in matrices.items():
                name = self.weight(layer).name
                parameter = self._parameters[name]
                values = torch.as_tensor(np.ascontiguousarray(matrix)).to(parameter)
                originals.setdefault(name, parameter.data)
                parameter.data = values.reshape(parameter.shape)
            yield self.module
        finally:
            for name, values in originals.items():
                self._parameters[name].data = values

    @torch.no_grad()
    def outputs(self, x: Any, ranks: Ranks | None = None) -> NDArray[np.float64]:
        """What the module gives for samples, with layers at ranks in the place of their own.

        Parameters
        ----------
        x : ndarray or tensor, shape (rows, ...)
        ranks : mapping of str to int or None, optional
            See :meth:`compressed`.

        Returns
        -------
        ndarray, shape (rows, ...)
        """
        matrices = {}
        for layer, rank in self.check_ranks(ranks or {}).items():
            matrices[layer] = self.factors(layer, rank).weight
        samples, training = torch.as_tensor(x), self.module.training
        with self.substitute(matrices) as module:
            module.eval()
            try:
                parts = [_take_first(module(part)) for part in samples.split(BLOCK)]
            finally:
                module.train(training)
        return torch.cat(parts).double().cpu().numpy()

    @torch.no_grad()
    def split_head(self, x: Any) -> tuple[Head, NDArray[np.float64]]:
        """The last linear layer that a call runs through, and what it takes for samples.

        Both are seen by hooks, which are gone afterwards.

        Raises
        ------
        NotApplicableError
            What the module gives is neither what a linear layer gives nor its softmax.
        """
        calls: list[tuple[str, torch.Tensor, torch.Tensor]] = []
        layers = {n: m for n, m in self.module.named_modules() if isinstance(m, nn.Linear)}
        hooks = [
            layer.register_forward_hook(
                lambda _, taken, given, name=name: calls.append((name, taken[0], given))
            )
            for name, layer in layers.items()
        ]
        parts, after, training = [], PLAIN, self.module.training
        self.module.eval()
        try:
            for part in torch.as_tensor(x).split(BLOCK):
                calls.clear()
                given = _take_first(self.module(part))
                ending = _find_end(calls[-1][2], given) if calls else None
                if ending is None or calls[-1][1].dim() != 2:
                    raise NotApplicableError(
                        "the module ends with something else than a linear layer (and softmax): "
                        "its training would not be convex"
                    )
                after, (name, taken, _) = ending, calls[-1]
                parts.append(taken)
        finally:
            self.module.train(training)
            for hook in hooks:
                hook.remove()
        layer = layers[name]
        weight = layer.weight.double().cpu().numpy()
        intercept = np.zeros(len(weight))
        if layer.bias is not None:
            intercept = layer.bias.double().cpu().numpy()
        head = Head(f"{name}.weight" if name else "weight", weight, intercept, after)
        return head, torch.cat(parts).double().cpu().numpy()

    def with_head(self, head: Head) -> Bag:
        """The file of the module's state with another head."""
        state = dict(self.module.state_dict())
        bias = f"{head.layer.removesuffix('weight')}bias"
        if head.layer not in state or bias not in state:
            raise NotApplicableError(
                f"the module has no {show(head.layer)} with a bias to put this head into"
            )
        for name, values in ((head.layer, head.weight), (bias, head.intercept)):
            state[name] = torch.as_tensor(values).to(state[name])
        tensors = {name: _read_plain(name, value) for name, value in state.items()}
        return Bag(tensors, "module.safetensors", self.file_bytes)


def _find_end(outputs: torch.Tensor, given: torch.Tensor) -> str | None:
    """What a module does with its last linear layer's outputs; None: something else."""
    if outputs.shape[0] != given.shape[0]:
        return None
    flat, ends = outputs.reshape(len(outputs), -1), given.reshape(len(given), -1)
    if flat.shape != ends.shape:
        return None
    ways = {PLAIN: flat, SOFTMAX: flat.softmax(1), LOG_SOFTMAX: flat.log_softmax(1)}
    return next((name for name, candidate in ways.items() if torch.allclose(candidate, ends)), None)


@check_arguments
def read_module(module: nn.Module) -> ModuleModel:
    """A torch module as a model of which weights, spectra and outputs can be asked.

    Its weights stay where they are; only :meth:`ModuleModel.substitute` changes them, and back.
    """
    return ModuleModel(module)


def _take_first(outputs: Any) -> torch.Tensor:
    """The first tensor of what a module gives."""
    while isinstance(outputs, (tuple, list, dict)):
        outputs = next(iter(outputs.values() if isinstance(outputs, dict) else outputs))
    return outputs


def _list_names_by_parameter(module: nn.Module) -> list[tuple[nn.Parameter, tuple[str, ...]]]:
    """Each parameter once, with all its names."""
    names: dict[int, list[str]] = {}
    parameters: dict[int, nn.Parameter] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
        parameters[id(parameter)] = parameter
    return [(parameters[key], tuple(aliases)) for key, aliases in names.items()]


def _describe(module: nn.Module, parameter: nn.Parameter, names: tuple[str, ...]) -> Weight | None:
    shape = tuple(parameter.shape)
    if parameter.dim() < 2 or parameter.numel() == 0 or parameter.dtype not in _FLOATS:
        return None
    kinds = [_classify_parameter(module, name) for name in names]
    kind, groups, reason = kinds[0]
    rows = shape[0] * shape[1] if kind == STACK else shape[0]
    matrix_shape = (rows, parameter.numel() // rows)
    blocked = [place for place, (_, _, why) in enumerate(kinds) if why]
    if blocked and len(blocked) < len(kinds):
        other = next(i for i in range(len(kinds)) if (i in blocked) != (0 in blocked))
        reason = explain_same_tensor(names[other])
    if parameter.is_meta:
        reason = "holds no values: it lies on the meta device"
    reason = reason or explain_too_small(matrix_shape)
    each = parameter.element_size()
    return Weight(names[0], kind, shape, matrix_shape, groups, names[1:], reason, each)


def _classify_parameter(module: nn.Module, name: str) -> tuple[str, int, str]:
    """Kind, groups and what speaks against it, from the module that holds the parameter."""
    path, _, last = name.rpartition(".")
    holder = module.get_submodule(path)
    if ".parametrizations." in f".{name}" or type(holder).__name__ == "ParametrizationList":
        return LINEAR, 1, _PARAMETRIZED
    if isinstance(holder, nn.Linear) or (
        isinstance(holder, nn.MultiheadAttention) and last.endswith("proj_weight")
    ):
        return LINEAR, 1, ""
    if isinstance(holder, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return TRANSPOSED, holder.groups, REASONS[TRANSPOSED]
    if isinstance(holder, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        grouped = holder.groups > 1
        kind = GROUPED if grouped else CONVOLUTION
        return kind, holder.groups, REASONS[GROUPED] if grouped else ""
    if isinstance(holder, (nn.Embedding, nn.EmbeddingBag)):
        return EMBEDDING, 1, REASONS[EMBEDDING]
    if isinstance(holder, (nn.RNNBase, nn.RNNCellBase)):
        return RECURRENT, 1, REASONS[RECURRENT]
    if isinstance(holder, nn.Bilinear):
        return STACK, 1, REASONS[STACK]
    return "other", 1, _ELSEWHERE


def _read_plain(name: str, value: Any) -> Tensor:
    from .checkpoint import plain_tensor

    if not isinstance(value, torch.Tensor):
        raise NotApplicableError(
            f"the module's state {show(name)} is no tensor: it cannot be written"
        )
    return plain_tensor(name, value.cpu())
