"""The article's claims, each with what was measured of it and a verdict.

Thirteen rows: of COC's accuracy the article says both "less" and "more". Measured on its own
experiments (iris, and its synthetic one) and on digits, over splits. ``python -m
benchmarks.article_claims`` writes the file that the pages *How it works* and *Atlas* show;
``python -m benchmarks article_claims`` says where that file has another claim or verdict.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

import compression
import data
from compression.network import layers, matrix
from compression.studies import corrected_difference
from compression.studies.atlas_files import read_atlas
from compression.studies.claims import FILE, HELD, NOT_HELD, OPEN, judge_claim

from .table import Row

SEEDS = 3
NOISE = 0.5  # of a standardised feature


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim, what was measured of it, and whether it holds."""

    claim: str
    measured: str
    verdict: str


class Pairs:
    """References, computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int], tuple] = {}

    def __call__(self, name: str, model: str, seed: int = 0) -> tuple:
        """Dataset and reference."""
        key = (name, model, seed)
        if key not in self._known:
            dataset = data.load(name, seed=seed)
            self._known[key] = dataset, compression.train(dataset, model, seed=seed)
        return self._known[key]


def main_directions(pairs: Pairs) -> ClaimVerdict:
    """Eckart & Young: no random subspace of the same rank keeps more."""
    _, reference = pairs("digits", "mlp")
    weight = matrix(layers(reference.network)["fc1"])
    factors = compression.factorize(weight, 8)
    kept = np.linalg.norm(weight - factors.left @ factors.right)
    random = np.random.default_rng(0)
    others = []
    for _ in range(200):
        basis = np.linalg.qr(random.normal(size=(weight.shape[1], 8)))[0]
        others.append(np.linalg.norm(weight - weight @ basis @ basis.T))
    return ClaimVerdict(
        "LMM finds the main directions of the weights",
        f"rank 8 of digits' first layer: error {kept:.2f}, the best of 200 random subspaces "
        f"{min(others):.2f}",
        HELD if kept < min(others) else NOT_HELD,
    )


def judge_larger_rank(pairs: Pairs) -> ClaimVerdict:
    dataset, reference = pairs("digits", "mlp")
    table = compression.low_rank_curve(reference, dataset).table
    grows = (table["bytes"].diff().dropna() >= 0).mean()
    ends = table["bytes"].iloc[[0, -1]] / 1000
    return ClaimVerdict(
        "The larger the rank, the smaller the model",
        f"digits: {ends.iloc[0]:.1f} kB at rank 1, {ends.iloc[1]:.1f} kB at the largest; the file "
        f"grows or stays at {grows:.0%} of the steps",
        NOT_HELD if grows > 0.9 else OPEN,
    )


def judge_covariance_recipe(pairs: Pairs) -> ClaimVerdict:
    """At equal rank, by the same outputs' error."""
    dataset, reference = pairs("digits", "mlp")
    weight = matrix(layers(reference.network)["fc1"])
    x = dataset.x_train[dataset.fit_rows].astype(np.float64)
    errors = []
    for method in ("covariance_eigenvectors", "activation_aware_svd"):
        factors = compression.factorize(weight, 8, method=method, inputs=x)
        off = (weight - factors.left @ factors.right) @ x.T - factors.bias_shift[:, None]
        errors.append(float((off**2).sum(axis=0).mean()))
    return ClaimVerdict(
        "Eigenvectors of the inputs' covariance give the right directions",
        f"mean squared error of digits' first outputs at rank 8: {errors[0]:.3g}, by the optimum "
        f"{errors[1]:.3g}",
        HELD if errors[0] <= 1.01 * errors[1] else NOT_HELD,
    )


def judge_linear_models(pairs: Pairs) -> ClaimVerdict:
    dataset, reference = pairs("digits", "softmax_regression")
    table = compression.low_rank_curve(reference, dataset).table
    smaller = table[table["bytes"] < 0.9 * compression.bytes_of(reference.network)]
    line = smaller.loc[smaller["validation_score"].idxmax()]
    works = line["score_low"] > 0.5  # ten classes
    return ClaimVerdict(
        "LMM is for non-linear models only",
        f"softmax regression on digits, rank {line['knob']:g}: {_format_points(line)} points with "
        f"{line['bytes'] / compression.bytes_of(reference.network):.0%} of the file",
        NOT_HELD if works else OPEN,
    )


