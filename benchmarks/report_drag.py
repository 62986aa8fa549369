"""Does the report's own slider keep up with a hand?"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from .browser import open_browser, open_page
from .table import Row

LIMIT = 25  # frames a second
SIDES = ("rank slider", "bound slider")
SECONDS = 4
# A pointer that moves with every frame, as a hand's does; how many frames showed something new.
# Sent from outside each move would wait for the answer to the one before.
DRAG = """([seconds, left, right, y]) => new Promise(done => {
  const svg = document.querySelector('svg.main-svg'), begin = performance.now();
  const figure = document.querySelector('.js-plotly-plot');
  let changed = false, frames = 0;
  const watcher = new MutationObserver(() => { changed = true; });
  watcher.observe(svg, {subtree: true, childList: true, attributes: true, characterData: true});
  const look = now => {
    if (changed) { frames += 1; changed = false; }
    if (now - begin > 1000 * seconds) {
      watcher.disconnect();
      return done(frames * 1000 / (now - begin));
    }
    const swing = 0.5 - 0.5 * Math.cos((now - begin) / 250);  // to and fro in 1.6 s: 50 bounds a second
    figure.dispatchEvent(new MouseEvent('mousemove',
      {bubbles: true, clientX: left + swing * (right - left), clientY: y}));
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def rows() -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        open_browser() as browser,
        open_page(browser) as page,
    ):
        file = Path(folder) / "report.html"
        file.write_text(_report(), encoding="utf-8")
        page.goto(file.as_uri())
        page.locator(".slider-group").nth(1).wait_for()
        for number, name in enumerate(SIDES):
            rate = _drag(page, number)
            yield Row(
                f"a drag of the report's {name}, digits + mlp",
                f"{rate:.0f} frames a second",
                f"{LIMIT}, the limit",
                rate / LIMIT,
                f"≥ {LIMIT} a second",
                rate >= LIMIT,
            )


def _report() -> str:
    from pages.shared.models import constrained_tasks
    from pages.shared.models import tasks as work
    from pages.views.compare.html_report import build_html_report

    def go_on(*arguments, **named) -> bool:
        return True

    trained = work.reference(go_on, "digits", "mlp", 0)
    low_rank = work.low_rank_curve(go_on, trained.origin, ("truncated_svd", None))
    constrained = constrained_tasks.constrained_curve(
        go_on,
        trained.origin,
        constraint="box",
        way="path" if trained.convex else "projected_training",
    )
    return build_html_report(
        trained,
        trained.layers[0],
        low_rank,
        constrained,
        low_rank.suggestion,
        constrained.suggestion,
        link="http://127.0.0.1/",
    )


def _drag(page: Page, number: int) -> float:
    box = page.locator(".slider-rail-touch-rect").nth(number).bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    rate = page.evaluate(DRAG, [SECONDS, box["x"] + 5, box["x"] + box["width"] - 5, y])
    page.mouse.up()
    return float(rate)
