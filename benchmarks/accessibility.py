"""What does axe-core find on every page, light and dark, with models that look different?"""

import re
from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .browser import open_browser, open_page, wait_until_idle
from .server import ROOT, serve_app
from .table import Row

COUNTED = ("moderate", "serious", "critical")
MODELS = {
    "Digits, the default": "",
    "Iris, softmax regression": "dataset=iris&model=softmax_regression",
    "Diabetes, linear regression": "dataset=diabetes&model=linear_regression",
    "MNIST-1D, convolutions": "dataset=mnist1d&model=conv1d",
}


def page_names() -> list[str]:
    """The scripts in the menu; each is also the last part of its page's address."""
    menu = (ROOT / "app.py").read_text(encoding="utf-8")
    return list(dict.fromkeys(re.findall(r"st\.Page\(\"pages/(\w+)\.py\"", menu)))


def show_scheme(page: Page, scheme: str) -> None:
    """Light or dark, as the visitor's system says; comes back once the page has followed."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.wait_for_function(
        """dark => {
             const colour = getComputedStyle(document.querySelector('[data-testid="stApp"]'));
             return colour.backgroundColor.match(/\\d+/g).every(part => (part < 128) === dark);
           }""",
        arg=scheme == "dark",
    )
    page.wait_for_timeout(300)  # colours fade over


def violations(page: Page) -> list[str]:
    """The rule, the element and the reason of whatever axe-core finds moderate or worse."""
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]}: "
        + " ".join(node["failureSummary"].split())
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in COUNTED
        for node in rule["nodes"]
    ]


def rows() -> Iterator[Row]:
    with serve_app() as server, open_browser() as browser, open_page(browser) as page:
        for title, query in MODELS.items():
            problems = []
            for name in page_names():
                page.goto(f"{server.address}/{name}?{query}")
                page.locator('[data-testid="stHeading"]').first.wait_for()
                wait_until_idle(page)
                for scheme in ("light", "dark"):
                    show_scheme(page, scheme)
                    problems += [f"{name}, {scheme}: {each}" for each in violations(page)]
            for each in problems:
                print(f"  {each}", flush=True)
            yield Row(
                f"axe-core, {len(page_names())} pages, light and dark: {title}",
                f"{len(problems)} moderate or worse",
                "0",
                len(problems),
                "0",
                not problems,
            )
