"""The learning weights, and the compressed ones that follow them."""

import torch
from torch import nn

from compression.constrained.training.augmented_lagrangian import AugmentedLagrangian
from compression.constrained.training.setup import ConstrainedStart
from compression.training import SampleTensors


def test_the_weights_are_drawn_to_their_compressed_form_and_the_biases_learn(
    digits, digits_softmax
):
    network = digits_softmax.network
    learns = nn.Sequential(nn.Linear(64, 10))
    learns.load_state_dict({f"0.{k}": v for k, v in network[0].state_dict().items()})
    bias = learns[0].bias.detach().clone()
    aim = torch.full_like(learns[0].weight.detach(), 0.05)

    start = ConstrainedStart(learns, SampleTensors(digits), learning_rate=0.01, seed=0, epochs=40)
    before = float((learns[0].weight.detach() - aim).norm())
    mu = torch.logspace(-3, 0, 40).tolist()
    AugmentedLagrangian(learns, start).run(["0"], lambda name, target: aim, mu)
    assert float((learns[0].weight.detach() - aim).norm()) < 0.3 * before
    assert not torch.equal(learns[0].bias, bias)


def test_compressing_begins_at_the_weights_themselves_and_ends_after_the_last_pass(digits):
    learns = nn.Sequential(nn.Linear(64, 10))
    before = learns[0].weight.detach().clone()
    start = ConstrainedStart(learns, SampleTensors(digits), learning_rate=0.01, seed=0, epochs=3)
    targets = []

    def compress(name, target):
        targets.append(target.clone())
        return torch.zeros_like(target)

    AugmentedLagrangian(learns, start).run(["0"], compress, [0.1, 0.2, 0.3])
    assert len(targets) == 1 + 3
    assert torch.equal(targets[0], before)
    assert not torch.equal(targets[1], before)


def test_a_cold_problem_starts_at_its_weights_and_a_warm_one_at_the_last_compressed_form(digits):
    aim = torch.full((10, 64), 0.05)
    for warm in (False, True):
        learns = nn.Sequential(nn.Linear(64, 10))
        start = ConstrainedStart(
            learns, SampleTensors(digits), learning_rate=0.01, seed=0, epochs=1
        )
        lagrangian = AugmentedLagrangian(learns, start, multiplier_step=0.5, warm=warm)
        seen = []

        def compress(name, target, learns=learns, seen=seen):
            seen.append((learns[0].weight.detach().clone(), target.clone()))
            return aim

        lagrangian.run(["0"], compress, [0.2])
        lagrangian.run(["0"], compress, [0.4])
        # By hand: λ is zero at first, then −σ μ (w − Δ) of the first problem's only round.
        (_, _), (w, first), (after, second), _ = seen
        assert torch.equal(first, w)
        assert torch.equal(after, w)  # not yet moved when the second problem first compresses
        multiplier = -0.5 * 0.2 * (w - aim) if warm else torch.zeros_like(w)
        torch.testing.assert_close(second, w - multiplier / 0.4)
