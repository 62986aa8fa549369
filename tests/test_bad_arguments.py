"""Every public function with arguments that nobody means: a typed sentence, or an answer."""

import copy
import dataclasses
import inspect
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch

import compression
import data
from compression.graphs.judges import faithfulness


def _small_dataset(seed=0, rows=60, features=4):
    generator = np.random.default_rng(3)
    y = np.arange(rows) % 3
    x = generator.normal(size=(rows, features)) + y[:, None]
    return data.prepare(
        data.Samples(x, y), name="small", title="Small", task="classification", seed=seed
    )


def _answer_table():
    return pd.DataFrame(
        {
            "knob": [1, 2],
            "bytes": [10.0, 20.0],
            "macs": [1.0, 2.0],
            "score": [0.5, 0.9],
            "score_low": [0.4, 0.8],
            "validation_score": [0.5, 0.9],
            "validation_low": [0.4, 0.8],
        }
    )


def _make_adapter():
    generator = np.random.default_rng(0)
    pair = {"A": generator.normal(size=(2, 4)), "B": generator.normal(size=(3, 2))}
    tensors = {
        f"base_model.model.fc.lora_{name}.weight": array.astype(np.float32)
        for name, array in pair.items()
    }
    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["fc"]}
    return {
        "adapter_model.safetensors": safetensors.numpy.save(tensors),
        "adapter_config.json": json.dumps(config).encode(),
    }


