"""A model file's network in other readers' formats, each read back and run before it is given."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from . import factor_file, onnx_export, plain_pytorch
from .argument_checks import check_arguments
from .errors import CompressionError
from .storage import from_bytes


@dataclass(frozen=True)
class Export:
    """A network in one format.

    Attributes
    ----------
    kind : {"onnx", "pytorch", "factors"}
    content : bytes
        The file; empty where it was refused.
    difference : float
        Largest difference of an output between the network and what was read back, over a few
        random samples.
    refused : str
        Why there is no such file; empty where there is one.
    code : str
        Python that loads a PyTorch file, by the name that it was asked for under.
    """

    kind: str
    content: bytes = b""
    difference: float = 0.0
    refused: str = ""
    code: str = ""


@check_arguments
def convert_file(content: bytes, pytorch_name: str = "network.pt") -> list[Export]:
    """A file that ``compression.save`` wrote as an ONNX graph, a PyTorch and a factor file.

    As :func:`export_onnx`, :func:`export_pytorch` and :func:`export_factors` write them, with
    their comparisons. Raises StorageError where the content is no such file.
    """
    network = from_bytes(content)
    return [_convert(kind, network, pytorch_name) for kind in _FORMATS]


def _convert(kind: str, network: nn.Sequential, pytorch_name: str) -> Export:
    write, compare = _FORMATS[kind]
    try:
        code = plain_pytorch.write_code(network, pytorch_name) if kind == "pytorch" else ""
        content = write(network)
        return Export(kind, content, compare(network, content), code=code)
    except CompressionError as refusal:
        return Export(kind, refused=str(refusal))


_FORMATS: dict[
    str, tuple[Callable[[nn.Sequential], bytes], Callable[[nn.Sequential, bytes], float]]
] = {
    "onnx": (onnx_export.onnx_bytes, onnx_export.compare_outputs),
    "pytorch": (plain_pytorch.pytorch_bytes, plain_pytorch.compare_outputs),
    "factors": (factor_file.factor_bytes, factor_file.compare_outputs),
}
