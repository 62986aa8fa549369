"""Adapters against the product of their matrices, made in full by definition."""

import itertools
import json
import math

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

import compression
from compression.errors import ArgumentError, CancelledError, NotApplicableError, StorageError

ROUNDING = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
PEFT_SCALES = {"model.layers.0.q": 20 / 6, "model.layers.1.q": 20 / 8, "head": 9 / 4, "emb": 9 / 6}
KOHYA_SCALES = {"lora_unet_mid_attn_to_q": 0.5, "lora_unet_conv_in": 2.5 / 8, "lora_te_text_fc1": 1}


def peft_updates(files):
    """Layer -> scale · B · A in full, by PEFT's own rules for files of plain layer names."""
    tensors = safetensors.torch.load(files["adapter_model.safetensors"])
    config = json.loads(files["adapter_config.json"])
    found = {}
    for name, down in tensors.items():
        layer = name.removeprefix("base_model.model.").split(".lora_")[0]
        if ".lora_A" in name or "embedding_A" in name:
            up = tensors[name.replace("_A", "_B")]
            rank = config["rank_pattern"].get(layer, config["r"])
            alpha = config["alpha_pattern"].get(layer, config["lora_alpha"])
            assert down.shape[0] == up.shape[1] == rank
            root = math.sqrt(rank) if config["use_rslora"] else rank
            found[layer] = (alpha / root * up.double() @ down.double()).numpy()
    return found


def kohya_updates(files):
    (content,) = files.values()
    tensors = safetensors.torch.load(content)
    found = {}
    for name, down in tensors.items():
        if name.endswith(".lora_down.weight"):
            layer = name.removesuffix(".lora_down.weight")
            up, rank = tensors[f"{layer}.lora_up.weight"], down.shape[0]
            assert up.ndim == down.ndim
            alpha = float(tensors.get(f"{layer}.alpha", torch.tensor(float(rank))))
            product = up.reshape(-1, rank).double() @ down.reshape(rank, -1).double()
            found[layer] = (alpha / rank * product).numpy()
    return found


def full_products(files, scales):
    (name,) = (name for name in files if name.endswith(".safetensors"))
    tensors = safetensors.torch.load(files[name])
    found = {}
    for layer, scale in scales.items():
        own = sorted(n for n in tensors if layer in n and n.endswith(("weight", "_A", "_B")))
        one, other = (tensors[n].double() for n in own if "bias" not in n)
        up, down = (other, one) if "_A" in own[0] or "down" in own[0] else (one, other)
        rank = down.shape[0]
        found[layer] = (scale * up.reshape(-1, rank) @ down.reshape(rank, -1)).numpy()
    return found


def best(update, rank):
    u, s, vt = np.linalg.svd(update, full_matrices=False)
    return (u[:, :rank] * s[:rank]) @ vt[:rank]


@pytest.mark.parametrize("layout", ["peft", "kohya"])
def test_spectra_are_those_of_the_full_scaled_products(peft_files, kohya_files, layout):
    files, scales = (peft_files, PEFT_SCALES) if layout == "peft" else (kohya_files, KOHYA_SCALES)
    adapter = compression.read_adapter(files)
    assert set(adapter.layers["layer"]) == set(scales)
    for layer, update in full_products(files, scales).items():
        expected = np.linalg.svd(update, compute_uv=False)
        found = adapter.spectrum(layer)
        np.testing.assert_allclose(found, expected[: len(found)], atol=1e-5 * expected[0])
        assert np.abs(expected[len(found) :]).max(initial=0) < 1e-5 * expected[0]


