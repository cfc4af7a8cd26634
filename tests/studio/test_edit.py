"""The tab Edit in a real browser: an edit is made, kept, handed over and animated."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

from lp_ray.contract.presets import preset
from lp_ray.engine.protocol import EngineSpec
from lp_ray.studio.app import page
from lp_ray.studio.shared import Place, Shared
from tests.browser import browser, needs_browser, one_at_a_time
from tests.generated import Generated
from tests.studio.visit import Visit, visit

__all__ = ["browser", "visit"]

pytestmark = one_at_a_time


@needs_browser
def test_a_pair_is_animated_with_an_edit_on_top(visit: Visit, generated: Generated, clip: Path) -> None:
    """Edit first, hand it over, animate: the row has the edit, and nothing was asked of another host."""
    page = visit.page
    visit.tab("Edit")
    visit.give("edit-source", generated.portrait)
    page.locator("#edited img").wait_for()
    before = page.locator("#edited img").get_attribute("src")
    slider = page.get_by_label("number input for smile").first
    slider.fill("1")
    slider.press("Enter")
    page.locator("#values").get_by_text("smile").wait_for()
    page.wait_for_function("src => document.querySelector('#edited img').getAttribute('src') !== src", arg=before)
    assert page.locator("#columns textarea").input_value() == "smile\n1"
    page.locator("#preset-name input, #preset-name textarea").first.fill("mine")
    page.click("#keep-preset")
    page.locator("#kept-presets input").wait_for()
    page.click("#use")
    visit.tab("Animate")
    page.locator("#handed").get_by_text("smile").wait_for()
    visit.give("source", generated.portrait)
    visit.give("driving", clip)
    page.click("#animate")
    page.locator("#result video").wait_for(timeout=60_000)
    row = page.locator("#row")
    row.get_by_text("smile").wait_for()
    page.wait_for_function("() => document.querySelector('#result video').readyState >= 1")
    hosts = {urllib.parse.urlsplit(url).netloc for url in visit.asked if url.startswith("http")}
    assert hosts == {urllib.parse.urlsplit(page.url).netloc} and visit.alarms == []
    page.reload()
    visit.tab("Edit")
    page.locator("#kept-presets").wait_for()
    page.locator("#kept-presets input").click()
    page.get_by_role("option", name="mine").click()
    page.wait_for_function("() => document.querySelector('[aria-label=\"number input for smile\"]').value === '1'")


@needs_browser
def test_presets_travel_as_yaml(visit: Visit, tmp_path: Path) -> None:
    """What is kept is saved in the form that `edit=FILE:NAME` takes, and such a file is loaded; a wrong one is told."""
    page = visit.page
    visit.tab("Edit")
    slider = page.get_by_label("number input for smile").first
    slider.fill("0.5")
    slider.press("Enter")
    page.locator("#values").get_by_text("smile").wait_for()
    page.click("#save-presets")
    visit.said("presets: none are kept in this browser")
    page.locator("#preset-name input, #preset-name textarea").first.fill("mine")
    page.click("#keep-preset")
    page.wait_for_function("() => document.querySelector('#kept-presets input').value === 'mine'")
    page.click("#save-presets")
    link = page.locator("#saved-presets a[download]").first
    link.wait_for()
    with page.expect_download() as downloading:
        link.click()
    saved = tmp_path / "saved.yaml"
    downloading.value.save_as(saved)
    assert preset(f"{saved}:mine", "test") == {"smile": 0.5}
    other = tmp_path / "other.yaml"
    other.write_text("turned: {head_yaw: 12, eyebrow: 5}\nshut: {blink: 1}\n")

    def load(path: Path) -> None:
        with page.expect_file_chooser() as choosing:
            page.click("#load-presets")
        choosing.value.set_files(str(path))

    load(other)
    page.wait_for_function("() => document.querySelector('[aria-label=\"number input for head_yaw\"]').value === '12'")
    page.wait_for_function("() => document.querySelector('[aria-label=\"number input for brow\"]').value === '5'")
    page.locator("#kept-presets input").click()
    assert {"mine", "turned", "shut"} <= {text.split("\n")[-1] for text in page.get_by_role("option").all_inner_texts()}
    page.keyboard.press("Escape")
    for text, said in (
        ("a: {smile: 9}", "presets: a: smile=9 must be between"),
        ("a: 3", "presets: a: must be controls with values"),
        ("'<b>': {smile: 1}", "must be 1 to 64 letters"),
        ("a: {grin: 3}", "engine=preview has no grin"),
        ("{}", "presets: there are none in this file"),
        ("!!python/object/apply:os.system ['true']", "no YAML file"),
    ):
        bad = tmp_path / f"bad{len(text)}.yaml"
        bad.write_text(text)
        load(bad)
        visit.said(said)
    assert visit.alarms == []


def test_animals_have_no_edits_and_the_page_says_so(tmp_path: Path) -> None:
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    animals = EngineSpec("liveportrait", weights="seeded", size="tiny", variant="animal")
    made = page(Shared(Place(tmp_path / "out", tmp_path / "scratch", animals)))
    told = json.dumps(made.get_config_file(), default=str)
    assert "an animal's are other places of a face" in told and "edit-source" not in told and "lips-source" not in told
    assert "driving_multiplier" in told and '"animation_region"' not in told