# Long: an entry for each public function.
def _make_examples():
    """A call of each public function that answers, in as little time as it can."""
    dataset = _small_dataset()
    reference = compression.train(dataset, "mlp", 0, 1)
    curve = compression.low_rank_curve(reference, dataset, ranks=[1, 2])
    constrained = compression.constrained_curve(reference, dataset, bounds=[0.5], method="clip")
    table = _answer_table()
    both = {"reference": reference, "dataset": dataset}
    folder = Path(tempfile.mkdtemp())
    compression.save(reference.network, folder / "a.safetensors")
    quantized = compression.quantize(reference.network, 4)
    x, y = dataset.x_train[:20].astype(float), dataset.x_train[:20, 0].astype(float)
    weight = np.arange(12.0).reshape(3, 4)
    right = np.array([True, False, True])
    bits = compression.few_bits_curve(reference, dataset, curve, [4, 8])
    frame = pd.DataFrame(dataset.x_train, columns=[*"abcd"]).assign(y=dataset.y_train)
    adapter = _make_adapter()
    samples = data.Samples(dataset.x_train, dataset.y_train)
    module = compression.read_module(reference.network)
    parts = dict.fromkeys(("fit", "validation", "test"), (dataset.x_train, dataset.y_train))
    compression.export_factors(curve.network(0), folder / "low_rank.safetensors")
    return {
        "allocate_ranks": {
            "weights": {"a": weight, "b": weight + 1},
            "budget": 14,
            "rule": "exact",
            "resolution": None,
        },
        "at_equal_bytes": {
            "first": curve,
            "second": curve,
            "target": dataset.y_test,
            "task": "classification",
            "budget": 1e6,
        },
        "baseline_curve": both | {"method": "rounding", "knobs": [4], "epochs": None},
        "best_rows": {
            "tables": {"a": table},
            "wish": compression.Wish(0.1),
            "reference": table.iloc[1],
            "cost": "bytes",
        },
        "budget_curve": both
        | {
            "budgets": [1200],
            "unit": "parameters",
            "method": "truncated_svd",
            "layers": None,
            "ridge": 0.0,
            "calibration": "reference",
            "epochs": 0,
            "objective": "kept_energy",
            "resolution": None,
        },
        "bytes_of": {"network": reference.network},
        "combined_curve": both
        | {
            "method": "low_rank_then_constrained",
            "ranks": [1],
            "bounds": [0.5],
            "epochs": 1,
            "warm_start": True,
            "constraint": "box",
        },
        "constrained_curve": both
        | {
            "constraint": "box",
            "bounds": [0.5],
            "layers": None,
            "method": "clip",
            "epochs": 1,
            "warm_start": True,
        },
        "cross_validated_rank": {
            "dataset": dataset,
            "model": "softmax_regression",
            "seed": 0,
            "method": "truncated_svd",
            "ranks": [1],
            "layers": None,
            "folds": 2,
            "training_epochs": 1,
            "ridge": 0.0,
            "calibration": "reference",
            "epochs": 0,
        },
        "export_onnx": {"network": reference.network, "path": folder / "a.onnx"},
        "factorize": {
            "weight": weight,
            "rank": 1,
            "method": "activation_aware_svd",
            "inputs": np.ones((5, 4)),
            "ridge": 0.1,
            "seed": 0,
        },
        "fewest_bits": {
            "table": pd.DataFrame({"bits": [2, 4], "validation_score": [0.8, 0.9]}),
            "allowed": 0.01,
        },
        "head_curve": {
            "model": module,
            **parts,
            "task": "classification",
            "constraint": "box",
            "bounds": [0.5],
            "order": [0, 1, 2],
        },
        "judge_ranks": {
            "subject": module,
            "x": dataset.x_test,
            "ranks": [{"fc1.weight": 1}],
            "judge": faithfulness,
        },
        "latencies": {"reference": reference.network, "networks": {}, "rounds": 2},
        "layer_certificates": both | {"network": constrained.network(0)},
        "layer_errors": both
        | {
            "method": "truncated_svd",
            "ranks": [1],
            "layers": None,
            "ridge": 0.0,
            "calibration": "reference",
        },
        "export_factors": {"network": curve.network(0), "path": folder / "factors.safetensors"},
        "export_pytorch": {"network": reference.network, "path": folder / "plain.safetensors"},
        "restore": {
            "module": copy.deepcopy(reference.network),
            "path": folder / "low_rank.safetensors",
        },
        "read_module": {"module": reference.network},
        "load": {"path": folder / "a.safetensors"},
        "low_rank_curve": both
        | {
            "method": "truncated_svd",
            "ranks": [1],
            "layers": None,
            "ridge": 0.0,
            "calibration": "reference",
            "epochs": 0,
            "warm_start": False,
        },
        "macs": {"network": reference.network},
        "nearest_row": {"table": table, "column": "bytes", "value": 11.0},
        "paired_change": {"before_correct": right, "after_correct": ~right, "confidence": 0.95},
        "parameters": {"network": reference.network},
        "pareto_front": {"table": table, "cost": "bytes", "score": "score"},
        "path": {"x": x, "y": y, "loss": "squared", "constraint": "box", "bounds": None},
        "quantize": {
            "network": reference.network,
            "bits": 4,
            "per_channel": False,
            "zero_point": False,
            "rows": None,
        },
        "quantized_curve": both
        | {"rows": [(4.0, quantized, 4)], "knob": "bits", "epochs": 0, "behind": []},
        "rank_within": {"curve": curve, "loss": 1.0},
        "ranks_for_energy": both
        | {"share": 0.9, "method": "truncated_svd", "layers": None, "ridge": 0.0},
        "rounding_errors": {"network": reference.network, "quantized": quantized},
        "save": {"network": reference.network, "path": folder / "b.safetensors"},
        "sensitivity": both
        | {"method": "truncated_svd", "shares": [0.5], "layers": None, "ridge": 0.0},
        "solve": {
            "x": x,
            "y": y,
            "loss": "squared",
            "constraint": "box",
            "bound": 0.5,
            "solver": "accelerated_projected_gradient",
            "tolerance": 1e-6,
            "max_iterations": 50,
            "max_seconds": 1.0,
        },
        "train": {
            "dataset": dataset,
            "model": "mlp",
            "seed": 0,
            "epochs": 1,
            "width": 1.0,
            "learning_rate": 0.01,
            "order": 0,
            "device": "cpu",
        },
        "best_bits": {"curve": bits},
        "few_bits_curve": both | {"curve": curve, "bits": [4], "epochs": 0},
        "with_bits": {"curve": bits, "bits": 4},
        "read_model": {"files": {"a.safetensors": (folder / "a.safetensors").read_bytes()}},
        "read_adapter": {"files": adapter},
        "resize_adapter": {"files": adapter, "budget": 20, "rule": "exact"},
        "data.from_arrays": {
            "x": dataset.x_train,
            "y": dataset.y_train,
            "task": None,
            "class_names": None,
            "seed": 0,
            "layout": None,
            "lengths": None,
            "tested": None,
        },
        "data.from_table": {
            "frame": frame,
            "target": "y",
            "task": None,
            "roles": None,
            "seed": 0,
        },
        "data.read_table": {"frame": frame, "target": "y", "task": None, "roles": None},
        "data.review": {"dataset": dataset},
        "data.find": {"name": "iris"},
        "data.hash_samples": {"name": "iris"},
        "data.load": {"name": "iris", "seed": 0},
        "data.prepare": {
            "samples": samples,
            "name": "small",
            "title": "Small",
            "task": "classification",
            "seed": 0,
            "input_shape": None,
            "source": "",
            "licence": "",
            "tested": None,
            "scaled_on": "training",
        },
    }


