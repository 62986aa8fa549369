"""A bag of named tensors: safetensors files and state dicts, with no graph that says their use."""

from collections.abc import Mapping

from ..errors import NotApplicableError, StorageError
from .limits import show
from .model import Model, Ranks
from .spectra import Array
from .tensors import Tensor, encode_values, write_safetensors
from .weights import (
    CONVOLUTION,
    EMBEDDING,
    FACTOR,
    LINEAR,
    REASONS,
    RECURRENT,
    STACK,
    Weight,
    explain_same_tensor,
    explain_too_small,
)

_EMBEDDINGS = ("embed", "emb.", "wte", "wpe", "relative_attention_bias", "lookup")
_RECURRENT = ("weight_ih", "weight_hh")
_HALVES = (".left", ".right")


class Bag(Model):
    """A model as a bag of tensors.

    Attributes
    ----------
    tensors : mapping of str to Tensor
    file_name : str
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        file_name: str,
        file_bytes: int,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        # The structure that compression.save writes does not describe a file with factors in it.
        remarks = {k: v for k, v in (metadata or {}).items() if k != "compression"}
        self.tensors, self.file_name, self.metadata = dict(tensors), file_name, remarks
        self.file_bytes = file_bytes
        names = [name for name, tensor in self.tensors.items() if tensor.holds_weights]
        alike = _find_alike({name: self.tensors[name] for name in names})
        self.parameters = sum(self.tensors[name].size for name in names if name in alike)
        self.weights = tuple(
            _describe(name, self.tensors, others)
            for name, others in alike.items()
            if _is_matrix(self.tensors[name])
        )

    def matrix(self, layer: str) -> Array:
        weight = self.weight(layer)
        return self.tensors[weight.name].values().reshape(weight.matrix_shape)

    def compressed(self, ranks: Ranks) -> "Bag":
        """A factor file's tensors: ``<weight>.left`` and ``<weight>.right``, the rest as it was."""
        tensors = dict(self.tensors)
        for layer, rank in self.check_ranks(ranks).items():
            factors = self.factors(layer, rank)
            for name in (layer, *self.weight(layer).aliases):
                dtype = tensors.pop(name).dtype
                for half, factor in zip(_HALVES, (factors.left, factors.right), strict=True):
                    if name + half in tensors:
                        raise NotApplicableError(
                            f"layer {show(name)}: there is a tensor {show(name + half)} already"
                        )
                    tensors[name + half] = encode_values(factor, dtype)
        smaller = Bag(tensors, self.file_name, 0, self.metadata)
        smaller.file_bytes = sum(len(content) for content in smaller.to_bytes().values())
        return smaller

    def to_bytes(self) -> dict[str, bytes]:
        if self.file_name.lower().endswith(".safetensors"):
            return {self.file_name: write_safetensors(self.tensors, self.metadata)}
        from .checkpoint import write

        return {self.file_name: write(self.tensors)}


def read_bag(content: bytes, file_name: str, file_bytes: int | None = None) -> Bag:
    """The model of a safetensors file's content.

    Raises
    ------
    StorageError
        It is not such a file, or nothing in it is a weight.
    """
    from .tensors import read_safetensors

    tensors, metadata = read_safetensors(content)
    bag = Bag(tensors, file_name, file_bytes or len(content), metadata)
    if not bag.weights:
        raise StorageError(
            f"{show(file_name)} holds {len(tensors)} tensors, and none of them is a matrix of "
            "floating numbers: there is nothing to compress"
        )
    return bag


def _is_matrix(tensor: Tensor) -> bool:
    return len(tensor.shape) >= 2 and tensor.size > 0


def _find_alike(tensors: Mapping[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """The first name of each tensor -> its other names; small ones may be equal by chance."""
    first: dict[bytes | str, str] = {}
    groups: dict[str, list[str]] = {}
    for name, tensor in tensors.items():
        key = tensor.digest() if _is_matrix(tensor) and tensor.size >= 64 else name
        groups.setdefault(first.setdefault(key, name), []).append(name)
    return {names[0]: tuple(names[1:]) for names in groups.values()}


def _describe(name: str, tensors: Mapping[str, Tensor], others: tuple[str, ...]) -> Weight:
    shape = tensors[name].shape
    kind, reason = _classify_weight(name, shape, tensors)
    matrix_shape = (shape[0], tensors[name].size // shape[0])
    kinds = {other: _classify_weight(other, shape, tensors)[0] for other in others}
    if others and not reason:
        looked_up = [other for other, kind in kinds.items() if kind == EMBEDDING]
        reason = explain_same_tensor(show(looked_up[0])) if looked_up else ""
    elif others and kind == EMBEDDING:
        reason = explain_same_tensor(show(others[0]))
    reason = reason or explain_too_small(matrix_shape)
    each = len(tensors[name].data) // tensors[name].size
    return Weight(name, kind, shape, matrix_shape, 1, others, reason, each)


def _classify_weight(
    name: str, shape: tuple[int, ...], tensors: Mapping[str, Tensor]
) -> tuple[str, str]:
    """A weight's kind as far as name and shape say it, and what speaks against it."""
    lower = name.lower()
    if lower.endswith(_HALVES):
        stem = name.rsplit(".", 1)[0]
        if all(stem + half in tensors for half in _HALVES):
            return FACTOR, REASONS[FACTOR]
    if any(part in lower for part in _RECURRENT):
        return RECURRENT, REASONS[RECURRENT]
    if len(shape) == 2 and any(part in lower for part in _EMBEDDINGS):
        return EMBEDDING, REASONS[EMBEDDING]
    if len(shape) == 2:
        return LINEAR, ""
    if len(shape) in (4, 5) or (len(shape) == 3 and shape[2] <= 64):
        if shape[1] == 1 and shape[0] > 1:
            return CONVOLUTION, (
                "has one input channel: its tensor alone does not say whether it is a grouped "
                "convolution, whose factors would be larger"
            )
        return CONVOLUTION, ""
    return STACK, REASONS[STACK]
