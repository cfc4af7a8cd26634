"""The page of an output in object storage, made in one process or by Ray's tasks: the same files, and they play."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lp_ray
from lp_ray import storage
from lp_ray.gallery.build import build
from tests.browser import browser, needs_browser, one_at_a_time
from tests.dataset.made import layout_of, row, write
from tests.gallery.test_browser import Looked, small_clip
from tests.gallery.test_build import handed
from tests.generated import Generated
from tests.running import RunJob

__all__ = ["browser"]


def contents(store: fsspec.AbstractFileSystem, folder: str) -> dict[str, bytes]:
    """Return the files of a page by their names, without the time at which it was made."""
    found = {path.removeprefix(folder): store.cat_file(path) for path in store.find(folder)}
    meta = json.loads(found["/data/meta.js"].removeprefix(b"lpGallery.start(").removesuffix(b");\n"))
    return {**found, "/data/meta.js": json.dumps({**meta, "made": ""}).encode()}


@pytest.fixture
def store(s3_bucket: str) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("s3")


@pytest.fixture
def output(s3_bucket: str, store: fsspec.AbstractFileSystem, generated: Generated, tmp_path: Path) -> str:
    """A job whose inputs and results lie in one bucket: two sources, a clip, and a driving that is none."""
    files = {"a.jpg": generated.portrait, "b.jpg": generated.closed_mouth, "clip.mp4": small_clip(tmp_path, generated)}
    for name, path in files.items():
        store.put_file(str(path), f"{s3_bucket}/in/{name}")
    store.pipe_file(f"{s3_bucket}/in/broken.mp4", b"\0" * 2000)
    root, pipeline = f"s3://{s3_bucket}", lp_ray.LivePortraitPipeline(engine="preview", labels="full")
    sources = [{"uri": f"{root}/in/{name}.jpg", "source_id": name} for name in "ab"]
    drivings = [{"uri": f"{root}/in/{name}.mp4", "driving_id": name} for name in ("clip", "broken")]
    pipeline.animate_many(sources, drivings, f"{root}/out")
    return f"{root}/out"


def test_tasks_make_the_same_page_in_a_bucket(
    output: str, store: fsspec.AbstractFileSystem, run_job: RunJob, tmp_path: Path
) -> None:
    """The first page by Ray's tasks, then nothing is made again, then all of it anew in one process: the same bytes."""
    folder = f"{output.removeprefix('s3://')}/gallery"
    ended = run_job("gallery", f"output={output}", "runtime=ray", "cluster.num_cpus=2")
    assert ended.code == 0 and "4 pairs, 5 strips of pictures and curves of 2 pairs made now" in ended.output
    assert "not shown: " in ended.output and "broken.mp4" in ended.output and "Traceback" not in ended.output
    by_tasks = contents(store, folder)
    again = build(output)
    assert (again.strips, again.curves) == (0, 0) and contents(store, folder) == by_tasks
    store.rm(folder, recursive=True)
    anew = build(output)
    assert (anew.rows, anew.strips, anew.curves) == (4, 5, 2) and anew.n_lacking == len(anew.lacking) == 1
    assert contents(store, folder) == by_tasks


def test_inputs_of_a_bucket_that_is_gone_are_left_out(s3_bucket: str, generated: Generated, tmp_path: Path) -> None:
    """As when inputs were removed after the job."""
    layout = layout_of(tmp_path)
    portrait = storage.normalise(str(generated.portrait))
    gone: dict[str, Any] = {"status": "failed", "video_uri": None, "driving_uri": f"s3://{s3_bucket}-gone/clip.mp4"}
    write(layout, [row(layout, "s", "d", source_uri=portrait, **gone)])
    made = build(str(tmp_path))
    assert (made.rows, made.strips, made.n_lacking) == (1, 1, 1) and "no such bucket" in made.lacking[0]


@needs_browser
@one_at_a_time
def test_a_copied_bucket_is_looked_at_from_disk(
    output: str, store: fsspec.AbstractFileSystem, tmp_path: Path, browser: Any
) -> None:
    """What a bucket's page names lies beside it: results, curves, and the driving in the same bucket."""
    build(output)
    bucket = output.removeprefix("s3://").partition("/")[0]
    store.get(f"{bucket}/", str(tmp_path / "copy"), recursive=True)
    gallery = tmp_path / "copy" / "out" / "gallery"
    _, (_, rows) = handed(gallery / "data" / "rows-0.js")
    drivings = [each["driving_file"] for each in rows if each["driving_id"] == "clip"]
    assert drivings == ["../../in/clip.mp4"] * 2
    looked = Looked(browser, viewport={"width": 1200, "height": 800})
    page = looked.open(gallery, "#is.status=done")
    looked.counts("2 of 4")
    page.locator(".card").first.click()
    page.locator("#players .driving video").wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('#players video')].every(v => v.readyState >= 2)")
    page.locator("#curves canvas").first.wait_for()
    assert page.locator("#players video").count() == 2 and looked.errors == []
    looked.context.close()
