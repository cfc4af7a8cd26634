"""Make the README's pictures of the gallery and the studio: `make demo`, then
`python -m scripts.page_pictures demo_output`. It drives chromium (`apt-get install chromium`), as the browser tests do.

They show the astronaut alone, because her portrait is in the public domain: with her own performance of the demo, and
with performances that are made by code.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from lp_ray import LivePortraitPipeline, storage
from lp_ray.acting.generate import Ranges, natural
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.engine.protocol import EngineSpec
from lp_ray.gallery.build import build
from lp_ray.motion.performance_io import write_parquet
from lp_ray.studio.serve import serve
from lp_ray.studio.shared import Place

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PERFORMANCES = 11
SECONDS = 2.0
SIZE = {"width": 1120, "height": 760}
GALLERY_WIDTH, STUDIO_WIDTH = 1500, 1000
MOST_BYTES = 300_000
EDIT = {"smile": 0.7, "head_yaw": 9, "brow": 12}


def main(demo: str) -> None:
    """Write both pictures. Raises RefusedError without chromium, or if the folder is no demo's output."""
    inputs = Path(demo) / "inputs"
    portrait, talk = inputs / "astronaut.png", next(iter(inputs.glob("talk-by-astronaut-*.mp4")), None)
    if talk is None or not portrait.is_file():
        raise RefusedError(
            f"{demo} has no inputs/astronaut.png and inputs/talk-by-astronaut-*.mp4: make demo writes them"
        )
    with TemporaryDirectory(prefix="lp_ray-pictures-") as scratch, opened_browser() as browser:
        folder = Path(scratch)
        grid, result = gallery(browser, made(folder, portrait, talk))
        save(np.hstack([grid, result]), GALLERY_WIDTH, IMAGES / "gallery.jpg")
        save(studio(browser, folder, portrait), STUDIO_WIDTH, IMAGES / "studio.jpg")


def made(folder: Path, portrait: Path, talk: Path) -> Path:
    """Animate the portrait by the clip and by performances, and return the gallery."""
    drivings: list[dict[str, Any]] = [{"uri": str(talk), "driving_id": "talk"}]
    for number in range(PERFORMANCES):
        path = folder / f"made-{number:02d}.perf.parquet"
        path.write_bytes(write_parquet(natural(3, number, SECONDS, 25, Ranges())))
        drivings.append({"uri": str(path), "driving_id": f"made-{number:02d}"})
    pipeline = LivePortraitPipeline(engine="preview", labels="full", metrics="fast")
    pipeline.animate_many(
        [{"uri": str(portrait), "source_id": "astronaut"}], drivings, folder / "demo", paste_back=False
    )
    return Path(str(storage.local_path(build(str(folder / "demo")).page)))


def gallery(browser: Any, page_file: Path) -> tuple[Image, Image]:
    """Return the page with a histogram open, and a result with its driving and curves."""
    page = browser.new_page(viewport=SIZE)
    page.goto(page_file.as_uri())
    page.locator(".card[data-pair]").nth(PERFORMANCES).wait_for()
    page.locator("details[data-column='identity_mean'] summary").click()
    page.locator("details[data-column='identity_mean'] canvas").wait_for()
    page.wait_for_timeout(1000)
    grid = shot(page)
    page.locator(".card", has_text="talk").first.click()
    page.locator("#players .driving video").wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('#players video')].every(v => v.readyState >= 2)")
    page.locator("#curves canvas").first.wait_for()
    page.evaluate(
        "() => { const t = document.getElementById('time'); t.value = 420; t.dispatchEvent(new Event('input')); }"
    )
    page.add_style_tag(content="video::-webkit-media-controls { display: none !important; }")
    page.wait_for_timeout(1000)
    result = shot(page)
    page.close()
    return grid, result


def studio(browser: Any, folder: Path, portrait: Path) -> Image:
    """Return the tab Edit with a few sliders moved."""
    places = [folder / name for name in ("studio", "scratch")]
    for place in places:
        place.mkdir()
    served = serve(Place(*places, EngineSpec("preview"), ("engine=preview",)), "127.0.0.1", 0, None, 50_000_000)
    try:
        page = browser.new_page(viewport={"width": 1240, "height": 900})
        page.goto(served.address)
        page.get_by_role("tab", name="Edit").click()
        page.set_input_files("#edit-source input[type=file]", str(portrait))
        page.locator("#edited img").wait_for(timeout=60_000)
        for name, value in EDIT.items():
            field = page.get_by_label(f"number input for {name}").first
            field.fill(str(value))
            field.press("Enter")
            page.locator("#values").get_by_text(name).wait_for()
        page.wait_for_timeout(1500)
        page.mouse.move(0, 0)
        page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
        picture = shot(page)
        page.close()
    finally:
        served.close()
    return picture


@contextmanager
def opened_browser() -> Iterator[Any]:
    """Start chromium. Raises RefusedError if it is not here."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise RefusedError("chromium is not here: apt-get install chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def shot(page: Any) -> Image:
    """Return what a page shows, H x W x 3, BGR."""
    return np.asarray(cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR), np.uint8)


def save(picture: Image, width: int, path: Path) -> None:
    """Write a picture so many pixels wide, at the best quality that stays under MOST_BYTES."""
    height = round(picture.shape[0] * width / picture.shape[1])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    for quality in range(88, 40, -4):
        data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) < MOST_BYTES:
            break
    path.write_bytes(data)
    print(f"{path} ({len(data) // 1000} kB)")


if __name__ == "__main__":
    main(sys.argv[1])