def test_the_resized_peft_file_holds_the_best_updates_of_its_ranks(peft_files, dtype):
    before = full_products(peft_files, PEFT_SCALES)
    ranks = {"model.layers.0.q": 3, "model.layers.1.q": 5, "head": 1, "emb": 4}
    resized = compression.read_adapter(peft_files).resize(ranks)
    after = peft_updates(resized.files)
    for layer, rank in ranks.items():
        size = np.linalg.norm(before[layer])
        assert np.linalg.norm(after[layer] - best(before[layer], rank)) < ROUNDING[dtype] * size
        kept = 1 - (np.linalg.norm(after[layer] - before[layer]) / size) ** 2
        row = resized.table.set_index("layer").loc[layer]
        assert row["rank_after"] == rank
        assert row["energy_kept"] == pytest.approx(kept, abs=1e-6)
        assert row["energy"] == pytest.approx(size**2, rel=1e-6)
    old, new = (
        safetensors.torch.load(files["adapter_model.safetensors"])
        for files in (peft_files, resized.files)
    )
    assert old.keys() == new.keys()
    assert all(old[name].dtype == new[name].dtype for name in old)
    for name in ("base_model.model.head.lora_B.bias", "base_model.model.classifier.weight"):
        assert torch.equal(old[name], new[name])
    configs = [json.loads(files["adapter_config.json"]) for files in (peft_files, resized.files)]
    changed = {key for key in configs[0] if configs[0][key] != configs[1][key]}
    assert changed <= {"r", "lora_alpha", "rank_pattern", "alpha_pattern"}


def test_rank_stabilised_updates_keep_their_scale(peft_files, dtype):
    config = json.loads(peft_files["adapter_config.json"]) | {"use_rslora": True}
    files = peft_files | {"adapter_config.json": json.dumps(config).encode()}
    roots = {"model.layers.0.q": 6, "model.layers.1.q": 8, "head": 4, "emb": 6}
    before = full_products(files, {n: PEFT_SCALES[n] * math.sqrt(r) for n, r in roots.items()})
    after = peft_updates(compression.read_adapter(files).resize(dict.fromkeys(roots, 2)).files)
    for layer, update in before.items():
        error = np.linalg.norm(after[layer] - best(update, 2))
        assert error < ROUNDING[dtype] * np.linalg.norm(update)


def test_the_resized_kohya_file_holds_the_best_updates_and_keeps_its_layout(kohya_files, dtype):
    before = kohya_updates(kohya_files)
    ranks = {"lora_unet_mid_attn_to_q": 3, "lora_unet_conv_in": 7, "lora_te_text_fc1": None}
    resized = compression.read_adapter(kohya_files).resize(ranks)
    after = kohya_updates(resized.files)
    for layer, rank in ranks.items():
        expected = before[layer] if rank is None else best(before[layer], rank)
        error = np.linalg.norm(after[layer] - expected)
        assert error <= (ROUNDING[dtype] if rank else 0) * np.linalg.norm(before[layer])
    content = resized.files["portrait.safetensors"]
    new = safetensors.torch.load(content)
    assert new["lora_unet_conv_in.lora_down.weight"].shape == (7, 6, 3, 3)
    assert new["lora_unet_conv_in.lora_up.weight"].shape == (10, 7, 1, 1)
    assert all(tensor.dtype == dtype for tensor in new.values())
    noted = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    assert noted == {"ss_network_dim": "Dynamic", "ss_base_model_version": "sd_v1"}


@pytest.mark.parametrize("dtype", [torch.float32], indirect=True)
@pytest.mark.parametrize("share", [0.2, 0.45, 0.8])
def test_a_budget_is_shared_as_an_exhaustive_search_shares_it(kohya_files, share):
    adapter = compression.read_adapter(kohya_files)
    budget = int(share * adapter.parameters)
    updates, costs = kohya_updates(kohya_files), dict(adapter.layers.set_index("layer").parameters)
    stored = dict(adapter.layers.set_index("layer")["rank"])
    tails = {
        n: np.cumsum(np.linalg.svd(u, compute_uv=False)[::-1] ** 2) for n, u in updates.items()
    }
    least = min(
        sum(tails[n][-1 - k] if k < len(tails[n]) else 0 for n, k in zip(costs, ranks, strict=True))
        for ranks in itertools.product(*(range(1, stored[n] + 1) for n in costs))
        if sum(costs[n] // stored[n] * k for n, k in zip(costs, ranks, strict=True)) <= budget
    )
    resized = compression.resize_adapter(kohya_files, budget)
    lost = (resized.table["energy"] * (1 - resized.table["energy_kept"])).sum()
    assert lost == pytest.approx(least, rel=1e-4)
    assert resized.table["parameters_after"].sum() <= budget
    whole = resized.table["energy"].sum()
    assert resized.energy_kept == pytest.approx(1 - least / whole, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32], indirect=True)
