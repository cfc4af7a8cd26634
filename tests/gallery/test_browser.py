"""The page in a real browser, from disk: ten thousand rows, filters, brush, players, keys, decisions, hostile text."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lp_ray
from lp_ray.base.limits import Limits
from lp_ray.gallery.build import build
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.media.frames_zip import write_frames
from tests.browser import browser, needs_browser, one_at_a_time
from tests.dataset.made import layout_of, many, row, write
from tests.gallery.test_build import HOSTILE
from tests.generated import Generated
from tests.jobs.conftest import Call, call

__all__ = ["browser", "call"]

pytestmark = [needs_browser, one_at_a_time]


class Looked:
    """A page, and what it asked for and complained of."""

    def __init__(self, browser: Any, **how: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **how)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("dialog", lambda dialog: self.errors.append(f"dialog: {dialog.message}"))

    def open(self, gallery: Path, view: str = "") -> Any:
        self.page.goto((gallery / "index.html").as_uri() + view)
        self.page.wait_for_function("() => document.getElementById('counts').textContent.includes(' of ')")
        return self.page

    def counts(self, wanted: str) -> None:
        self.page.wait_for_function(
            "text => document.getElementById('counts').textContent.startsWith(text)", arg=wanted
        )


@pytest.fixture
def looked(browser: Any) -> Iterator[Looked]:
    made = Looked(browser, viewport={"width": 1200, "height": 800})
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand made rows without pictures."""
    output = tmp_path_factory.mktemp("large")
    many(layout_of(output), 10_000, 100, 50)
    build(str(output), pictures=False)
    return output / "gallery"


def test_ten_thousand_rows_scroll_with_few_cards(large: Path, looked: Looked) -> None:
    """However far it is scrolled, only what can be seen exists, and what can be seen is filled."""
    page = looked.open(large)
    looked.counts("10,000 of 10,000")
    for share in (0, 0.31, 0.77, 1):
        page.evaluate("s => { const v = document.getElementById('view'); v.scrollTop = s * v.scrollHeight; }", share)
        page.wait_for_function(
            "() => [...document.querySelectorAll('.card')].length > 8 &&"
            " [...document.querySelectorAll('.card')].every(card => card.dataset.pair)"
        )
        assert page.locator(".card").count() < 120
    frames = page.evaluate(
        """() => new Promise(resolve => {
            const view = document.getElementById('view'); let frames = 0; view.scrollTop = 0;
            const step = () => {
                view.scrollTop += 400; frames += 1;
                if (frames < 60) requestAnimationFrame(step); else resolve(frames);
            };
            requestAnimationFrame(step);
        })"""
    )
    assert frames == 60 and looked.errors == []
    assert all(url.startswith("file://") for url in looked.asked)


def test_filters_brush_sort_and_address(large: Path, looked: Looked) -> None:
    page = looked.open(large)
    page.locator("details[data-column='source_id'] summary").click()
    page.get_by_label("find in source_id").fill("s000007")
    page.locator("details[data-column='source_id'] input[type=checkbox]").first.check()
    looked.counts("100 of 10,000")
    page.locator("details[data-column='identity_mean'] summary").click()
    canvas = page.locator("details[data-column='identity_mean'] canvas")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 20, steps=4)
    page.mouse.up()
    page.wait_for_function("() => !document.getElementById('counts').textContent.startsWith('100 of')")
    left = int(page.inner_text("#counts").split(" ")[0])
    assert 25 <= left <= 75, "half of an even distribution"
    page.select_option("#sort", "identity_mean")
    page.wait_for_function(
        "() => location.hash.includes('sort=identity_mean') && location.hash.includes('in.identity_mean')"
    )
    kept = page.evaluate("() => location.hash")
    other = Looked(looked.context.browser)
    again = other.open(large, kept)
    other.counts(f"{left} of 10,000")
    shown = again.locator(".card .said span").all_inner_texts()[:5]
    values = [float(text.split()[1]) for text in shown]
    assert values == sorted(values) and values[0] >= 0.7
    again.fill("#search", "d000003")
    again.wait_for_function("() => location.hash.includes('text=d000003')")
    other.context.close()
    assert looked.errors == [] and other.errors == []


