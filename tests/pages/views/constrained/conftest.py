"""One small reference of each kind, trained once."""

import pytest

from pages.shared.models import tasks
from tests.pages.views.constrained.examples import go_on


@pytest.fixture(scope="module")
def diabetes():
    return tasks.reference(go_on, "diabetes", "linear_regression", 0)


@pytest.fixture(scope="module")
def iris():
    return tasks.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="module")
def network():
    return tasks.reference(go_on, "iris", "mlp", 0)