def test_a_budget_for_everything_changes_no_byte_and_one_for_nothing_is_refused(kohya_files):
    adapter = compression.read_adapter(kohya_files)
    assert compression.resize_adapter(kohya_files, adapter.parameters).files == kohya_files
    smallest = adapter.fewest_parameters
    ranks = compression.resize_adapter(kohya_files, smallest).table["rank_after"]
    assert set(ranks) == {1}
    with pytest.raises(ArgumentError, match=f"choose at least {smallest}"):
        compression.resize_adapter(kohya_files, smallest - 1)


@pytest.mark.parametrize("dtype", [torch.float32], indirect=True)
def test_ranks_and_layers_that_are_not_there_are_named(kohya_files):
    adapter = compression.read_adapter(kohya_files)
    with pytest.raises(ArgumentError, match="choose 1 to 8"):
        adapter.resize({"lora_unet_conv_in": 9})
    with pytest.raises(ArgumentError, match="choose from lora_te_text_fc1"):
        adapter.resize({"conv": 1})
    with pytest.raises(CancelledError):
        compression.read_adapter(kohya_files, report=lambda *_: False)


def test_the_scale_is_kept_where_alphas_type_cannot_hold_it():
    tensors = {
        "x.lora_up.weight": torch.randn(9, 6),
        "x.lora_down.weight": torch.randn(6, 7),
        "x.alpha": torch.tensor(2.7).bfloat16(),
    }
    files = {"a.safetensors": safetensors.torch.save(tensors)}
    after = kohya_updates(compression.read_adapter(files).resize({"x": 5}).files)
    np.testing.assert_allclose(after["x"], best(kohya_updates(files)["x"], 5), atol=1e-5)


def test_a_path_that_ends_as_another_one_keeps_its_own_rank():
    tensors, config = {}, {"r": 4, "lora_alpha": 4}
    for layer in ("q", "a.q", "b.a.q", "c.q"):
        tensors[f"base_model.model.{layer}.lora_A.weight"] = torch.randn(4, 9)
        tensors[f"base_model.model.{layer}.lora_B.weight"] = torch.randn(7, 4)
    files = {
        "adapter_model.safetensors": safetensors.torch.save(tensors),
        "adapter_config.json": json.dumps(config).encode(),
    }
    wanted = {"q": 1, "a.q": 2, "b.a.q": 4, "c.q": 4}
    again = compression.read_adapter(compression.read_adapter(files).resize(wanted).files)
    assert dict(again.layers.set_index("layer")["rank"]) == wanted


def test_numbers_that_a_type_cannot_hold_are_no_file():
    # An update of one entry, 7.2e9: its root, which both factors would hold, is above 65,504.
    up, down = torch.zeros(4, 2).half(), torch.zeros(2, 5).half()
    up[0], down[:, 0] = 6e4, 6e4
    tensors = {"x.lora_up.weight": up, "x.lora_down.weight": down}
    with pytest.raises(StorageError, match="do not fit the type float16"):
        compression.read_adapter({"a.safetensors": safetensors.torch.save(tensors)}).resize(
            {"x": 1}
        )


PAIR = {"x.lora_down.weight": torch.ones(2, 3), "x.lora_up.weight": torch.ones(4, 2)}
PEFT_PAIR = {"x.lora_A.weight": torch.ones(2, 3), "x.lora_B.weight": torch.ones(4, 2)}


def hostile(tensors=PEFT_PAIR, **config):
    content = json.dumps({"r": 2, "lora_alpha": 2} | config).encode()
    return {"a.safetensors": safetensors.torch.save(tensors), "adapter_config.json": content}


