"""Links that nobody made in good faith: every query key of every page with values that do not fit."""

import contextlib
import logging
import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streamlit.testing.v1 import AppTest

from pages.shared import jobs, links

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
PATIENCE = 300  # seconds for the jobs of one link


@dataclass(frozen=True)
class Site:
    """A page, and what a link to it says so that it draws what it can be asked for."""

    page: str
    query: Mapping[str, str]


SITES = (
    Site("compare", NETWORK | {"differences": "true"}),
    Site("compare", SMALL | {"scrub": "true"}),
    Site("compare", NETWORK | {"sides": "equal", "tour": "1", "visit": "x"}),
    Site("compare", NETWORK | {"exercise": "rank", "guess": "3"}),
    Site("train", SMALL),
    Site("low_rank", NETWORK | {"method": "activation_aware_svd", "methods": "tuned"}),
    Site("low_rank", NETWORK | {"share": "true", "folds": "true"}),
    Site("low_rank", {"dataset": "mnist1d", "model": "conv1d", "train_epochs": "1"}),
    Site("constrained", SMALL | {"plane": "true", "race": "true"}),
    Site(
        "constrained",
        NETWORK | {"way": "learning_compression", "own_bounds": "true", "few_bits": "true"},
    ),
    Site("combine", NETWORK),
    Site("how_it_works", {}),
    Site("your_data", {}),
    Site("your_model", {"timed": "true", "weight_bits": "8"}),
    Site("studies", {"kept": "true", "rows": "true", "study": "own"}),
    Site("atlas", {}),
    Site("decide", NETWORK | {"measure": "true", "choice": "x", "compare": "x"}),
)
KINDS = ("selectbox", "select_slider", "button_group", "multiselect", "number_input", "toggle")
ALL_KEYS = {
    value
    for name, value in vars(links).items()
    if name.isupper() and isinstance(value, str) and "{" not in value
}


def open_link(site: Site, query: Mapping[str, Value]) -> AppTest:
    """What a visitor who follows a link to a cold page sees once nothing goes on."""
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


class Listener(logging.Handler):
    """Keeps what is logged as an error: an exception that a page did not catch is."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
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


def faults_of(app: AppTest, heard: list[str]) -> list[str]:
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
                with listening() as heard:
                    app = open_link(site, {**site.query, key: value})
                faults = faults_of(app, heard)
                remarks = {warning.value for warning in app.warning} - said
                if not remarks and not _takes(app, key, value):
                    faults.append("no remark")
                yield f"{site.page}?{key}={str(value)[:40]!r}", faults


def _takes(app: AppTest, key: str, value: Value) -> bool:
    """Whether a widget shows what the link says, so that there is nothing to remark on.

    Numbers between two of a slider's become the nearer one, an empty list holds nothing, and of
    a list that does not know its options yet no name is wrong.
    """
    text = value[-1] if isinstance(value, list) else value
    shown = app.session_state[key] if key in app.session_state else None  # noqa: SIM401 (it has no get)
    if isinstance(shown, (int, float)) and not isinstance(shown, bool):
        with contextlib.suppress(ValueError):
            return math.isfinite(float(text))
    return shown in ([], None) and text in ("", " ", "None")


def rows(share: float = 1.0, seed: int = 0) -> Iterator[Row]:
    count, wrong = 0, []
    for link, faults in try_links(share, seed):
        count += 1
        if faults:
            wrong.append(f"{link}: {'; '.join(faults)}")
            print(f"  {wrong[-1]}", flush=True)
    yield Row(
        f"hostile links: with an exception box, a logged error or no remark, of {count:,}",
        f"{len(wrong)}",
        "0",
        len(wrong),
        "0",
        not wrong,
    )