BAD = {
    "None": None,
    "1.5": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "-1": -1,
    "10**30": 10**30,
    "a text": "x",
    "no items": [],
    "a list of None": [None],
    "a list of nan": [float("nan")],
    "a mapping": {"a": None},
    "an object": object(),
    "an array of nan": np.full((3, 4), np.nan),
    "complex numbers": np.ones((3, 4), complex),
    "bfloat16": torch.ones(3, 4, dtype=torch.bfloat16),
    "an empty table": pd.DataFrame(),
    "an empty network": torch.nn.Sequential(),
    "another network": torch.nn.Sequential(torch.nn.Linear(2, 2)),
    "another split": _small_dataset(seed=1),
    "other columns": _small_dataset(features=7),
}
# Those mean just that: work for days, a file of that name.
MEANT = {("epochs", "10**30"), ("training_epochs", "10**30"), ("rounds", "10**30")}
MEANT |= {(name, "a text") for name in ("export_onnx path", "export_factors path")}
MEANT |= {(name, "a text") for name in ("export_pytorch path", "save path")}
# Those are functions of a person's own, whose errors are theirs.
MEANT |= {("judge", "an empty network"), ("judge", "another network")}
# Those mean a whole curve, which other tests draw.
MEANT |= {(name, "None") for name in ("bounds", "ranks", "budgets", "knobs", "layers")}


def _public_functions():
    for package, prefix in ((compression, ""), (data, "data.")):
        for name in package.__all__:
            if inspect.isfunction(function := getattr(package, name)):
                yield f"{prefix}{name}", function


FUNCTIONS = dict(_public_functions())


@pytest.fixture(scope="module")
def examples():
    return _make_examples()


def test_every_public_function_has_an_example_that_names_all_but_its_report(examples):
    assert set(examples) == set(FUNCTIONS)
    assert len(examples) > 40
    for name, example in examples.items():
        assert set(example) == set(inspect.signature(FUNCTIONS[name]).parameters) - {"report"}, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bad_arguments_end_in_a_typed_sentence(name, examples):
    function, example = FUNCTIONS[name], examples[name]
    function(**example)
    for argument in example:
        for title, value in BAD.items():
            if {(argument, title), (f"{name} {argument}", title)} & MEANT:
                continue
            try:
                function(**example | {argument: value})
            except (compression.CompressionError, data.DatasetError) as error:
                assert len(str(error)) > 20  # noqa: PT017
            except Exception as error:
                pytest.fail(f"{argument} as {title}: {error!r}")


def _empty_parts(dataset):
    nothing = np.arange(0)
    test = {"x_test": dataset.x_test[:0], "y_test": dataset.y_test[:0]}
    return {
        "to learn from": dataclasses.replace(dataset, fit_rows=nothing),
        "to choose by": dataclasses.replace(dataset, validation_rows=nothing),
        "to test with": dataclasses.replace(dataset, **test),
    }


TAKE_A_DATASET = [n for n in FUNCTIONS if "dataset" in inspect.signature(FUNCTIONS[n]).parameters]


@pytest.mark.parametrize("name", TAKE_A_DATASET)
def test_a_dataset_with_a_part_without_rows_is_refused_in_a_sentence(name, examples):
    example = examples[name]
    if "reference" in example:  # of one that does not know what it was trained on
        example = example | {"reference": dataclasses.replace(example["reference"], fingerprint="")}
    for purpose, dataset in _empty_parts(example["dataset"]).items():
        if name == "cross_validated_rank":  # it makes parts of its own, of the training rows
            assert FUNCTIONS[name](**example | {"dataset": dataset}).chosen == 1
            continue
        with pytest.raises((compression.CompressionError, data.DatasetError), match=purpose):
            FUNCTIONS[name](**example | {"dataset": dataset})


@pytest.mark.parametrize("part", ["fit", "validation", "test"])
def test_a_head_without_samples_or_with_others_is_refused_in_a_sentence(part, examples):
    x, y = examples["head_curve"][part]
    for given in ((x[:0], y[:0]), (x[:5], y[:4]), (x[:, :2], y)):
        with pytest.raises(compression.CompressionError, match=r"targets|does not take samples"):
            compression.head_curve(**examples["head_curve"] | {part: given})


def test_ranks_are_not_judged_without_samples(examples):
    x = examples["judge_ranks"]["x"]
    for given in ([], x[:0], x[:, :2], pd.DataFrame(x[:0])):
        with pytest.raises(compression.CompressionError, match=r"no samples|does not take"):
            compression.judge_ranks(**examples["judge_ranks"] | {"x": given})


@pytest.mark.parametrize("marks", [np.zeros(60, bool), np.ones(60, bool)])
def test_a_test_part_of_no_or_all_rows_is_refused_in_a_sentence(marks):
    samples = data.Samples(np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3)
    with pytest.raises(data.DatasetError, match="of 60 rows"):
        data.prepare(samples, name="a", title="A", task="classification", tested=marks)
