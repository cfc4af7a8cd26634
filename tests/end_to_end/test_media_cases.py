"""The inputs of ../shared/cases that concern media, through a job: each gives what its README says."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_clip
from lp_ray.output import results
from tests.media import independent
from tests.media.ranges import run_ffmpeg
from tests.running import RunJob, write_manifest

Rows = dict[tuple[str, str], dict[str, Any]]

# (source, driving) -> frames, rate
EXPECTED = {
    ("portrait", "joined"): (48, Fraction(30)),
    ("portrait", "dropped"): (60, Fraction(30)),
    ("portrait", "moving"): (10, Fraction(10)),
    ("portrait", "moving_apng"): (10, Fraction(10)),
    ("portrait", "camcorder"): (47, Fraction(30)),
    ("portrait", "hlg"): (25, Fraction(25)),
    ("portrait", "sdr"): (25, Fraction(25)),
    ("still", "second"): (30, Fraction(30)),
    ("still_as_video", "second"): (1, Fraction(10)),
    ("one_mp4", "second"): (30, Fraction(30)),
    ("moving", "second"): (10, Fraction(10)),
    ("moving_png", "second"): (10, Fraction(10)),
    ("moving_as_image", "second"): (30, Fraction(30)),
    ("call", "two_seconds"): (50, Fraction(25)),
    ("call", "clip"): (103, Fraction(25)),
    ("hlg", "second"): (25, Fraction(25)),
    ("sdr", "second"): (25, Fraction(25)),
    ("p3", "second"): (30, Fraction(30)),
    ("portrait_again", "second"): (30, Fraction(30)),
    ("portrait", "second"): (30, Fraction(30)),
}
FAILED = {
    ("film_named_jpg", "second"): ("UnsupportedError", "say media='video'"),
    ("portrait", "expired"): ("UnreadableMediaError", "it looks like a web page (<html>"),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, media: Path, cases: Path, run_job: RunJob) -> Rows:
    """One job over all of them."""
    folder = tmp_path_factory.mktemp("cases")
    with PIL.Image.open(cases / "moving.webp") as moving:
        for name in ("moving.apng", "moving.png"):
            moving.save(folder / name, format="PNG", save_all=True)
    shutil.copyfile(cases / "call_vp8.webm", folder / "film.jpg")
    portrait = media / "source" / "s9.jpg"
    run_ffmpeg("-i", portrait, "-frames:v", "1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-y", folder / "one.mp4")
    d10 = str(media / "driving" / "d10.mp4")
    sources = [
        {"source_id": "portrait", "uri": str(portrait)},
        {"source_id": "portrait_again", "uri": str(portrait)},
        {"source_id": "still", "uri": str(cases / "still.gif")},
        {"source_id": "still_as_video", "uri": str(cases / "still.gif"), "media": "video"},
        {"source_id": "one_mp4", "uri": str(folder / "one.mp4")},
        {"source_id": "moving", "uri": str(cases / "moving.webp")},
        {"source_id": "moving_as_image", "uri": str(cases / "moving.webp"), "media": "image"},
        {"source_id": "moving_png", "uri": str(folder / "moving.png")},
        {"source_id": "film_named_jpg", "uri": str(folder / "film.jpg")},
        {"source_id": "call", "uri": str(cases / "call_vp8.webm")},
        {"source_id": "hlg", "uri": str(cases / "hlg.mov")},
        {"source_id": "sdr", "uri": str(cases / "sdr.mp4")},
        {"source_id": "p3", "uri": str(cases / "p3.jpg")},
    ]
    drivings = [
        {"driving_id": "second", "uri": d10, "end_s": 1.0},
        {"driving_id": "two_seconds", "uri": d10, "end_s": 2.0},
        {"driving_id": "clip", "uri": d10},
        {"driving_id": "joined", "uri": str(cases / "joined.ts")},
        {"driving_id": "dropped", "uri": str(cases / "dropped_30fps.avi")},
        {"driving_id": "moving", "uri": str(cases / "moving.webp")},
        {"driving_id": "moving_apng", "uri": str(folder / "moving.apng")},
        {"driving_id": "camcorder", "uri": str(cases / "camcorder.mts")},
        {"driving_id": "hlg", "uri": str(cases / "hlg.mov")},
        {"driving_id": "sdr", "uri": str(cases / "sdr.mp4")},
        {"driving_id": "expired", "uri": str(cases / "expired.mp4")},
    ]
    pairs = [{"source_id": s, "driving_id": d, "comparison": d in ("hlg", "sdr")} for s, d in [*EXPECTED, *FAILED]]
    output = folder / "out"
    ended = run_job(
        "animate",
        f"sources={write_manifest(folder / 's.parquet', sources)}",
        f"drivings={write_manifest(folder / 'd.parquet', drivings)}",
        f"pairs={write_manifest(folder / 'p.parquet', pairs)}",
        f"output={output}",
        "engine=preview",
    )
    assert ended.code == 3, ended.output  # some failed
    return {(row["source_id"], row["driving_id"]): row for row in _rows(output)}


def _frames(uri: str) -> list[Any]:
    return list(open_clip(Path(uri.removeprefix("file://")), Limits()).frames())


@pytest.mark.parametrize("pair", EXPECTED, ids="-".join)
def test_frames_and_rate(pair: tuple[str, str], rows: Rows) -> None:
    row = rows[pair]
    assert row["status"] == "done", row["error"]
    frames, rate = EXPECTED[pair]
    assert row["n_frames"] == frames
    assert Fraction(row["fps"]["numerator"], row["fps"]["denominator"]) == rate
    assert len(_frames(row["video_uri"])) == frames


@pytest.mark.parametrize("pair", FAILED, ids="-".join)
def test_what_is_refused_says_why(pair: tuple[str, str], rows: Rows) -> None:
    error_class, words = FAILED[pair]
    assert (rows[pair]["status"], rows[pair]["error_class"]) == ("failed", error_class)
    assert words in rows[pair]["error"]


@pytest.mark.parametrize("driving", ["two_seconds", "clip"])
def test_a_call_whose_size_changes_shows_its_own_frames(driving: str, rows: Rows, cases: Path) -> None:
    """Around the face, output frame k is frame k of the source, as another reader decodes it; not one 20 later."""
    small = [cv2.resize(picture, (90, 135), interpolation=cv2.INTER_AREA).astype(int) for picture in _pictures(cases)]
    shown = [
        cv2.resize(picture, (90, 135), interpolation=cv2.INTER_AREA).astype(int)
        for picture in _frames(rows["call", driving]["video_uri"])
    ]
    for k, picture in enumerate(shown):
        away = [float(np.median(np.abs(picture - other))) + float(np.abs(picture - other).mean()) for other in small]
        assert abs(int(np.argmin(away)) - k) <= 1, (k, int(np.argmin(away)))


def _pictures(cases: Path) -> list[Any]:
    return independent.pictures(cases / "call_vp8.webm")


def test_hdr_sources_and_drivings_look_like_their_sdr_twin(rows: Rows) -> None:
    hlg, sdr = (np.stack(_frames(rows[name, "second"]["video_uri"])).mean((0, 1, 2)) for name in ("hlg", "sdr"))
    assert np.abs(hlg - sdr).max() < 15
    seen, twin = (_driving_panel(rows["portrait", name]["comparison_uri"]) for name in ("hlg", "sdr"))
    assert np.abs(seen - twin).max() < 15


def _driving_panel(uri: str) -> Any:
    """Mean colour of the left third of a comparison: the driving beside source and result."""
    shown = np.stack(_frames(uri))
    return shown[:, :, : shown.shape[2] // 3].mean((0, 1, 2))


def test_a_picture_that_is_a_gif_is_made_like_any_other(rows: Rows) -> None:
    assert rows["still", "second"]["kind"] == rows["p3", "second"]["kind"] == "video"
    assert rows["still", "second"]["pair_id"] != rows["still_as_video", "second"]["pair_id"]
    assert rows["moving", "second"]["pair_id"] != rows["moving_as_image", "second"]["pair_id"]


def test_a_file_under_two_ids_is_served_under_both_and_made_once(rows: Rows) -> None:
    one, other = rows["portrait", "second"], rows["portrait_again", "second"]
    assert one["pair_id"] == other["pair_id"] and one["video_uri"] == other["video_uri"]


def test_a_repaired_file_leaves_no_row_of_what_it_was(
    media: Path, cases: Path, tmp_path: Path, call_job: RunJob
) -> None:
    source, output = tmp_path / "face.jpg", tmp_path / "out"
    command = (
        f"source={source}",
        f"driving={media / 'driving' / 'd10.mp4'}",
        "end_s=0.2",
        f"output={output}",
        "engine=preview",
    )
    shutil.copyfile(cases / "broken.jpg", source)
    broken = call_job("animate", *command)
    assert broken.code != 0 and [row["status"] for row in _rows(output)] == ["failed"], broken.output
    shutil.copyfile(cases / "repaired.jpg", source)
    repaired = call_job("animate", *command)
    assert repaired.code == 0, repaired.output
    assert [(row["status"], row["n_frames"]) for row in _rows(output)] == [("done", 6)]


def _rows(output: Path) -> list[dict[str, Any]]:
    return results.read_results(str(output)).to_pylist()
