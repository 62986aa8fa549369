"""How adapters' files name their tensors, and whether some files are an adapter's."""

import re
from collections.abc import Mapping

from ..errors import StorageError
from ..tensor_file import read_names

# PEFT's names of a layer's two tensors, its embeddings', kohya's, older diffusers'.
LAYOUTS = (
    (r"(?P<layer>.+)\.lora_A(?P<name>\.[^.]+)?\.weight", "{layer}.lora_B{name}.weight"),
    (r"(?P<layer>.+)\.lora_embedding_A(?P<name>\.[^.]+)?", "{layer}.lora_embedding_B{name}"),
    (r"(?P<layer>.+)\.lora_down(?P<name>)\.weight", "{layer}.lora_up.weight"),
    (r"(?P<layer>.+)\.lora\.down(?P<name>)\.weight", "{layer}.lora.up.weight"),
)


def are_adapter(files: Mapping[str, bytes]) -> bool:
    """Whether these files are a LoRA adapter's; numbers are not looked at."""
    if any(name.endswith(".json") for name in files):
        return True
    contents = [content for name, content in files.items() if name.endswith(".safetensors")]
    if len(contents) != 1:
        return False
    try:
        names = read_names(contents[0])
    except StorageError:  # whoever reads the file says what is wrong
        return False
    return any(re.fullmatch(pattern, name, re.DOTALL) for name in names for pattern, _ in LAYOUTS)