def test_each_file_of_rows_is_loaded_once(large: Path, looked: Looked) -> None:
    """However many cards want rows of it; and again where it was let go meanwhile."""
    looked.page.add_init_script(
        """window.loads = []; const append = Element.prototype.append; Element.prototype.append = function (...made) {
            for (const each of made) if (each.tagName === "SCRIPT") loads.push(each.getAttribute("src"));
            return append.apply(this, made);
        };"""
    )
    page = looked.open(large)
    page.wait_for_function(
        "() => document.querySelectorAll('.card').length > 8 &&"
        " [...document.querySelectorAll('.card')].every(card => card.dataset.pair)"
    )
    assert page.evaluate("() => loads").count("data/rows-0.js") == 1
    wanted = "Promise.all([0, 1, 2].map(index => lpGallery.needRow(index))).then(rows => rows.filter(Boolean).length)"
    assert page.evaluate(f"() => {{ lpGallery.pages.delete(0); return {wanted}; }}") == 3
    assert page.evaluate("() => loads").count("data/rows-0.js") == 2 and looked.errors == []


def test_bounds_hold_what_equals_them_and_stay_as_they_were_typed(tmp_path: Path, looked: Looked) -> None:
    """Decimals that float32 has not, numbers of seven digits, and one that float32 has no room for."""
    layout = layout_of(tmp_path)
    takes = [1234567, 1234599, 2000000]
    rows = [row(layout, "s", f"d{i}", meta_take=take, meta_of="x") for i, take in enumerate(takes)]
    write(layout, rows, {"identity_mean": [0.1, 0.7, 0.3], "jitter": [0.5, 1e300, 1.5]})
    build(str(tmp_path), pictures=False)
    page = looked.open(tmp_path / "gallery", "#in.identity_mean=0.7_0.7")
    looked.counts("1 of 3")
    page.get_by_label("identity_mean from").fill("0.1")
    page.get_by_label("identity_mean from").press("Enter")
    looked.counts("3 of 3")
    assert page.get_by_label("identity_mean to").input_value() == "0.7"
    page.locator("details[data-column='meta_take'] summary").click()
    for end, text, left in (("from", "1234567", 3), ("to", "1999999.5", 2), ("to", "1234567", 1), ("from", "", 1)):
        page.get_by_label(f"meta_take {end}").fill(text)
        page.get_by_label(f"meta_take {end}").press("Enter")
        looked.counts(f"{left} of 3")
        assert page.get_by_label(f"meta_take {end}").input_value() == (text if end == "from" else text[:9])
        if end == "to":
            assert page.get_by_label("meta_take from").input_value() == "1234567"
    page.locator("details[data-column='meta_take'] button").click()
    looked.counts("3 of 3")
    page.locator("details[data-column='jitter'] summary").click()
    canvas = page.locator("details[data-column='jitter'] canvas")
    assert canvas.get_attribute("aria-label") == "histogram of jitter, 0.5 to 1.5"
    other = Looked(looked.context.browser)
    other.open(tmp_path / "gallery", "#is.meta_take=1&in.meta_of=0_1&is.gone=x")
    other.counts("3 of 3")
    assert looked.errors == [] and other.errors == [], "a column of another kind than when the address was made"
    other.context.close()


