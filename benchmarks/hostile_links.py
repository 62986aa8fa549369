"""Links that nobody made in good faith: every query key of every page with values that do not fit."""

import contextlib
import logging
import math
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from unittest import mock

from streamlit.testing.v1 import AppTest

from pages.shared import jobs, links
from pages.views.studies.curve_values import read_values

from .server import ROOT
from .table import Row

Value = str | list[str]

PICTURE = "![x](http://stranger.example/x.png)"
HOSTILE: tuple[Value, ...] = (
    "",
    " ",
    "inf",
    "-inf",
    "nan",
    "-1",
    "1.5",
    "1e400",
    "1e-400",
    "9" * 400,
    "0x10",
    "1,2",
    "1_0",
    "٣",  # a digit that Python's float() takes
    "None",
    "null",
    "[]",
    "{}",
    "__class__",
    "../../etc/passwd",
    "%00",
    "\x00",
    "\r\nSet-Cookie: a=b",
    "'; DROP TABLE jobs; --",
    PICTURE,
    "[click](javascript:alert(1))",
    "http://stranger.example",
    "`` `code` ``",
    "**bold** $x^2$ :red[red]",
    "<img src=x onerror=alert(1)>",
    "\u202eright to left",
    "\U0001f600 e\u0301\u0301\u0301 \u2060",
    "x" * 10_000,
    ["1", "2"],
    ["", ""],
    ["nan", PICTURE, "x"],
)
SMALL = {"dataset": "iris", "model": "softmax_regression", "seed": "0"}
NETWORK = {"dataset": "iris", "model": "mlp", "seed": "0"}
CONVOLUTIONS = {"dataset": "mnist1d", "model": "conv1d", "seed": "0", "train_epochs": "1"}
TWO_PAIRS: dict[str, Value] = {  # a study so small that its page computes it unasked
    "on": ["iris", "wine"],
    "of": "mlp",
    "seeds": "2",
    "reference_epochs": "2",
    "curves": "Truncated SVD",
    "values_truncated_svd": "1 2",
}
PATIENCE = 300  # seconds for the jobs of one link
LEAST_LINKS = 2_500
LARGE_FILE = "pages.views.your_model.bounds.LARGE_FILE"  # bytes from which bounds are asked for


@dataclass(frozen=True)
class Site:
    """A page, and what a link to it says so that it draws what it can be asked for.

    ``large``: its model counts as a large one, of which some things come when asked for.
    """

    page: str
    query: Mapping[str, Value]
    large: bool = False


SITES = (
    Site("compare", NETWORK | {"differences": "true"}),
    Site("compare", SMALL | {"scrub": "true"}),
    Site("compare", NETWORK | {"sides": "equal", "tour": "1", "visit": "x"}),
    Site("compare", NETWORK | {"exercise": "rank", "guess": "3"}),
    Site("compare", NETWORK | {"baselines": "few_bits"}),
    Site("compare", CONVOLUTIONS | {"baselines": "none"}),
    Site("train", SMALL),
    Site("low_rank", NETWORK | {"method": "activation_aware_svd", "methods": "tuned"}),
    Site("low_rank", NETWORK | {"share": "true", "folds": "true"}),
    Site("low_rank", CONVOLUTIONS),
    Site("constrained", SMALL | {"plane": "true", "race": "true"}),
    Site(
        "constrained",
        NETWORK | {"way": "learning_compression", "own_bounds": "true", "few_bits": "true"},
    ),
    Site("combine", NETWORK),
    Site("how_it_works", {}),
    Site("your_data", {}),
    Site("your_model", {"timed": "true", "weight_bits": "8"}),
    Site("your_model", {"timed": "true"}, large=True),
    Site("studies", {"kept": "true", "rows": "true", "study": "own"}),
    Site("studies", TWO_PAIRS),
    Site("studies", {"study": "atlas"}),
    Site("atlas", {"here": "true"}),
    Site("decide", NETWORK | {"measure": "true", "choice": "x", "compare": "x"}),
)
KINDS = ("selectbox", "select_slider", "button_group", "multiselect", "number_input", "toggle")
_TEXTS = {value for name, value in vars(links).items() if name.isupper() and isinstance(value, str)}
_VALUES = {links.AS_PATH, links.FROM_REFERENCE, links.EQUAL, links.ALL, links.ROUNDING}
ALL_KEYS = {text for text in _TEXTS if "{" not in text} - _VALUES
BEGINNINGS = {text.removesuffix("{}") for text in _TEXTS if "{" in text}  # a name follows


def open_link(site: Site, query: Mapping[str, Value]) -> AppTest:
    """What a visitor who follows a link to a cold page sees once nothing goes on."""
    with mock.patch(LARGE_FILE, 0) if site.large else contextlib.nullcontext():
        return _open_link(site, query)


