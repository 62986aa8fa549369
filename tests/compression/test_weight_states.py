"""The states of weights: one enum, whose values stand in every saved file."""

from compression.weight_states import WeightState


def test_states_keep_the_values_that_files_hold():
    assert {state.name: state.value for state in WeightState} == {
        "FREE": 0,
        "UPPER": 1,
        "LOWER": 2,
        "ZERO": 3,
    }