def test_results_that_no_browser_plays_are_shown_as_strips(
    tmp_path: Path, looked: Looked, generated: Generated
) -> None:
    layout, clip = layout_of(tmp_path), small_clip(tmp_path, generated)
    rows = [row(layout, "s", kind, kind=kind) for kind in ("mov", "frames")]
    for made, suffix in zip(rows, (".mov", ".zip"), strict=True):
        made["video_uri"] = layout.result(made["pair_id"], suffix)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / f"{rows[0]['pair_id']}.mov").write_bytes(clip.read_bytes())
    frames = (np.full((48, 64, 3), 60 * i, np.uint8) for i in range(3))
    write_frames(tmp_path / "videos" / f"{rows[1]['pair_id']}.zip", frames)
    write(layout, [*rows, row(layout, "s", "far", kind="mov", video_uri="file:///elsewhere/x.mov")])
    build(str(tmp_path))
    page = looked.open(tmp_path / "gallery")
    for kind, suffix in (("mov", ".mov"), ("frames", ".zip")):
        page.locator(".card", has_text=f"s × {kind}").click()
        page.locator("#players .unplayed", has_text=f"A browser cannot play {kind}").wait_for()
        page.wait_for_function("() => document.querySelector('#players img')?.naturalWidth > 8 * 40")
        assert page.locator("#players .error").count() == 0
        with page.expect_download() as downloading:
            page.locator("#players .unplayed a").click()
        assert downloading.value.suggested_filename.endswith(suffix)
        page.keyboard.press("Escape")
    page.locator(".card", has_text="s × far").click()
    page.locator("#players .error", has_text="its file lies outside of this output").wait_for()
    assert looked.errors == []


def test_hostile_text_is_text(tmp_path: Path, looked: Looked) -> None:
    layout = layout_of(tmp_path)
    rows = [row(layout, HOSTILE, f"d{i}", meta_of=HOSTILE) for i in range(3)]
    rows[0] |= {"status": "failed", "error": HOSTILE, "stage": "source", "video_uri": None}
    write(layout, rows)
    (tmp_path / "summaries").mkdir()
    said = json.dumps({"outcome": HOSTILE, "engine": HOSTILE, "finished_at": HOSTILE, "errors": {HOSTILE: 2}})
    for name in ("a", "b"):
        (tmp_path / "summaries" / f"{name}.json").write_text(said)
    build(str(tmp_path), pictures=False)
    page = looked.open(tmp_path / "gallery")
    page.locator("#runs summary").click()
    assert HOSTILE.split("\u2028")[0] in page.inner_text("#runs li") and "alert(1)" in page.inner_text("#runs table")
    page.locator("details[data-column='meta_of'] summary").click()
    page.locator(".card").first.click()
    page.locator("#detail td").first.wait_for()
    assert page.locator("img, [onerror]").count() == 0
    assert HOSTILE.split("\u2028")[0] in page.inner_text("#detail")
    page.keyboard.press("Escape")
    page.click("#view-matrix")
    page.locator(".head").first.wait_for()
    assert page.locator("img, [onerror]").count() == 0 and looked.errors == []


