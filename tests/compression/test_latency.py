import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import compression
from compression import latency
from compression.errors import StorageError


class Sleeper:
    """A session on a clock of its own: each call takes its time, longer in a slow round."""

    def __init__(self, clock, cost):
        self.clock, self.cost, self.calls = clock, cost, 0

    def run(self, outputs, feed):
        self.calls += 1
        self.clock.now += self.cost * len(feed["samples"]) * self.clock.load

    def get_inputs(self):
        return [type("Input", (), {"shape": ["N", 3]})]


class Clock:
    now, load = 0.0, 1.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    sleepers = {"reference": Sleeper(clock, 5e-5), "half": Sleeper(clock, 2.5e-5)}
    monkeypatch.setattr(latency, "_sessions", lambda networks: sleepers)
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
    (session,) = latency._sessions({"m": digits_mlp.network}).values()
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
