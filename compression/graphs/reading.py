"""A model out of the bytes of its files."""

from collections.abc import Mapping

from ..argument_checks import check_arguments
from ..errors import StorageError
from .bag import read_bag
from .child import CHILD
from .limits import check_files, show
from .model import Model

CHECKPOINTS = (".pt", ".pth", ".bin", ".ckpt")
ADAPTER_PARTS = (".lora_A.", ".lora_B.", ".lora_down.", ".lora_up.")


@check_arguments
def read_model(files: Mapping[str, bytes]) -> Model:
    """A model of which weights, spectra and a smaller copy can be asked.

    Each file is read first by a process of its own, within limits of memory and time. Nothing in
    it is executed, and no path in it is opened.

    Parameters
    ----------
    files : mapping of str to bytes
        One of {"x.safetensors": ...}, {"x.pt": ...} (a state dict, also inside a checkpoint),
        {"x.onnx": ...}, or {"x.onnx": ..., "x.onnx.data": ...}.

    Raises
    ------
    StorageError
        The files are of no such kind, damaged, or larger than is read.
    """
    check_files(files)
    if any(name.lower().endswith(".onnx") for name in files):
        from .onnx_model import read_onnx  # import it here: its library takes a second

        CHILD.ask("onnx", files)
        return read_onnx(files)
    if len(files) > 1:
        raise StorageError(
            f"there are {len(files)} files: give one file, or an ONNX graph with its data"
        )
    (name, content), *_ = files.items()
    if name.lower().endswith(".safetensors"):
        CHILD.ask("safetensors", {name: content})
        return _refuse_adapters(read_bag(content, name), name)
    if name.lower().endswith(CHECKPOINTS):
        _, answer = CHILD.ask("checkpoint", {name: content})
        return _refuse_adapters(read_bag(answer["safetensors"], name, len(content)), name)
    raise StorageError(
        f"{show(name)} is of no kind that is read here: give a file named .onnx, .safetensors, "
        f"{', '.join(CHECKPOINTS)}"
    )


def _refuse_adapters(bag: Model, name: str) -> Model:
    if any(part in weight.name for weight in bag.weights for part in ADAPTER_PARTS):
        raise StorageError(
            f"{show(name)} holds LoRA adapters, which have a low rank already: "
            "compression.resize_adapter gives them another"
        )
    return bag