def small_clip(folder: Path, generated: Generated, name: str = "clip.mp4") -> Path:
    """Write the first 12 frames of a clip."""
    frames = islice(open_footage(generated.silent_clip, Limits()).frames(), 12)
    encode_segment(folder / name, frames, Fraction(25), 20, "ultrafast")
    return folder / name


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, generated: Generated) -> Path:
    """The gallery of a real job: two sources, two drivings, one of which is broken; with labels."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "broken.mp4").write_bytes(b"\0" * 2000)
    out, pipeline = folder / "out", lp_ray.LivePortraitPipeline(engine="preview", labels="full", metrics="fast")
    sources = [(generated.portrait, "s0"), (generated.closed_mouth, "s1")]
    drivings = [
        {"uri": str(generated.silent_clip), "driving_id": "clip", "end_s": 0.4},
        {"uri": f"{folder}/broken.mp4", "driving_id": "broken", "end_s": 0.4},
    ]
    pipeline.animate_many([{"uri": str(uri), "source_id": name} for uri, name in sources], drivings, out)
    made = build(str(out))
    assert (made.rows, made.curves, made.strips) == (4, 2, 5) and made.n_lacking == len(made.lacking) == 1
    again = build(str(out))
    assert (again.curves, again.strips) == (0, 0) and again.n_lacking == len(again.lacking) == 1, (
        "what could not be made is tried again"
    )
    return out


def test_a_result_is_played_judged_and_exported(job: Path, looked: Looked, call: Call) -> None:
    """Player and curves, failed rows with their reason, keys; the downloaded decisions make a selection."""
    page = looked.open(job / "gallery")
    page.locator("details[data-column='status'] label", has_text="done").locator("input").check()
    looked.counts("2 of 4")
    page.locator(".card").first.click()
    page.wait_for_function("() => document.querySelector('#players video')?.readyState >= 1")
    page.locator("#curves canvas").nth(3).wait_for()
    assert page.locator("#curves canvas").count() >= 5
    drawn = page.evaluate(
        "() => { const c = document.querySelector('#curves canvas');"
        " return new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size; }"
    )
    assert drawn > 3, "something is drawn"
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('#players figcaption').textContent.startsWith('s1')")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    page.wait_for_function("() => document.getElementById('download').textContent.includes('2 decisions')")
    with page.expect_download() as downloading:
        page.click("#download")
    decisions = job / "decisions.csv"
    downloading.value.save_as(decisions)
    with decisions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(each["source_id"], each["kept"]) for each in rows] == [("s0", "keep"), ("s1", "reject")]
    ended = call(f"filter output={job} decisions={decisions} to=eye")
    assert ended.code == 0 and "1 of 4 pairs stay" in ended.output and "rejected by eye" in ended.output, ended.output
    ended = call(f"dataset output={job} to={job.parent / 'set'} format=parquet selection=eye")
    assert ended.code == 0 and "train: 1 videos" in ended.output, ended.output
    page.reload()
    page.wait_for_function("() => document.getElementById('download').textContent.includes('2 decisions')")
    page.locator("details[data-column='status'] label", has_text="done").locator("input").uncheck()
    looked.counts("4 of 4")
    page.locator(".card", has_text="broken").first.click()
    page.locator("#players .error").wait_for()
    assert "failed" in page.inner_text("#players .error")
    assert looked.errors == []


def test_pairs_are_compared_in_step_and_everything_fits_a_phone(job: Path, browser: Any) -> None:
    phone = Looked(browser, viewport={"width": 390, "height": 800}, has_touch=True, color_scheme="dark")
    page = phone.open(job / "gallery", "#is.status=done")
    page.wait_for_function("() => [...document.querySelectorAll('.card')].every(card => card.dataset.pair)")
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert len({round(box["y"]) for box in boxes[:2]}) == 1 and all(box["x"] + box["width"] <= 390 for box in boxes)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert np.mean([int(part) for part in dark[4:-1].split(",")]) < 60
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.click("#compare")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#players video')].filter(v => v.readyState >= 2).length === 2"
    )
    page.click("#play")
    page.wait_for_function("() => [...document.querySelectorAll('#players video')].every(v => !v.paused)")
    page.click("#play")
    page.evaluate(
        "() => { const t = document.getElementById('time'); t.value = 500; t.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_function(
        "() => { const [a, b] = document.querySelectorAll('#players video');"
        " return a.currentTime > 0.1 && Math.abs(a.currentTime - b.currentTime) < 0.05; }"
    )
    assert phone.errors == []
    phone.context.close()


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A page of two sources and three drivings; the pair a × x was made three times."""
    layout = layout_of(tmp_path)
    rows = [row(layout, source, driving) for source in "ab" for driving in "xyz"]
    again = [row(layout, "a", "x", pair_id=f"{n}" * 32, options=f'{{"crf": {n}}}') for n in (1, 2)]
    write(layout, [rows[0], *again, *rows[1:]], {"identity_mean": [0.1 * n for n in range(8)]})
    build(str(tmp_path), pictures=False)
    return tmp_path / "gallery"


def decisions(page: Any, to: Path) -> list[tuple[str, ...]]:
    """Return what the page writes of what was decided: pair, source, driving, keep or reject."""
    with page.expect_download() as downloading:
        page.click("#download")
    downloading.value.save_as(to)
    with to.open(newline="") as file:
        return [(*list(each.values())[:3], each["kept"]) for each in csv.DictReader(file)]