def _open_link(site: Site, query: Mapping[str, Value]) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page(f"pages/{site.page}.py")
    end = time.monotonic() + PATIENCE
    while True:
        app.run()
        pending = [job for job in jobs.shared_pool().jobs() if job.pending]
        if not pending or app.exception:
            return app
        for job in pending:
            job.wait(max(0.0, end - time.monotonic()))


def keys_of(app: AppTest, site: Site) -> list[str]:
    """The query keys that a page has drawn a widget for, and those of its link."""
    drawn = {element.key for kind in KINDS for element in app.get(kind)}
    beginnings = ("rank_", links.LAYER_BOUND.format(""), links.STUDY_VALUES.format(""))
    known = {key for key in drawn if key in ALL_KEYS or (key or "").startswith(beginnings)}
    known -= {key for key in known if "_early_" in key}  # a knob's stand-in is in no link
    return sorted(known | set(site.query))


def list_untried_keys(tried: Iterable[str]) -> list[str]:
    """The names of ``links`` that are among no link's keys."""
    tried = set(tried)
    named = tried - ALL_KEYS  # "bound_bits" is no layer's bound
    beginnings = {each for each in BEGINNINGS if any(key.startswith(each) for key in named)}
    return sorted((ALL_KEYS | BEGINNINGS) - tried - beginnings)


class Listener(logging.Handler):
    """Keeps what is logged as an error: an exception that a page did not catch is."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


@contextlib.contextmanager
def listen() -> Iterator[list[str]]:
    listener = Listener()
    # Streamlit's own loggers pass nothing on to the root.
    loggers = [logging.getLogger(), logging.getLogger("streamlit")]
    for logger in loggers:
        logger.addHandler(listener)
    try:
        yield listener.heard
    finally:
        for logger in loggers:
            logger.removeHandler(listener)


def list_faults(app: AppTest, heard: list[str]) -> list[str]:
    """What must not happen, whatever a link says."""
    return [
        *(f"exception box: {box.message}" for box in app.exception),
        *(f"in the log: {line[-200:]}" for line in heard),
        *(f"error box: {box.value[:200]}" for box in app.error),
    ]


def try_links(share: float, seed: int) -> Iterator[tuple[str, list[str]]]:
    """A part of all links, chosen by a seed: each with what was wrong with it."""
    # It warns at every link that there is no server.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").disabled = True
    chosen, tried = random.Random(seed), set()
    for site in SITES:
        usual = open_link(site, site.query)
        for key in keys_of(usual, site):
            if (site.page, key) in tried:
                continue
            tried.add((site.page, key))
            without = {name: value for name, value in site.query.items() if name != key}
            plain = open_link(site, without) if key in site.query else usual
            said = {warning.value for warning in plain.warning}
            for value in HOSTILE:
                if chosen.random() >= share:
                    continue
                with listen() as heard:
                    app = open_link(site, {**site.query, key: value})
                faults = list_faults(app, heard)
                remarks = {warning.value for warning in app.warning} - said
                if not remarks and not _takes(app, key, value):
                    faults.append("no remark")
                yield f"{site.page}?{key}={str(value)[:40]!r}", faults


def _takes(app: AppTest, key: str, value: Value) -> bool:
    """Whether a widget shows what the link says, so that there is nothing to remark on.

    Numbers between two of a slider's become the nearer one, an empty list holds nothing, of a
    list that does not know its options yet no name is wrong, and "2" may be a menu's own name.
    """
    text = value[-1] if isinstance(value, list) else value
    if key.startswith(links.STUDY_VALUES.format("")):
        return not text.strip() or bool(read_values(text, whole=True))
    shown = app.session_state[key] if key in app.session_state else None  # noqa: SIM401 (it has no get)
    if isinstance(shown, (int, float)) and not isinstance(shown, bool):
        with contextlib.suppress(ValueError):
            return math.isfinite(float(text))
    if isinstance(shown, list) and isinstance(value, list):
        return len(shown) == len(value)  # an unknown name is left out: bits are named 1, 2, ...
    return shown == text == "2" or (shown in ([], None) and text in ("", " ", "None"))


def rows(share: float = 1.0, seed: int = 0) -> Iterator[Row]:
    count, wrong, tried = 0, [], set()
    for link, faults in try_links(share, seed):
        count += 1
        tried.add(link.partition("?")[2].partition("=")[0])
        if faults:
            wrong.append(f"{link}: {'; '.join(faults)}")
            print(f"  {wrong[-1]}", flush=True)
    yield Row(
        f"hostile links: with an exception box, a logged error or no remark, of {count:,}",
        f"{len(wrong)}",
        "0",
        len(wrong),
        f"0 of {LEAST_LINKS:,}",
        not wrong and count >= LEAST_LINKS * share,
    )
    untried = list_untried_keys(tried)
    yield Row(
        "keys of pages/shared/links.py that were never tried",
        ", ".join(untried) or "none",
        "0",
        len(untried),
        "0",
        not untried,
    )