def judge_any_objective(pairs: Pairs) -> ClaimVerdict:
    """Both losses on every set: certified, or said not to be."""
    random = np.random.default_rng(0)
    x = random.normal(size=(80, 5))
    targets = {"squared": x @ random.normal(size=5), "softmax": random.integers(0, 3, 80)}
    certified = []
    for loss, y in targets.items():
        for name, entry in compression.CONSTRAINTS.items():
            if entry.convex:
                solution = compression.solve(x, y, loss=loss, constraint=name, bound=0.3)
                certified.append(solution.kkt_residual < 1e-4)
    return ClaimVerdict(
        "COC takes any objective",
        f"{sum(certified)} of {len(certified)} pairs of a convex loss and set solved with a KKT "
        "residual below 1e-4; a network's loss is not convex, and nothing is certified there",
        "holds for convex ones" if all(certified) else NOT_HELD,
    )


def hand_made_rules(pairs: Pairs) -> ClaimVerdict:
    dataset, reference = pairs("digits", "mlp")
    bounds = [0.05, 0.1, 0.2, 0.4, 0.8]
    table = compression.constrained_curve(
        reference, dataset, bounds=bounds, epochs=3, warm_start=False
    ).table
    low, high = 100 * table["score"].min(), 100 * table["score"].max()
    return ClaimVerdict(
        "COC depends on rules made by hand (the bound)",
        f"digits, box, bounds of 5 to 80 %: test accuracy {low:.1f} to {high:.1f} %",
        HELD if high - low > 5 else OPEN,
    )


def judge_accuracy(pairs: Pairs) -> Iterator[ClaimVerdict]:
    """COC against LMM at equal bytes, paired by seed."""
    plain, noisy = [], []
    for seed in range(SEEDS):
        dataset, reference = pairs("digits", "mlp", seed)
        low_rank = compression.low_rank_curve(reference, dataset, ranks=[4, 8, 12, 16], epochs=3)
        box = compression.constrained_curve(
            reference, dataset, bounds=[0.05, 0.1, 0.2, 0.4], epochs=3, warm_start=False
        )
        matched = compression.at_equal_bytes(
            box, low_rank, dataset.y_test, dataset.task, float(box.table["bytes"].median())
        )
        one, two = box.predictions[matched.first], low_rank.predictions[matched.second]
        plain.append(float((one == dataset.y_test).mean() - (two == dataset.y_test).mean()))
        networks = box.network(matched.first), low_rank.network(matched.second)
        right = [answers.mean() for answers in _answer_with_noise(networks, dataset)]
        noisy.append(float(right[0] - right[1]))
    change, verdict = _judge(plain, dataset)
    less = {"behind": HELD, "ahead": NOT_HELD}.get(verdict, OPEN)
    more = {"behind": NOT_HELD, "ahead": HELD}.get(verdict, OPEN)
    said = f"digits, {SEEDS} splits, 3 epochs, a box against low rank at equal bytes: {change}"
    yield _take_duel("COC is less accurate than LMM", said, less)
    yield _take_duel("COC is more accurate than LMM (elsewhere in the text)", said, more)
    change, verdict = _judge(noisy, dataset)
    said = f"the same pairs, with noise of {NOISE} standard deviations on the inputs: {change}"
    less = {"behind": HELD, "ahead": NOT_HELD}.get(verdict, OPEN)
    yield ClaimVerdict("COC is less robust than LMM", said, less)


def _take_duel(claim: str, measured: str, verdict: str) -> ClaimVerdict:
    """A claim with the verdict of the atlas that ships, where one of its duels asks the same."""
    duel = judge_claim(claim, read_atlas().duels)
    return ClaimVerdict(claim, measured, verdict if duel is None else duel[0])


def _answer_with_noise(networks: tuple, dataset: data.Dataset) -> list[np.ndarray]:
    import torch

    noise = np.random.default_rng(0).normal(scale=NOISE, size=dataset.x_test.shape)
    x = torch.from_numpy((dataset.x_test + noise).astype(np.float32))
    with torch.inference_mode():
        return [network(x).argmax(1).numpy() == dataset.y_test for network in networks]


def _judge(differences: Sequence[float], dataset: data.Dataset) -> tuple[str, str]:
    """Mean difference over splits with Nadeau and Bengio's correction for rows that they share."""
    difference = corrected_difference(differences, len(dataset.y_test), len(dataset.y_train))
    mean, low, high = (100 * each for each in (difference.mean, difference.low, difference.high))
    verdict = "ahead" if low > 0 else "behind" if high < 0 else "level"
    return f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})", verdict