def test_of_several_that_are_shown_each_is_decided_by_itself(several: Path, looked: Looked) -> None:
    """Keys decide on none of them and say why, nor do they move to another; each has its own buttons."""
    page = looked.open(several, "#sort=identity_mean")
    looked.counts("8 of 8")
    page.locator("#view").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "c", "ArrowRight", "c", "ArrowRight"):
        page.keyboard.press(key)
    page.click("#compare")
    names = page.locator("#players figcaption").all_inner_texts()
    assert names == ["a × y", "a × z"]
    for key in ("k", "r", "u", "c"):
        page.keyboard.press(key)
        assert "each has its own buttons" in page.inner_text("#said[role=status]")
        assert page.locator("#download").is_disabled() and page.inner_text("#compare") == "Compare 2"
    page.keyboard.press("ArrowRight")
    assert page.locator("#players figcaption").all_inner_texts() == names
    for name in ("keep", "reject", "next", "previous"):
        assert page.locator(f"#{name}").is_hidden()
    page.get_by_role("button", name="Keep a × z").click()
    page.get_by_role("button", name="Reject a × y").click()
    page.wait_for_function("() => document.getElementById('said').textContent === 'a × y: reject'")
    pressed = page.locator("#players [aria-pressed=true]")
    assert [each.get_attribute("aria-label") for each in pressed.all()] == ["Reject a × y", "Keep a × z"]
    page.keyboard.press("Escape")
    decided = decisions(page, several / "d.csv")
    assert [each[1:] for each in decided] == [("a", "z", "keep"), ("a", "y", "reject")]
    page.locator("#view").focus()
    page.keyboard.press("Enter")
    page.locator("#keep").wait_for()
    page.keyboard.press("r")
    page.wait_for_function("() => document.getElementById('said').textContent === 'b × x: reject'")
    assert page.get_by_role("button", name="Reject (r)").get_attribute("aria-pressed") == "true"
    page.keyboard.press("r")
    page.wait_for_function("() => document.getElementById('said').textContent === 'b × x: undecided'")
    assert all("ERR_FILE_NOT_FOUND" in error for error in looked.errors), "no videos lie there"


