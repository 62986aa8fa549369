"""Some of the page's series, computed once."""

import pytest

from compression import COMBINED_METHODS
from pages.shared.models import constrained_tasks, requests
from pages.shared.models import tasks as work
from pages.views.decide import series, tasks
from pages.views.decide.candidates import list_candidates
from pages.views.decide.series import list_possible_series
from tests.pages.views.decide.examples import EPOCHS, IN_FEW_BITS, SERIES, go_on


@pytest.fixture(scope="session", autouse=True)
def few_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series, "EPOCHS", EPOCHS)
        yield


@pytest.fixture(scope="session")
def trained():
    return work.reference(go_on, "iris", "softmax_regression", 0)


@pytest.fixture(scope="session")
def box(trained):
    return constrained_tasks.constrained_curve(go_on, trained.origin, "box", "path")


@pytest.fixture(scope="session")
def results(trained, box):
    """Some of the page's series, by name."""
    own = trained.origin
    return {
        "truncated_svd": work.low_rank_curve(go_on, own, ("truncated_svd", None)),
        "truncated_svd_tuned": work.low_rank_curve(
            go_on, own, ("truncated_svd", ("linear",)), epochs=EPOCHS
        ),
        "box": box,
        "fine_tuned": work.fine_tuned_curve(go_on, own, EPOCHS),
        "budgets": work.budget_curve(go_on, own, "bytes", ("truncated_svd", None)),
        "refit": constrained_tasks.constrained_curve(go_on, own, "box", "refit"),
        "quantized": tasks.quantize_bounds(
            go_on, own, box.knob, tuple(box.table["knob"][[5, 30]]), (box.files[5], box.files[30])
        ),
        "low_rank_then_constrained": work.combined_grid(
            go_on,
            own,
            "low_rank_then_constrained",
            "box",
            requests.combined_ranks(trained.layers),
            COMBINED_METHODS["low_rank_then_constrained"].bounds,
            EPOCHS,
        ),
    }


@pytest.fixture(scope="session")
def table(results):
    curves = {SERIES[name]: curve for name, curve in results.items()}
    return list_candidates(results["box"].reference, curves)


@pytest.fixture(scope="session")
def measured(trained, box):
    return tasks.latencies(go_on, trained.origin, box.files[0])


SMALL = ("mlp", "softmax_regression")


@pytest.fixture(scope="session", params=SMALL)
def everyone(request):
    """A model, and all that the page can show of it, by the jobs that the page asks for."""
    job = requests.reference("iris", request.param, 0)
    assert job.wait(200)
    trained, jobs = job.result, {}
    assert SERIES["box"].submit(trained).wait(200)  # of which some get fewer bits
    for one in list_possible_series(trained):
        if one.name.endswith("_few_bits") and one.name not in IN_FEW_BITS:
            continue
        jobs[one] = one.submit(trained)
    assert all(job.wait(200) for job in jobs.values())
    curves = {series: job.result for series, job in jobs.items()}
    return trained, list_candidates(curves[SERIES["box"]].reference, curves)