def main_and_auxiliary(pairs: Pairs) -> ClaimVerdict:
    """Low rank with bounds on its factors against low rank alone, at equal bytes and epochs."""
    differences = []
    for seed in range(SEEDS):
        dataset, reference = pairs("digits", "mlp", seed)
        both = compression.combined_curve(
            reference, dataset, ranks=[4, 8, 16], bounds=[0.5, 0.25], epochs=3
        )
        alone = compression.low_rank_curve(reference, dataset, ranks=[2, 4, 8, 12, 16], epochs=6)
        budget = float(both.table["bytes"].median())
        matched = compression.at_equal_bytes(both, alone, dataset.y_test, dataset.task, budget)
        one, two = both.predictions[matched.first], alone.predictions[matched.second]
        right = [float((answers == dataset.y_test).mean()) for answers in (one, two)]
        differences.append(right[0] - right[1])
    change, verdict = _judge(differences, dataset)
    return _take_duel(
        "In practice: LMM as the main method with COC as the auxiliary one",
        f"digits, {SEEDS} splits: bounds on the factors against low rank alone at equal bytes and "
        f"up to 6 epochs: {change}",
        {"ahead": HELD, "behind": NOT_HELD}.get(verdict, OPEN),
    )


def judge_iris(pairs: Pairs) -> ClaimVerdict:
    dataset, reference = pairs("iris", "softmax_regression")
    train = compression.evaluation.score(
        _answer(reference.network, dataset.x_train), dataset.y_train, dataset.task
    )
    low, high = reference.interval
    return ClaimVerdict(
        "A logistic model learns iris (its first experiment)",
        f"train {100 * train:.1f} %, test {100 * reference.score:.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f})",
        HELD if low > 1 / 3 else NOT_HELD,
    )


def _answer(network, x: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
        return network(torch.from_numpy(x)).argmax(1).numpy()


def judge_synthetic(pairs: Pairs) -> Iterator[ClaimVerdict]:
    """Its second experiment, by LMM and by COC."""
    dataset, reference = pairs("synthetic", "softmax_regression")
    low_rank = compression.low_rank_curve(reference, dataset, ranks=[1]).table.iloc[0]
    smaller = low_rank["parameters"] < compression.parameters(reference.network)
    yield ClaimVerdict(
        "LMM compresses the synthetic model without loss (its second experiment)",
        f"rank 1: {_format_points(low_rank)} points, {'fewer' if smaller else 'no fewer'} parameters",
        _judge_loss(low_rank) if smaller else NOT_HELD,
    )
    curve = compression.constrained_curve(reference, dataset)
    line = curve.table.iloc[len(curve.table) // 2]
    yield ClaimVerdict(
        "COC compresses the synthetic model without loss (its third experiment)",
        f"box c = {line['knob']:.3g}: {_format_points(line)} points, {line['pinned']:.0%} of the weights "
        "pinned",
        _judge_loss(line),
    )


def _format_points(line) -> str:
    change, low, high = (100 * line[name] for name in ("change", "change_low", "change_high"))
    return f"{change:+.1f} ({low:+.1f} to {high:+.1f})"


def _judge_loss(line) -> str:
    if line["change_high"] < 0:
        return NOT_HELD
    return HELD if line["change_low"] >= -0.01 else OPEN


CLAIMS: tuple[Callable[[Pairs], ClaimVerdict | Iterator[ClaimVerdict]], ...] = (
    main_directions,
    judge_larger_rank,
    judge_covariance_recipe,
    judge_linear_models,
    judge_any_objective,
    hand_made_rules,
    judge_accuracy,
    main_and_auxiliary,
    judge_iris,
    judge_synthetic,
)


def measure() -> Iterator[ClaimVerdict]:
    pairs = Pairs()
    for claim in CLAIMS:
        verdicts = claim(pairs)
        if isinstance(verdicts, ClaimVerdict):
            yield verdicts
        else:
            yield from verdicts


def rows() -> Iterator[Row]:
    shipped = pd.read_csv(FILE).set_index("claim")["verdict"]
    yield from compare_with_file(measure(), shipped.to_dict())


def compare_with_file(
    verdicts: Iterable[ClaimVerdict], shipped: Mapping[str, str]
) -> Iterator[Row]:
    """A row a claim: met where the file that ships has it, with the same verdict.

    Parameters
    ----------
    verdicts : iterable of ClaimVerdict
        As measured now.
    shipped : mapping
        Claim -> verdict, of the file.
    """
    left = dict(shipped)
    for one in verdicts:
        verdict = left.pop(one.claim, "no such claim")
        question = f"{one.claim}: {one.measured}"
        met = verdict == one.verdict
        yield Row(question, one.verdict, f"{verdict}, in the file", np.nan, "the same", met)
    for claim, verdict in left.items():
        yield Row(claim, "not measured", f"{verdict}, in the file", np.nan, "the same", False)


def main() -> None:
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["claim", "measured", "verdict", "command", "date"])
        for one in measure():
            writer.writerow(
                [
                    one.claim,
                    one.measured,
                    one.verdict,
                    "python -m benchmarks.article_claims",
                    date.today().isoformat(),
                ]
            )
            print(f"{one.verdict:22} {one.claim}: {one.measured}", flush=True)


if __name__ == "__main__":
    main()
