import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import compression
from compression import accounting, latency
from compression.errors import StorageError


class Sleeper:
    """A session on a clock of its own: each call takes its time, longer in a slow round."""

    def __init__(self, clock, cost):
        self.clock, self.cost, self.calls = clock, cost, 0

    def run(self, outputs, feed):
        self.calls += 1
        self.clock.now += self.cost * len(feed["samples"]) * self.clock.load

    def get_inputs(self):
        return [type("Input", (), {"shape": ["N", 3], "name": "samples"})]


class Clock:
    now, load = 0.0, 1.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    sleepers = {"reference": Sleeper(clock, 5e-5), "half": Sleeper(clock, 2.5e-5)}
    monkeypatch.setattr(latency, "open_sessions", lambda networks: sleepers)
    clock.sleepers = sleepers
    return clock


def test_every_model_is_measured_with_both_batches_and_the_reference_comes_first(
    digits, digits_mlp
):
    networks = {"rank 4": compression.low_rank_curve(digits_mlp, digits, ranks=[4]).network(0)}
    table = latency.latencies(digits_mlp.network, networks, rounds=6)
    assert list(table["model"]) == ["reference", "reference", "rank 4", "rank 4"]
    assert list(table["batch"]) == [1, 256, 1, 256]
    assert (table[["latency", "latency_low", "latency_high"]] > 0).all(axis=None)
    for name in ("latency", "ratio"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    of_reference = table.loc[table["model"] == "reference", ["ratio", "ratio_low", "ratio_high"]]
    assert (of_reference == 1).all(axis=None)


def test_times_and_ratios_are_those_of_the_clock(clock):
    table = latency.latencies(None, {"half": None}, rounds=7).set_index(["model", "batch"])
    assert table.loc[("reference", 1), "latency"] == pytest.approx(5e-5)
    assert table.loc[("reference", 256), "latency"] == pytest.approx(256 * 5e-5)
    assert table.loc[("half", 1), "latency"] == pytest.approx(2.5e-5)
    assert table.loc["half", "ratio"].tolist() == pytest.approx([2, 2])


def test_a_machine_that_slows_down_does_not_move_the_ratio(clock):
    def report(done, total, table):
        clock.load = done
        return True

    table = latency.latencies(None, {"half": None}, rounds=9, report=report).set_index("model")
    times = table.loc["half"].query("batch == 1").iloc[0]
    assert times["latency_high"] > 5 * times["latency_low"]
    for column in ("ratio", "ratio_low", "ratio_high"):
        assert times[column] == pytest.approx(2)


def test_all_models_take_their_turns_in_every_round(clock):
    counts = []

    def report(done, total, table):
        counts.append([s.calls for s in clock.sleepers.values()])
        return True

    latency.latencies(None, {"half": None}, rounds=5, report=report)
    a_round = np.diff(counts, axis=0)
    # half a millisecond of calls with one sample, and one call with 256 that takes longer
    assert (a_round == [[10 + 1, 20 + 1]] * 4).all()


def test_a_measurement_that_is_told_to_stop_keeps_the_rounds_it_has(clock):
    seen = []

    def report(done, total, table):
        seen.append((done, total, len(table())))
        return done < 3

    table = latency.latencies(None, {"half": None}, rounds=50, report=report)
    assert seen == [(1, 50, 4), (2, 50, 4), (3, 50, 4)]
    assert len(table) == 4


def test_one_thread_runs_a_session(digits_mlp):
    (session,) = latency.open_sessions({"m": digits_mlp.network}).values()
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_a_network_that_cannot_be_exported_is_an_error_in_words():
    strange = torch.nn.Sequential(torch.nn.LSTM(2, 2))
    with pytest.raises(StorageError, match="LSTM"):
        latency.latencies(strange, {})


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(0.5, 2)), unique_by=lambda pair: pair[0]))
def test_the_break_even_is_the_last_knob_before_the_first_that_is_not_faster(pairs):
    expected = None
    for knob, ratio in sorted(pairs):
        if ratio <= 1:
            break
        expected = knob
    knobs, ratios = [knob for knob, _ in pairs], [ratio for _, ratio in pairs]
    assert latency.break_even(knobs, ratios) == expected


def times(**ratios):
    """A measurement with these ends of the ratios' intervals; "rank_1" stands for "rank 1"."""
    seconds = {"reference": 3e-6, "dense": 3.1e-6, "rank_1": 2e-6}
    return pd.DataFrame(
        {
            "model": name.replace("_", " "),
            "batch": batch,
            "latency": seconds[name] * batch,
            "ratio_low": low,
            "ratio_high": high,
        }
        for name, (low, high) in {"reference": (1, 1), **ratios}.items()
        for batch in (1, 256)
    )


