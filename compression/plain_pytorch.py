"""A compressed network for PyTorch alone: a state dict, and the few lines that build its modules.

The state dict is read with ``weights_only=True``; the code names nothing of this package. Rank
shows in it: a compressed layer is two small layers in a row.
"""

import copy
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import rebuild
from .argument_checks import check_arguments
from .atomic_file import write_whole
from .errors import StorageError
from .network import COMPRESSIBLE, LowRankPlusSparseLayer, children_of, features_of

_SUM = '''class Sum(nn.Module):
    """What two layers give together."""

    def __init__(self, low_rank, sparse):
        super().__init__()
        self.low_rank, self.sparse = low_rank, sparse

    def forward(self, x):
        return self.low_rank(x) + self.sparse(x)


'''


@dataclass(frozen=True)
class PlainNetwork:
    """What :func:`export_pytorch` wrote.

    Attributes
    ----------
    code : str
        Python that builds the network and loads the file, by the name it was written under.
    difference : float
        Largest difference between outputs of the network and of what was read back.
    """

    code: str
    difference: float


@check_arguments
def export_pytorch(network: nn.Sequential, path: str | os.PathLike) -> PlainNetwork:
    """Write a network's state dict; the file appears whole or not at all, after a comparison.

    Constrained and quantised layers are written as the dense ones that they are at run time.

    Raises
    ------
    StorageError
        A layer is not of this package's, or what was read back gives other outputs.
    NotApplicableError
        The first layer does not say how many features a sample has.
    """
    code = write_code(network, Path(path).name)
    content = pytorch_bytes(network)
    difference = compare_outputs(network, content)
    write_whole(content, Path(path))
    return PlainNetwork(code, difference)


def pytorch_bytes(network: nn.Sequential) -> bytes:
    """The state dict's file."""
    state = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def write_code(network: nn.Sequential, file_name: str) -> str:
    """Python that builds the modules and loads the file; raises StorageError as the export."""
    rebuild.check_type(network, "")
    chain = _write_expression(network, "", 0)
    summed = any(isinstance(module, LowRankPlusSparseLayer) for module in network.modules())
    return (
        "from collections import OrderedDict\n\nimport torch\nfrom torch import nn\n\n"
        f"{chr(10) + _SUM if summed else ''}network = {chain}\n"
        f"state = torch.load({file_name!r}, weights_only=True)\n"
        "network.load_state_dict(state, assign=True)  # assign: the file's own types\n"
        "network.eval()\n"
    )


def _write_expression(module: nn.Module, name: str, depth: int) -> str:
    """The call that builds a module, indented by its depth."""
    rebuild.check_type(module, name)
    indent = "    " * (depth + 1)
    if not isinstance(module, (nn.Sequential, LowRankPlusSparseLayer)):
        return _write_constructor(module, name)
    parts = {
        child: _write_expression(part, f"{name}.{child}".lstrip("."), depth + 1)
        for child, part in children_of(module).items()
    }
    if isinstance(module, LowRankPlusSparseLayer):
        lines = [f"{indent}{child}={part},\n" for child, part in parts.items()]
        return f"Sum(\n{''.join(lines)}{indent[4:]})"
    lines = [f"{indent}({child!r}, {part}),\n" for child, part in parts.items()]
    return f"nn.Sequential(OrderedDict([\n{''.join(lines)}{indent[4:]}]))"


def _write_constructor(module: Any, name: str) -> str:
    line = rebuild.describe(module, name)
    kind, positional = next(iter(line.items()))
    settings = {key: _as_tuple(value) for key, value in line.get("settings", {}).items()}
    if kind == "unflatten":
        positional = [settings.pop("dim", 1), positional]
    if type(module) in COMPRESSIBLE and module.bias is None:
        settings["bias"] = False
    arguments = [repr(_as_tuple(value)) for value in positional]
    arguments += [f"{key}={value!r}" for key, value in settings.items()]
    return f"nn.{type(module).__name__}({', '.join(arguments)})"


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


@torch.no_grad()
def compare_outputs(network: nn.Sequential, content: bytes) -> float:
    """The largest difference of an output between a network and its file's, which has to be 0.

    Raises StorageError where it is not.
    """
    before = copy.deepcopy(network).cpu().eval()
    after = copy.deepcopy(before)
    for parameter in after.parameters():
        parameter.zero_()
    after.load_state_dict(torch.load(io.BytesIO(content), weights_only=True), assign=True)
    first = next(before.parameters(), torch.empty(0))
    numbers = torch.Generator().manual_seed(0)
    x = torch.randn(3, features_of(before), generator=numbers).to(first.dtype)
    expected, restored = before(x), after(x)
    if not torch.equal(expected, restored):
        raise StorageError(
            "what was read back gives other outputs: a weight is not finite, or stands at two places"
        )
    return float((expected - restored).abs().max()) if expected.numel() else 0.0
