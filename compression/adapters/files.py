"""An adapter's files: a safetensors file, and a config beside it."""

from collections.abc import Mapping

import torch

from ..errors import StorageError
from ..tensor_file import read_tensors
from .peft_config import PeftConfig, read_config


def read_files(files: Mapping[str, bytes]) -> tuple[dict[str, torch.Tensor], PeftConfig | None]:
    """The tensors, all finite, and the config where there is one; see :func:`read_adapter`."""
    tensors = read_tensors(files[find_weights_file(files)])
    config = find_config_file(files)
    return tensors, None if config is None else read_config(files[config])


def find_weights_file(files: Mapping[str, bytes]) -> str:
    """The name of the one file that holds tensors."""
    weights = [name for name in files if name.endswith(".safetensors")]
    others = [name for name in files if not name.endswith((".safetensors", ".json"))]
    if len(weights) != 1 or others:
        raise StorageError(
            "give one .safetensors file and, of a PEFT adapter, its adapter_config.json; not "
            f"{', '.join(map(repr, others or weights)) or 'no file at all'}"
        )
    return weights[0]


def find_config_file(files: Mapping[str, bytes]) -> str | None:
    configs = [name for name in files if name.endswith(".json")]
    if len(configs) > 1:
        raise StorageError(f"give one config, not {', '.join(map(repr, configs))}")
    return configs[0] if configs else None