def test_a_model_that_cannot_be_told_from_the_reference_takes_the_reference_s_time():
    table = times(dense=(0.9, 1.05), rank_1=(1.4, 1.6))
    for batch in (1, 256):
        told = latency.equalise_times(table, "dense", batch)
        assert told["reference"] == pytest.approx(3e-6 * batch)
        assert told["dense"] == pytest.approx(3e-6 * batch)
        assert told["rank 1"] == pytest.approx(2e-6 * batch)


@pytest.mark.parametrize(
    ("dense", "noise"), [((0.99, 1.01), 1 / 0.99), ((1.02, 1.07), 1.07), ((0.8, 0.9), 1 / 0.8)]
)
def test_noise_is_the_farthest_end_of_the_same_graph_s_ratio_either_way(dense, noise):
    assert latency.noise_ratio(times(dense=dense), "dense", 1) == pytest.approx(noise)


def test_faster_by_no_more_than_the_same_graph_differs_from_itself_is_not_told_apart():
    table = times(dense=(1.02, 1.07), rank_1=(1.05, 1.06))
    assert latency.equalise_times(table, "dense", 1)["rank 1"] == pytest.approx(3e-6)
    table = times(dense=(0.99, 1.01), rank_1=(1.05, 1.06))
    assert latency.equalise_times(table, "dense", 1)["rank 1"] == pytest.approx(2e-6)


def measure(monkeypatch, reference, dataset, table, **knobs):
    """``rank_latencies`` with this table in place of a stopwatch, and what it was to time."""
    timed = {}

    def stand_in(network, networks, *, report):
        timed.update(networks)
        report(1, 1, lambda: table)
        return table

    monkeypatch.setattr(latency, "latencies", stand_in)
    others = {"dense": reference.network}
    return timed, latency.rank_latencies(reference, dataset, others, "dense", **knobs)


def test_only_ranks_that_pay_are_timed_and_their_macs_counted(monkeypatch, digits, digits_softmax):
    table = times(dense=(0.99, 1.01), rank_1=(1.05, 1.06))
    seen = []

    def report(done, total, so_far):
        seen.append(so_far())
        return True

    timed, found = measure(monkeypatch, digits_softmax, digits, table, report=report)
    (weight,) = [p for p in digits_softmax.network.parameters() if p.ndim == 2]
    rows, columns = weight.shape
    paying = [k for k in range(1, rows + 1) if k * (rows + columns) < rows * columns]
    assert list(timed) == [*(f"rank {k}" for k in paying), "dense"]
    counted = rows * columns / (rows + columns)
    assert found.ranks["counted"].tolist() == pytest.approx([counted, counted])
    assert found.ranks["rank"].tolist() == [1, 1]
    assert accounting.macs(timed["rank 1"]) == rows + columns
    assert found.break_even == dict.fromkeys(
        [(1, "measured"), (1, "counted"), (256, "measured"), (256, "counted")], 1
    )
    assert seen[0].break_even == found.break_even


@pytest.mark.parametrize(
    ("dense", "expected"), [((0.99, 1.01), 1), ((1.02, 1.07), None), ((0.93, 0.98), None)]
)
def test_faster_by_less_than_the_same_graph_differs_from_itself_is_not_faster(
    monkeypatch, digits, digits_softmax, dense, expected
):
    table = times(dense=dense, rank_1=(1.05, 1.06))
    _, found = measure(monkeypatch, digits_softmax, digits, table)
    assert found.break_even[1, "measured"] == expected


@given(st.integers(1, 400), st.integers(2, 30))
def test_ranks_are_spaced_from_the_first_to_the_last_with_all_powers_of_two(largest, count):
    ranks = list(range(1, largest + 1))
    spaced = latency.thin_ranks(ranks, count)
    assert spaced == sorted(set(spaced))
    assert set(spaced) <= set(ranks)
    if largest <= count:
        assert spaced == ranks
        return
    assert (spaced[0], spaced[-1]) == (1, largest)
    powers = {2**n for n in range(10) if 2**n <= largest}
    assert powers <= set(spaced)
    assert len(spaced) <= count + len(powers)


def test_what_was_measured_is_read_without_torch_scipy_or_onnx_runtime():
    code = "import sys, compression.latency; print({'torch', 'scipy', 'onnxruntime'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert run.stdout.strip() == "set()", run.stderr
