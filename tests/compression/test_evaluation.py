import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from compression import evaluation, paired_tests


@given(st.integers(1, 500), st.data())
def test_wilson_is_the_interval_of_scipy(trials, drawn):
    successes = drawn.draw(st.integers(0, trials))
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    found = evaluation.wilson(successes, trials)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert found.low <= successes / trials <= found.high


@pytest.fixture
def classes():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 4, 300)
    noisy = np.where(generator.random(300) < 0.8, target, generator.integers(0, 4, 300))
    worse = np.where(generator.random(300) < 0.6, target, generator.integers(0, 4, 300))
    return target, noisy, worse


def test_accuracy_and_confusion_are_those_of_scikit_learn(classes):
    target, noisy, _ = classes
    assert evaluation.score(noisy, target, "classification") == metrics.accuracy_score(
        target, noisy
    )
    np.testing.assert_array_equal(
        evaluation.confusion(noisy, target, 4), metrics.confusion_matrix(target, noisy)
    )


def test_confusion_has_a_row_for_a_class_that_never_occurs():
    counts = evaluation.confusion(np.array([0, 1]), np.array([0, 0]), 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 0, 0], [0, 0, 0]])


def test_r_squared_is_that_of_scikit_learn_and_undefined_for_a_constant_target():
    generator = np.random.default_rng(0)
    target = generator.normal(size=50)
    predicted = target + generator.normal(size=50)
    expected = metrics.r2_score(target, predicted)
    assert evaluation.score(predicted, target, "regression") == pytest.approx(expected)
    assert np.isnan(evaluation.score(predicted, np.ones(50), "regression"))


def test_recalls_are_those_of_scikit_learn_with_scipys_wilson_intervals(classes):
    target, noisy, _ = classes
    shares, low, high = evaluation.recalls(evaluation.confusion(noisy, target, 4))
    np.testing.assert_allclose(shares, metrics.recall_score(target, noisy, average=None))
    for label in range(4):
        right, samples = ((noisy == label) & (target == label)).sum(), (target == label).sum()
        expected = stats.binomtest(right, samples).proportion_ci(0.95, method="wilson")
        assert (low[label], high[label]) == pytest.approx((expected.low, expected.high))


def test_nothing_is_known_of_the_recall_of_a_class_without_samples():
    shares, low, high = evaluation.recalls(np.array([[0, 0], [1, 2]]))
    assert np.isnan(shares[0])
    assert (low[0], high[0]) == (0, 1)
    assert shares[1] == pytest.approx(2 / 3)


def test_disagreements_are_the_rows_of_different_classes_or_numbers_by_their_distance():
    rows = evaluation.disagreements(np.array([0, 1, 2]), np.array([1, 1, 0]), "classification")
    np.testing.assert_array_equal(rows, [0, 2])
    rows = evaluation.disagreements(
        np.array([0.0, 1, 2, 3]), np.array([0.5, 1, 4, 2.5]), "regression"
    )
    np.testing.assert_array_equal(rows, [2, 0, 3])


@pytest.mark.parametrize("n", [6, 7, 12, 25, 100, 201])
def test_the_interval_of_a_median_is_the_narrowest_that_keeps_95_percent(n):
    # The l-th smallest and l-th largest enclose the median unless fewer than l values fall on
    # one side of it: a binomial probability.
    found = evaluation.median_interval(np.random.default_rng(0).permutation(n))
    below = round(found.low) + 1
    assert found.high == n - below
    assert 1 - 2 * stats.binom.cdf(below - 1, n, 0.5) >= 0.95
    assert 1 - 2 * stats.binom.cdf(below, n, 0.5) < 0.95


def test_the_interval_of_a_median_agrees_with_scipys_quantile_test():
    values = np.random.default_rng(1).exponential(size=101)
    expected = stats.quantile_test(values, q=values.mean(), p=0.5).confidence_interval(0.95)
    found = evaluation.median_interval(values)
    assert (found.low, found.high) == (expected.low, expected.high)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_interval_of_a_median_of_very_few_values_is_their_range(n):
    found = evaluation.median_interval(np.arange(n)[::-1])
    assert (found.low, found.high) == (0, n - 1)


