"""The tabs Batch and Results in a real browser: planned, stopped, resumed, looked at."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import Any

import lp_ray
from lp_ray.studio.serve import Served
from lp_ray.studio.shared import Place
from tests.browser import browser, needs_browser, one_at_a_time
from tests.generated import Generated
from tests.studio.visit import Visit, visit

__all__ = ["browser", "visit"]

pytestmark = one_at_a_time


@needs_browser
def test_a_batch_is_planned_stopped_resumed_and_looked_at(
    visit: Visit, place: Place, generated: Generated, clip: Path
) -> None:
    page = visit.page
    visit.tab("Batch")
    visit.give("batch-sources", generated.portrait, generated.closed_mouth)
    visit.give("batch-drivings", clip)
    page.locator("#batch-name input, #batch-name textarea").first.fill("planned")
    said = page.locator("#batch-said textarea")

    def until(text: str) -> str:
        page.wait_for_function(
            "text => document.querySelector('#batch-said textarea').value.includes(text)", arg=text, timeout=90_000
        )
        return str(said.input_value())

    page.click("#batch-plan")
    planned = until("ended with exit code 0")
    page.locator("#batch-name input, #batch-name textarea").first.fill("second")
    page.wait_for_function("() => document.querySelector('#batch-said textarea').value === ''")
    assert "2 pairs" in planned or "pairs: 2" in planned, planned
    assert not (place.output / "planned").exists(), "a plan writes nothing"
    page.click("#batch-start")
    page.click("#batch-stop")
    until("ended with exit code")
    made_before = len(list((place.output / "second" / "videos").glob("*.mp4")))
    page.reload()
    visit.tab("Batch")
    visit.give("batch-sources", generated.portrait, generated.closed_mouth)
    visit.give("batch-drivings", clip)
    page.locator("#batch-name input, #batch-name textarea").first.fill("second")
    until("ended with exit code")
    page.click("#batch-start")
    page.wait_for_function("() => !document.querySelector('#batch-said textarea').value.includes('ended')")
    assert f"{made_before} done already" in until("ended with exit code 0") or made_before == 0
    rows = lp_ray.read_results(place.output / "second").to_pylist()
    assert [row["status"] for row in rows] == ["done", "done"]
    visit.tab("Results")
    page.click("#results-again")
    page.locator("#results-output input").click()
    page.get_by_role("option", name="second").click()
    page.click("#results-make")
    page.locator("#results-said a").wait_for(timeout=60_000)
    with visit.context.expect_page() as opening:
        page.locator("#results-said a").click(modifiers=["Control"])
    gallery = opening.value
    gallery.wait_for_function("() => document.getElementById('counts')?.textContent.startsWith('2 of 2')")
    gallery.locator(".card").first.click()
    gallery.wait_for_function("() => document.querySelector('#players video')?.readyState >= 1")


@needs_browser
def test_folders_become_a_batch_that_outlives_the_visit(
    browser: Any, served: Served, place: Place, generated: Generated, clip: Path, tmp_path: Path
) -> None:
    """Pairs by row, what is no picture is told, the bar is at its end; the visitor's uploads go, the batch's stay."""
    folders = {"source": tmp_path / "faces", "driving": tmp_path / "clips"}
    for folder in folders.values():
        folder.mkdir()
    for name, face in (("b.jpg", generated.portrait), ("a.jpg", generated.closed_mouth)):
        shutil.copyfile(face, folders["source"] / name)
    (folders["source"] / "notes.txt").write_text("no picture")
    for name in ("1.mp4", "2.mp4"):
        (folders["driving"] / name).write_bytes(clip.read_bytes() + name.encode())
    visit = Visit(browser, served)
    page = visit.page
    visit.tab("Batch")
    for kind, folder in folders.items():
        page.set_input_files(f"#batch-{kind}-folder input[type=file]", str(folder))
        page.locator(f"#batch-{kind}-folder").get_by_text(re.compile(r"\d\s*K?B")).first.wait_for()
    page.locator("#batch-name input, #batch-name textarea").first.fill("folders")
    page.locator("#batch-pairing input").click()
    page.get_by_role("option", name="zip").click()
    page.click("#batch-start")
    page.wait_for_function(
        "() => document.querySelector('#batch-said textarea').value.includes('ended with exit code 0')", timeout=90_000
    )
    said = page.locator("#batch-said textarea").input_value()
    assert said.startswith("sources: left out of the folder, as no source: notes.txt")
    bar = page.locator("#batch-progress progress")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("2", "2")
    rows = lp_ray.read_results(place.output / "folders").to_pylist()
    assert sorted((row["source_id"], row["driving_id"]) for row in rows) == [("a", "1"), ("b", "2")]
    assert any(place.uploads.rglob("notes.txt")), "what was uploaded is there while its visitor is"
    visit.context.close()
    gone = time.monotonic() + 30
    while any(place.uploads.rglob("notes.txt")) and time.monotonic() < gone:
        time.sleep(0.2)
    assert not any(place.uploads.rglob("notes.txt")) and not any(place.uploads.rglob("1.mp4"))
    assert len(list((place.output / "folders" / "inputs").rglob("*.jpg"))) == 2
    again = Visit(browser, served)
    again.tab("Batch")
    for kind, folder in folders.items():
        again.page.set_input_files(f"#batch-{kind}-folder input[type=file]", str(folder))
        again.page.locator(f"#batch-{kind}-folder").get_by_text(re.compile(r"\d\s*K?B")).first.wait_for()
    again.page.locator("#batch-name input, #batch-name textarea").first.fill("folders")
    again.page.locator("#batch-pairing input").click()
    again.page.get_by_role("option", name="zip").click()
    again.page.wait_for_function("() => document.querySelector('#batch-said textarea').value.includes('exit code 0')")
    again.page.click("#batch-plan")
    again.page.wait_for_function(
        "() => document.querySelector('#batch-said textarea').value.includes('2 done already')", timeout=60_000
    )
    again.context.close()