HOSTILE = {
    "no file": ({}, "no file at all"),
    "a pickle": ({"adapter_model.bin": b"\x80\x04."}, "give one .safetensors file"),
    "no bytes": ({"a.safetensors": b""}, "damaged"),
    "torn": ({"a.safetensors": safetensors.torch.save(PAIR)[:-9]}, "damaged"),
    "a header that lies": ({"a.safetensors": b"\xff" * 64}, "damaged"),
    "deep JSON": ({"a.safetensors": (90_000).to_bytes(8, "little") + b"[" * 90_000}, "damaged"),
    "unknown type": (
        {"a.safetensors": safetensors.torch.save(PAIR).replace(b'"F32"', b'"F4" ')},
        "damaged",
    ),
    "no pairs": ({"a.safetensors": safetensors.torch.save({"w": torch.ones(2)})}, "no pairs"),
    "half a pair": (
        {"a.safetensors": safetensors.torch.save({"x.lora_down.weight": torch.ones(2, 3)})},
        "has no 'x.lora_up.weight'",
    ),
    "no config": ({"a.safetensors": safetensors.torch.save(PEFT_PAIR)}, "add the adapter's"),
    "not finite": (
        {
            "a.safetensors": safetensors.torch.save(
                PAIR | {"x.lora_up.weight": torch.ones(4, 2) / 0}
            )
        },
        "not finite",
    ),
    "an alpha that is none": (
        {"a.safetensors": safetensors.torch.save(PAIR | {"x.alpha": torch.ones(2)})},
        "'x.alpha' is not one finite number",
    ),
    "shapes that do not fit": (
        {"a.safetensors": safetensors.torch.save(PAIR | {"x.lora_up.weight": torch.ones(4, 3)})},
        "are no plain product",
    ),
    "three matrices": (
        {"a.safetensors": safetensors.torch.save(PAIR | {"x.lora_mid.weight": torch.ones(2, 2)})},
        "lora_mid",
    ),
    "integers": (
        {"a.safetensors": safetensors.torch.save({k: v.int() for k, v in PAIR.items()})},
        "type int32",
    ),
    "another rank than the config's": (hostile(r=3), "says rank 3, the file holds 2"),
    "another kind of adapter": (hostile(peft_type="IA3"), "only LORA"),
    "a start that changes the base": (hostile(init_lora_weights="pissa_niter_4"), "plain LoRA"),
    "an expression without an end": (hostile(rank_pattern={"(x+)+y": 2}), "too involved"),
    "an expression that is none": (hostile(rank_pattern={"(": 2}), "too involved"),
    "an alpha that is infinite": (hostile(lora_alpha=float("inf")), "lora_alpha is no number"),
    "a rank of none": (hostile(rank_pattern={"x": 0}), "no rank"),
    "two adapters in one": (
        hostile(PEFT_PAIR | {n.replace("weight", "b.weight"): t + 1 for n, t in PEFT_PAIR.items()}),
        "two pairs",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_adapter_is_refused_in_a_sentence(case):
    files, words = HOSTILE[case]
    with pytest.raises((StorageError, NotApplicableError), match=words) as caught:
        compression.resize_adapter(files, 10)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "tensors",
    [
        {"{}.lora_down.weight": torch.ones(2, 3)},
        {"{}.lora_down.weight": torch.ones(2, 3), "{}.lora_up.weight": torch.ones(4, 2) / 0},
        {
            "{}.lora_down.weight": torch.ones(2, 3),
            "{}.lora_up.weight": torch.ones(4, 2),
            "{}.alpha": torch.ones(2),
        },
    ],
)
def test_names_of_a_file_cannot_turn_a_sentence_round_or_break_it(tensors):
    named = {name.format("x\n\u202e\x1b[31m"): tensor for name, tensor in tensors.items()}
    with pytest.raises((StorageError, NotApplicableError)) as caught:
        compression.resize_adapter({"a.safetensors": safetensors.torch.save(named)}, 10)
    assert str(caught.value).isprintable()
    assert "u202e" in str(caught.value)