def weighted_change(weights, target, squares):
    """Squared errors that are saved, as a share of the target's spread, of weighted rows."""
    mean = (weights * target).sum() / weights.sum()
    return (weights * squares).sum() / (weights * (target - mean) ** 2).sum()


@pytest.mark.parametrize("block", [1, 700, 10**6])
def test_the_bootstrap_in_blocks_is_the_direct_formula_on_the_same_draws(block, monkeypatch):
    """Each resample by itself; its standard error from torch's gradient by the rows' weights."""
    monkeypatch.setattr(evaluation, "UNPACKED", block)
    evaluation.draw_resamples.cache_clear()
    rng = np.random.default_rng(3)
    n, models = 37, 4
    target = rng.normal(size=n) + 2.0
    predicted = target + rng.normal(size=(models, n))
    squares = (predicted[0] - target) ** 2 - (predicted - target) ** 2
    times = np.random.default_rng(5).multinomial(n, np.full(n, 1 / n), size=1000)
    expected = []
    for row in squares:
        ends = []
        for drawn in [np.ones(n), *times]:
            weights = torch.tensor(drawn, dtype=torch.float64, requires_grad=True)
            share = weighted_change(weights, torch.tensor(target), torch.tensor(row))
            share.backward()
            assert weights.grad is not None
            error = (weights.detach() * weights.grad**2).sum().sqrt()
            ends.append((share.item(), error.item()))
        (share, error), *rest = ends
        shares, errors = np.array(rest).T
        with np.errstate(invalid="ignore"):
            far = np.sort(np.abs(shares - share) / errors)[950]
        expected.append((share, share - far * error, share + far * error))
    comparison = evaluation.Comparison(predicted[0], target, "regression", seed=5)
    found = np.array(comparison.changes(predicted))
    np.testing.assert_allclose(found[:, 1:].T, expected[1:], rtol=0, atol=1e-9)
    assert found[:, 0].tolist() == [0, 0, 0]  # the reference beside itself
    evaluation.draw_resamples.cache_clear()


def test_the_interval_of_r_squared_is_that_of_the_logarithm_of_what_is_not_explained():
    rng = np.random.default_rng(3)
    target = rng.normal(size=60)
    predicted = target + 0.2 * rng.normal(size=(3, 60))
    predicted[2] = target
    comparison = evaluation.Comparison(predicted[0], target, "regression")
    low, high = comparison.intervals(predicted)
    score = np.array([evaluation.score(row, target, "regression") for row in predicted])
    assert (low[:2] < score[:2]).all()
    assert (score[:2] < high[:2]).all()
    assert (high <= 1).all()
    # As far above as below, in the logarithm.
    np.testing.assert_allclose((1 - low[:2]) / (1 - score[:2]), (1 - score[:2]) / (1 - high[:2]))
    assert (low[2], high[2]) == (1, 1)  # no error at all


@pytest.mark.parametrize("n", range(2, 9))
def test_the_interval_of_r_squared_of_very_few_samples_can_be_read(n):
    rng = np.random.default_rng(n)
    for _ in range(20):
        target = rng.normal(size=n)
        predicted = (target + rng.normal(size=(3, n))).astype(np.float32)
        low, high = evaluation.Comparison(predicted[0], target, "regression").intervals(predicted)
        assert (low > -1e6).all()
        assert (low <= high).all()
        assert (high <= 1).all()


def test_the_bootstrap_of_many_rows_takes_a_byte_a_draw():
    import tracemalloc

    n = 20_000
    target = np.sin(np.arange(n))
    predicted = np.tile(np.where(np.arange(n) % 7, target, 0.0), (3, 1))
    evaluation.draw_resamples.cache_clear()
    tracemalloc.start()
    evaluation.Comparison(predicted[0], target, "regression").changes(predicted)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert evaluation.draw_resamples(n, 0).nbytes == 1000 * n
    assert most < 2 * 1000 * n
    evaluation.draw_resamples.cache_clear()


