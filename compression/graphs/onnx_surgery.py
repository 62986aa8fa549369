"""Two nodes in place of one: a graph whose weight is a product of factors."""

import numpy as np
import onnx_ir as ir

from .onnx_uses import Source, Use, attribute, orientation
from .spectra import Array
from .weights import CONVOLUTION

_FIRST_ALONE = ("strides", "pads", "dilations", "auto_pad")


def replace(model: ir.Model, source: Source, factors: tuple[Array, Array]) -> None:
    """Let every node that takes a weight take its factors, one after the other.

    ``factors``: (m, k) and (k, n), whose product is the matrix of the first use.
    """
    first = source.uses[0]
    for use in source.uses:
        left, right = factors
        if orientation(use, first):
            left, right = right.T, left.T
        _Factors(model, source, use, left, right).apply()


def put_initializer(model: ir.Model, name: str, values: Array) -> ir.Value:
    """An array as a constant of the graph; nothing there has that name yet."""
    tensor = ir.tensor(np.ascontiguousarray(values), name=name)
    value = ir.Value(
        name=name,
        shape=ir.Shape(values.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    model.graph.register_initializer(value)
    return value


class _Factors:
    """The two factors as one node takes them."""

    def __init__(
        self, model: ir.Model, source: Source, use: Use, left: Array, right: Array
    ) -> None:
        self.model, self.stem, self.use = model, str(source.value.name), use
        self.left, self.right = left, right
        self.node = use.node
        assert self.node.graph is not None
        self.graph = self.node.graph

    def apply(self) -> None:
        if self.use.kind == CONVOLUTION:
            self._convolution()
        elif self.use.place == 1:
            self._from_the_right()
        else:
            first = self._insert("MatMul", self._constant("right", self.right), self.node.inputs[1])
            self.node.replace_input_with(0, self._constant("left", self.left))
            self.node.replace_input_with(1, first)

    def _from_the_right(self) -> None:
        """x · Wᵀ, by MatMul or Gemm; a Gemm keeps its bias and its scales for the second factor."""
        x = self.node.inputs[0]
        if attribute(self.node, "transA", 0):
            x = self._insert("Transpose", x, perm=[1, 0])
            self.node.attributes.pop("transA")
        first = self._insert("MatMul", x, self._constant("right", self.right.T))
        self.node.attributes.pop("transB", None)
        self.node.replace_input_with(0, first)
        self.node.replace_input_with(1, self._constant("left", self.left.T))

    def _convolution(self) -> None:
        kernel = self.use.values.shape
        rank, ones = self.left.shape[1], (1,) * (len(kernel) - 2)
        right = self._constant("right", self.right.reshape(rank, *kernel[1:]))
        settings = {
            name: value.value
            for name, value in self.node.attributes.items()
            if name in (*_FIRST_ALONE, "kernel_shape")
        }
        first = self._insert("Conv", self.node.inputs[0], right, **settings)
        for name in _FIRST_ALONE:
            self.node.attributes.pop(name, None)
        self.node.attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", ones)
        self.node.replace_input_with(0, first)
        self.node.replace_input_with(1, self._constant("left", self.left.reshape(-1, rank, *ones)))

    def _insert(self, operator: str, *inputs: ir.Value | None, **settings: object) -> ir.Value:
        """The output of a new node before the old one."""
        name = self._free_name(f"{self.node.name or self.stem}_{operator.lower()}")
        new = ir.node(operator, inputs, settings or None, name=name)  # type: ignore[arg-type]
        new.outputs[0].name = self._free_name(f"{name}_output")
        new.outputs[0].type = self.node.outputs[0].type
        self.graph.insert_before(self.node, new)
        return new.outputs[0]

    def _constant(self, half: str, values: Array) -> ir.Value:
        """A factor as the graph holds it, once where another node takes the same or its turn."""
        values = np.ascontiguousarray(values).astype(self.use.values.dtype)
        known = self.model.graph.initializers
        for name in (f"{self.stem}.left", f"{self.stem}.right"):
            held = known[name].const_value if name in known else None
            if held is None or held.size != values.size:
                continue
            if np.array_equal(held.numpy(), values):
                return known[name]
            if values.ndim == 2 and np.array_equal(held.numpy().T, values):
                return self._insert("Transpose", known[name], perm=[1, 0])
        name, number = f"{self.stem}.{half}", 1
        while name in known:
            number += 1
            name = f"{self.stem}.{half}.{number}"
        return put_initializer(self.model, name, values)

    def _free_name(self, name: str) -> str:
        taken = {str(value.name) for node in self.model.graph.all_nodes() for value in node.outputs}
        taken |= {str(node.name) for node in self.model.graph.all_nodes()}
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        return free