def test_arrows_go_over_the_cells_of_the_matrix(several: Path, looked: Looked, large: Path) -> None:
    """Each has a card, and it is seen; what is decided is what is seen."""
    page = looked.open(several, "#sort=identity_mean")
    looked.counts("8 of 8")
    page.locator("#view").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.click("#view-matrix")
    page.wait_for_function("() => document.querySelector('.head') && document.querySelector('.card.here[data-pair]')")
    assert page.inner_text(".card.here b") == "a × x", "the second row's cell"
    said = page.locator(".card .said span").all_inner_texts()
    assert said[0].endswith(", 2 more") and not any("more" in text for text in said[1:]) and len(said) == 6
    page.goto("about:blank")
    looked.open(several, "#view=matrix&sort=identity_mean")
    looked.counts("8 of 8")
    page.locator("#view").focus()
    here = "() => [...document.querySelectorAll('.card.here b')].map(name => name.textContent)"
    seen = []
    for key in ("ArrowRight",) * 7 + ("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
        seen += page.evaluate(here)
        if key == "ArrowRight" and len(seen) == 1:
            page.keyboard.press("r")
            page.wait_for_function("() => document.querySelector('.card.rejected')")
    cells = ["ax", "ay", "az", "bx", "by", "bz", "bz", "az", "az", "ay", "by"]
    assert seen == [f"{source} × {driving}" for source, driving in cells]
    page.keyboard.press("k")
    page.wait_for_function("() => document.querySelector('.card.kept')")
    decided = decisions(page, several / "d.csv")
    assert [each[1:] for each in decided] == [("a", "x", "reject"), ("b", "y", "keep")]
    assert len({each[0] for each in decided} & {"1" * 32, "2" * 32}) == 0, "the first row of the cell"
    page.goto("about:blank")
    page = looked.open(large, "#view=matrix")
    looked.counts("10,000 of 10,000")
    page.locator("#view").focus()
    for key in ("ArrowRight",) * 12 + ("ArrowDown",) * 7 + ("ArrowLeft",) * 9 + ("ArrowUp",) * 6:
        page.keyboard.press(key)
        shown = page.evaluate(
            """() => {
                const card = document.querySelector(".card.here").getBoundingClientRect(), view =
                    document.getElementById("view").getBoundingClientRect(), { right, bottom } = view;
                const under = document.elementFromPoint(card.left + 20, card.top + 20);
                return card.left >= view.left && card.top >= view.top && card.right <= right && card.bottom <= bottom
                    && Boolean(under.closest(".card.here"));
            }"""
        )
        assert shown, "it is in the view, and no head lies over it"
    assert looked.errors == []


def test_keys_decide_on_nothing_that_is_not_seen(large: Path, looked: Looked) -> None:
    """A card that was scrolled away is brought back first; a filter takes the choice away with the pair, and an order
    moves it with its pair."""
    page = looked.open(large)
    looked.counts("10,000 of 10,000")
    page.locator("#view").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    name = page.locator(".card.here b").inner_text()
    page.evaluate("() => { document.getElementById('view').scrollTop = 5000; }")
    page.wait_for_function("() => !document.querySelector('.card.here')")
    page.keyboard.press("k")
    page.wait_for_function("() => document.querySelector('.card.here')")
    assert page.locator("#download").is_disabled() and page.locator(".card.here b").inner_text() == name
    page.keyboard.press("k")
    page.wait_for_function("() => document.querySelector('.card.here.kept')")
    choice = page.evaluate("() => getComputedStyle(document.querySelector('.card.here.kept')).outlineStyle")
    assert choice == "solid", "what was decided does not hide which card is chosen"
    page.select_option("#sort", "jitter")
    page.wait_for_function("() => location.hash.includes('sort=jitter')")
    page.locator("#view").focus()
    page.keyboard.press("k")
    page.wait_for_function("() => document.querySelector('.card.here.kept')")
    assert page.locator(".card.here b").inner_text() == name
    page.fill("#search", "s000099")
    looked.counts("100 of 10,000")
    page.locator("#view").focus()
    page.keyboard.press("r")
    assert page.locator(".card.here, .card.rejected").count() == 0
    assert page.inner_text("#download") == "Download 1 decision" and looked.errors == []


def test_the_view_that_was_asked_for_last_is_shown(large: Path, looked: Looked) -> None:
    """Also where the one before had to wait for its data."""
    page = looked.open(large)
    page.evaluate(
        """() => {
            const need = lpGallery.need;
            lpGallery.need = (name) => (name !== "driving_id" ? need(name)
                : new Promise((resolve) => { window.release = () => resolve(need(name)); }));
        }"""
    )
    page.click("#view-matrix")
    page.wait_for_function("() => window.release")
    page.click("#view-grid")
    page.wait_for_function("() => document.getElementById('view-grid').ariaPressed === 'true'")
    page.evaluate("() => release()")
    page.wait_for_function("() => lpGallery.columns.has('driving_id')")
    page.evaluate("() => new Promise(requestAnimationFrame)")
    assert page.locator(".head").count() == 0 and page.locator(".card").count() > 8 and looked.errors == []


def test_every_control_has_a_name(job: Path, looked: Looked) -> None:
    """What a screen reader would say of each button and field."""
    page = looked.open(job / "gallery")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, canvas, video')]
            .filter(each => !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length))
            .map(each => each.outerHTML)"""
    )
    assert nameless == []


def test_the_runs_and_the_driving_itself_are_shown(
    tmp_path: Path, looked: Looked, generated: Generated, call: Call
) -> None:
    """The command's own summary; a driving plays in step where it was not cut, beside its result; a lost one is a
    strip."""
    clip, out = small_clip(tmp_path, generated, "clip #1.mp4"), tmp_path / "out"
    made = f"animate source={generated.portrait} driving='{clip}' output={out} runtime=inline"
    assert call(made).code == 0 and call(f"{made} end_s=0.2").code == 0
    assert call(f"gallery output={out}").code == 0
    page = looked.open(out / "gallery")
    assert page.inner_text("#runs summary").startswith("Last run complete: 1 done, 5 frames in ")
    page.locator("#runs summary").click()
    assert "preview" in page.inner_text("#runs table") and "1 done, 12 frames" in page.inner_text("#runs li")
    page.locator("#runs summary").click()
    looked.counts("2 of 2")
    for frames in (5, 12):
        page.select_option("#sort", "n_frames")
        page.locator(".card", has_text=f"n_frames {frames}").click()
        player = page.locator("#players .driving video")
        player.wait_for()
        page.wait_for_function("() => [...document.querySelectorAll('#players video')].every(v => v.readyState >= 2)")
        assert page.locator("#players .inputs .driving").is_hidden()
        whole = page.inner_text("#players .driving figcaption").endswith("the whole clip: not in step")
        assert whole is (frames == 5)
        page.evaluate(
            "() => { const t = document.getElementById('time'); t.value = 500; t.dispatchEvent(new Event('input')); }"
        )
        page.wait_for_function("() => document.querySelector('#players video').currentTime > 0.05")
        times = page.evaluate("() => [...document.querySelectorAll('#players video')].map(v => v.currentTime)")
        assert times[1] == (times[0] if frames == 12 else 0), "the whole clip is left where it is"
        page.keyboard.press("Escape")
    clip.unlink()
    page.locator(".card").first.click()
    page.wait_for_function("() => !document.querySelector('#players figure.driving')")
    assert page.locator("#players .inputs .driving").is_visible()
    assert all("ERR_FILE_NOT_FOUND" in error for error in looked.errors), looked.errors


@pytest.mark.slow
def test_more_rows_than_a_browser_has_room_for_are_reached(tmp_path: Path, browser: Any) -> None:
    """150,000 pairs, two beside each other: 16 million pixels. The last is seen, opened by keys, and found again by its
    address without a look at all the others."""
    many(layout_of(tmp_path), 150_000, 1500, 100)
    build(str(tmp_path), pictures=False)
    phone = Looked(browser, viewport={"width": 390, "height": 800})
    page = phone.open(tmp_path / "gallery")
    phone.counts("150,000 of 150,000")
    page.evaluate("() => { const v = document.getElementById('view'); v.scrollTop = v.scrollHeight; }")
    last = page.locator(".card[data-at='149999']")
    last.wait_for()
    box, seen = last.bounding_box(), page.locator("#view").bounding_box()
    assert box["y"] >= seen["y"] and box["y"] + box["height"] <= seen["y"] + seen["height"] + 1
    assert page.evaluate("() => document.getElementById('view').scrollHeight") <= 15_000_000
    page.locator(".card[data-at='149990']").click()
    page.keyboard.press("Escape")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.card.here')?.dataset.at === '149999'")
    page.keyboard.press("Enter")
    page.locator("#detail[open] figcaption").first.wait_for()
    name, kept = page.inner_text("#detail figcaption"), page.evaluate("() => location.hash")
    other = Looked(browser, viewport={"width": 390, "height": 800})
    again = other.open(tmp_path / "gallery", kept)
    again.locator("#detail[open] figcaption").first.wait_for()
    assert again.inner_text("#detail figcaption") == name
    assert sum("/data/rows-" in url for url in other.asked) <= 4
    stale = Looked(browser, viewport={"width": 390, "height": 800})
    moved = stale.open(tmp_path / "gallery", kept.replace("row=149999", "row=7"))
    moved.locator("#detail[open] figcaption").first.wait_for(timeout=60_000)
    assert moved.inner_text("#detail figcaption") == name, "after another job a pair stands elsewhere"
    for looked in (phone, other, stale):
        assert [error for error in looked.errors if "ERR_FILE_NOT_FOUND" not in error] == []
        looked.context.close()
