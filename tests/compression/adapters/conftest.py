import json

import pytest
import safetensors.torch
import torch

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def random_pair(seed, m, n, rank, dtype, taps=()):
    """``up`` and ``down`` whose product has a falling spectrum."""
    numbers = torch.Generator().manual_seed(seed)
    fall = 0.8 ** torch.arange(rank)
    up = torch.randn(m, rank, generator=numbers) * fall
    down = torch.randn(rank, n, *taps, generator=numbers) / 8
    return up.to(dtype), down.to(dtype)


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request):
    return request.param


@pytest.fixture
def peft_files(dtype):
    """PEFT's layout: two patterns, an embedding, a bias, and a tensor that is no adapter's."""
    tensors, root = {}, "base_model.model."
    for seed, (layer, m, n, rank) in enumerate(
        [("model.layers.0.q", 24, 16, 6), ("model.layers.1.q", 24, 16, 8), ("head", 5, 24, 4)]
    ):
        up, down = random_pair(seed, m, n, rank, dtype)
        tensors |= {f"{root}{layer}.lora_A.weight": down, f"{root}{layer}.lora_B.weight": up}
    up, down = random_pair(9, 12, 30, 6, dtype)
    tensors |= {f"{root}emb.lora_embedding_A": down, f"{root}emb.lora_embedding_B": up}
    tensors[f"{root}head.lora_B.bias"] = torch.arange(5.0).to(dtype)
    tensors[f"{root}classifier.weight"] = torch.arange(6.0).reshape(2, 3)
    config = {
        "peft_type": "LORA",
        "r": 6,
        "lora_alpha": 9,
        "rank_pattern": {"layers.1.q": 8, "head": 4},
        "alpha_pattern": {r"layers\.[01]\.q": 20},
        "target_modules": ["q", "head", "emb"],
        "use_rslora": False,
    }
    return {
        "adapter_model.safetensors": safetensors.torch.save(tensors, {"format": "pt"}),
        "adapter_config.json": json.dumps(config).encode(),
    }


@pytest.fixture
def kohya_files(dtype):
    """kohya's layout: a linear layer, a 3 x 3 convolution, and one without an alpha."""
    tensors = {}
    for seed, (layer, m, n, rank, taps, alpha) in enumerate(
        [
            ("lora_unet_mid_attn_to_q", 20, 14, 8, (), 4.0),
            ("lora_unet_conv_in", 10, 6, 8, (3, 3), 2.5),
            ("lora_te_text_fc1", 12, 18, 4, (), None),
        ]
    ):
        up, down = random_pair(seed, m, n, rank, dtype, taps)
        tensors[f"{layer}.lora_up.weight"] = up.reshape(m, rank, *(1 for _ in taps)).contiguous()
        tensors[f"{layer}.lora_down.weight"] = down
        if alpha is not None:
            tensors[f"{layer}.alpha"] = torch.tensor(alpha, dtype=dtype)
    noted = {"ss_network_dim": "8", "ss_base_model_version": "sd_v1", "sshs_model_hash": "1f"}
    return {"portrait.safetensors": safetensors.torch.save(tensors, noted)}
