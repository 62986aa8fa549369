"""Take the README's pictures anew: ``python -m benchmarks.pictures``."""

import io

from PIL import Image
from playwright.sync_api import Page

from .browser import CHARTS, open_browser, open_page, wait_until_idle
from .server import ROOT, serve_app

FOLDER = ROOT / ".streamlit" / "pictures"
REFERENCE = "dataset=digits&model=mlp&seed=0"
WIDTH = 1440
# Of each still what its link says, and how much of the page is seen.
STILLS = {
    "compare": (f"?{REFERENCE}", 1560),
    "constrained": ("constrained?dataset=digits&model=softmax_regression&seed=0", 1600),
    "decide": (f"decide?{REFERENCE}", 1100),
    "atlas": ("atlas", 1100),
}
MOVING_HEIGHT = 960
MOVING_WIDTH = 900  # of the file
# What the moving picture does: a slider, a key on it, how often.
MOVES = [("rank", "ArrowLeft", 6), ("rank", "ArrowRight", 4), ("bound", "ArrowLeft", 8)]
FRAME_MS, LAST_MS = 350, 2000
COLOURS = 128


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with open_browser() as browser, serve_app() as server, open_page(browser) as page:
        for name, (link, height) in STILLS.items():
            page.set_viewport_size({"width": WIDTH, "height": height})
            visit(page, f"{server.address}/{link}")
            shrink(page.screenshot(), WIDTH).save(FOLDER / f"{name}.png", optimize=True)
        page.set_viewport_size({"width": WIDTH, "height": MOVING_HEIGHT})
        visit(page, f"{server.address}/?{REFERENCE}")
        frames = [shrink(picture, MOVING_WIDTH) for picture in move(page)]
    frames[0].save(
        FOLDER / "compare.gif",
        save_all=True,
        append_images=frames[1:],
        duration=[FRAME_MS] * (len(frames) - 1) + [LAST_MS],
        loop=0,
        optimize=True,
    )


def visit(page: Page, address: str) -> None:
    """Open a page, and wait for its last chart; a picture of an error is none."""
    page.goto(address)
    page.locator(CHARTS).first.wait_for()
    wait_until_idle(page)
    if page.locator('[data-testid="stAlertContentError"]').count():
        raise RuntimeError(f"{address} shows an error")


def move(page: Page) -> list[bytes]:
    """Both sides, from their sliders down, after each press of a key."""
    page.locator(".st-key-method").evaluate("menu => menu.scrollIntoView({block: 'start'})")
    pictures = [page.screenshot()]
    for slider, key, times in MOVES:
        for _ in range(times):
            page.locator(f".st-key-{slider} input[type=range]").press(key)
            wait_until_idle(page)
            pictures.append(page.screenshot())
    return pictures


def shrink(picture: bytes, width: int) -> Image.Image:
    """A screenshot in few colours, so that a clone of the project stays small."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.resize((width, image.height * width // image.width), Image.Resampling.LANCZOS)
    return image.quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
