"""Two nodes in place of one: a graph whose weight is a product of factors."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from ..factors import Factors
from .onnx_uses import Source, Use, find_orientation, read_attribute
from .spectra import Array
from .weights import CONVOLUTION, LINEAR

EXCHANGED = ":exchanged"
_FIRST_ALONE = ("strides", "pads", "dilations", "auto_pad")


def replace(model: ir.Model, source: Source, factors: Factors) -> None:
    """Let every node that takes a weight take its factors, one after the other.

    ``factors``: their product is the matrix of the first use; its bias shift belongs to the
    outputs of that matrix.
    """
    first = source.uses[0]
    for use in source.uses:
        left, right = factors.left, factors.right
        if find_orientation(use, first):
            left, right = right.T, left.T
        _NodeFactors(model, source, use, left, right).apply()
        if factors.bias_shift.any():
            shift_bias(model, use, factors.bias_shift)


def exchange(model: ir.Model, source: Source, weight: Array, bias_shift: Array) -> None:
    """Let every node that takes a weight take another of the same form; all take the same numbers.

    Parameters
    ----------
    weight : ndarray, shape (outputs, inputs · spatial)
        In the place of the first use's matrix.
    bias_shift : ndarray, shape (outputs,)
    """
    first = source.uses[0]
    shape, dtype = first.values.shape, first.values.dtype
    turned = (
        first.kind == LINEAR and first.place == 1 and not read_attribute(first.node, "transB", 0)
    )
    values = (weight.T if turned else weight).reshape(shape).astype(dtype)
    new = put_initializer(model, f"{source.value.name}{EXCHANGED}", values)
    for use in source.uses:
        use.node.replace_input_with(use.place, new)
        if bias_shift.any():
            shift_bias(model, use, bias_shift)


def take_name(model: ir.Model, name: str) -> None:
    """Let an exchanged weight have the name of the one before it, which nothing takes any more."""
    initializers = model.graph.initializers
    if name in initializers or f"{name}{EXCHANGED}" not in initializers:
        return
    value = initializers.pop(f"{name}{EXCHANGED}")
    value.name = name
    model.graph.register_initializer(value)


def shift_bias(model: ir.Model, use: Use, shift: Array) -> None:
    """Add a number an output to what a layer gives: in its bias, or else by a node after it."""
    node = use.node
    name = _find_free_tensor(model, f"{node.name or node.outputs[0].name}.shifted_bias")
    shift = read_attribute(node, "alpha", 1.0) * shift
    scale, bias = read_attribute(node, "beta", 1.0), _read_bias(node)
    if bias is not None and scale:
        values = (bias + shift / scale).astype(use.values.dtype)
        node.resize_inputs(3)
        node.replace_input_with(2, put_initializer(model, name, values))
        return
    behind = use.values.ndim - 2 if use.kind == CONVOLUTION else int(use.place == 0)
    values = shift.reshape(-1, *(1,) * behind).astype(use.values.dtype)
    given = node.outputs[0]
    add = ir.node("Add", [given, put_initializer(model, name, values)], name=f"{name}.add")
    add.outputs[0].name, add.outputs[0].type = f"{name}.sum", given.type
    if given.is_graph_output():  # callers of the graph know this name
        add.outputs[0].name, given.name = given.name, f"{name}.given"
    assert node.graph is not None
    node.graph.insert_after(node, add)
    ir.convenience.replace_all_uses_with(given, add.outputs[0], replace_graph_outputs=True)
    add.replace_input_with(0, given)


def _read_bias(node: ir.Node) -> NDArray[np.float64] | None:
    """A bias that a constant can take the place of, (outputs,) or (1,); None: there can be none."""
    if node.op_type not in ("Gemm", "Conv"):
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    if bias is None:
        return np.zeros(1)
    if bias.const_value is None or bias.is_graph_input():
        return None
    values = np.atleast_1d(bias.const_value.numpy()).astype(np.float64)
    return values.reshape(-1) if values.size == values.shape[-1] else None


def _find_free_tensor(model: ir.Model, stem: str) -> str:
    """A name that no constant of the graph has."""
    name, number = stem, 1
    while name in model.graph.initializers:
        number += 1
        name = f"{stem}.{number}"
    return name


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


class _NodeFactors:
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
            self._replace_convolution()
        elif self.use.place == 1:
            self._from_the_right()
        else:
            first = self._insert(
                "MatMul", self._put_constant("right", self.right), self.node.inputs[1]
            )
            self.node.replace_input_with(0, self._put_constant("left", self.left))
            self.node.replace_input_with(1, first)

    def _from_the_right(self) -> None:
        """x · Wᵀ, by MatMul or Gemm; a Gemm keeps its bias and its scales for the second factor."""
        x = self.node.inputs[0]
        if read_attribute(self.node, "transA", 0):
            x = self._insert("Transpose", x, perm=[1, 0])
            self.node.attributes.pop("transA")
        first = self._insert("MatMul", x, self._put_constant("right", self.right.T))
        self.node.attributes.pop("transB", None)
        self.node.replace_input_with(0, first)
        self.node.replace_input_with(1, self._put_constant("left", self.left.T))

    def _replace_convolution(self) -> None:
        kernel = self.use.values.shape
        rank, ones = self.left.shape[1], (1,) * (len(kernel) - 2)
        right = self._put_constant("right", self.right.reshape(rank, *kernel[1:]))
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
        self.node.replace_input_with(
            1, self._put_constant("left", self.left.reshape(-1, rank, *ones))
        )

    def _insert(self, operator: str, *inputs: ir.Value | None, **settings: object) -> ir.Value:
        """The output of a new node before the old one."""
        name = self._find_free_name(f"{self.node.name or self.stem}_{operator.lower()}")
        new = ir.node(operator, inputs, settings or None, name=name)  # type: ignore[arg-type]
        new.outputs[0].name = self._find_free_name(f"{name}_output")
        new.outputs[0].type = self.node.outputs[0].type
        self.graph.insert_before(self.node, new)
        return new.outputs[0]

    def _put_constant(self, half: str, values: Array) -> ir.Value:
        """A factor as the graph holds it, once where another node takes the same or its turn."""
        values = np.ascontiguousarray(values).astype(self.use.values.dtype)
        known = self.model.graph.initializers
        for name in (f"{self.stem}.left", f"{self.stem}.right"):
            existing = known[name].const_value if name in known else None
            if existing is None or existing.size != values.size:
                continue
            if np.array_equal(existing.numpy(), values):
                return known[name]
            if values.ndim == 2 and np.array_equal(existing.numpy().T, values):
                return self._insert("Transpose", known[name], perm=[1, 0])
        return put_initializer(
            self.model, _find_free_tensor(self.model, f"{self.stem}.{half}"), values
        )

    def _find_free_name(self, name: str) -> str:
        taken = {str(value.name) for node in self.model.graph.all_nodes() for value in node.outputs}
        taken |= {str(node.name) for node in self.model.graph.all_nodes()}
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        return free