def test_intervals_of_accuracies_and_their_changes_need_no_draws(monkeypatch):
    def draw_resamples(n, seed):
        raise AssertionError("nothing is to be drawn")

    monkeypatch.setattr(evaluation, "draw_resamples", draw_resamples)
    target = np.arange(30) % 3
    comparison = evaluation.Comparison(target, target, "classification")
    low, high = comparison.intervals(target[None])
    assert low[0] < 1 == high[0]
    _, low, high = comparison.changes(target[None])
    assert low[0] < 0 < high[0]


def test_counts_of_few_rows_survive_whatever_they_are():
    np.testing.assert_array_equal(evaluation.draw_resamples(1, 0), np.ones((1000, 1)))


@pytest.mark.parametrize(
    ("classes", "expected"), [(2, np.uint8), (256, np.uint8), (257, np.uint16)]
)
def test_predicted_classes_are_kept_in_the_smallest_integers_that_hold_them(classes, expected):
    outputs = np.eye(classes, dtype=np.float32)
    seen = evaluation.predictions(outputs, "classification")
    assert seen.dtype == expected
    np.testing.assert_array_equal(seen, np.arange(classes))


def test_nothing_is_lost_when_predictions_are_bytes():
    """250 classes: differences and products of bytes would overflow."""
    rng = np.random.default_rng(0)
    target, wide = rng.integers(0, 250, 400), rng.integers(0, 250, (3, 400))
    wide[:, :200] = target[:200]
    wide[2, :100] = (target[:100] + 1) % 250
    narrow = wide.astype(np.uint8)
    for kept in (target, target.astype(np.uint8)):
        np.testing.assert_array_equal(
            evaluation.confusion(narrow[0], kept, 250),
            metrics.confusion_matrix(target, wide[0], labels=np.arange(250)),
        )
        assert evaluation.score(narrow[1], kept, "classification") == (wide[1] == target).mean()
        assert paired_tests.mcnemar(narrow[0], narrow[2], kept) == paired_tests.mcnemar(
            wide[0], wide[2], target
        )
        np.testing.assert_array_equal(
            evaluation.disagreements(narrow[0], narrow[2], "classification"),
            np.flatnonzero(wide[0] - wide[2]),
        )
        both = [
            evaluation.Comparison(own[0], y, "classification").changes(own)
            for own, y in ((narrow, kept), (wide, target))
        ]
        np.testing.assert_array_equal(*both)


def test_a_curve_keeps_a_byte_a_prediction(digits, digits_mlp):
    import compression

    curve = compression.low_rank_curve(digits_mlp, digits, ranks=[2, 9])
    assert curve.predictions.nbytes == 2 * len(digits.y_test)
    for row, counts in enumerate(curve.confusion):
        expected = metrics.confusion_matrix(digits.y_test, curve.predictions[row])
        np.testing.assert_array_equal(counts, expected)


def test_the_class_report_is_scikit_learn_s():
    from sklearn.metrics import classification_report

    target, names = np.arange(30) % 3, ("setosa", "versicolor", "virginica")
    # Half the second class is taken for the third: precision and recall differ.
    predictions = np.where((target == 1) & (np.arange(30) % 2 == 0), 2, target)
    expected = classification_report(target, predictions, target_names=names, output_dict=True)
    table = evaluation.class_report(predictions, target, names).set_index("class")
    assert list(table.index) == list(names)
    for name, line in table.iterrows():
        assert line[["precision", "recall", "F1", "samples"]].tolist() == pytest.approx(
            [expected[name][key] for key in ("precision", "recall", "f1-score", "support")]
        )


def test_balanced_accuracy_is_scikit_learn_s():
    random = np.random.default_rng(0)
    target = random.choice(4, 300, p=[0.7, 0.2, 0.1, 0.0])
    predicted = np.where(random.random(300) < 0.8, target, random.integers(0, 3, 300))
    counts = evaluation.confusion(predicted, target, 4)
    assert evaluation.balanced_accuracy(counts) == pytest.approx(
        metrics.balanced_accuracy_score(target, predicted)
    )
