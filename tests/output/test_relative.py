"""Places in the output are stored relative to it; others stay as they are."""

from __future__ import annotations

import pyarrow as pa

from lp_ray.output.relative import resolved, shortened

ROOT = "s3://bucket/out"
ROW = {
    "video_uri": f"{ROOT}/videos/a.mp4",
    "template_uri": "s3://store/t.npz",
    "comparison_uri": None,
    "motion_uri": f"{ROOT}/motion/a.safetensors",
    "source_uri": f"{ROOT}/inputs/a.jpg",
    "meta_uri": f"{ROOT}/mine",
    "error": f"{ROOT}/videos: no",
}


def test_only_places_under_the_output_become_relative() -> None:
    short = shortened(ROW, ROOT)
    assert (short["video_uri"], short["motion_uri"]) == ("videos/a.mp4", "motion/a.safetensors")
    assert {name for name in ROW if short[name] != ROW[name]} == {"video_uri", "motion_uri"}


def test_they_resolve_under_the_output_wherever_it_is_now() -> None:
    moved = resolved(pa.Table.from_pylist([shortened(ROW, ROOT)]), "file:///disk/copy").to_pylist()[0]
    assert moved["video_uri"] == "file:///disk/copy/videos/a.mp4"
    assert (moved["template_uri"], moved["comparison_uri"]) == ("s3://store/t.npz", None)
    assert (moved["source_uri"], moved["meta_uri"]) == (ROW["source_uri"], ROW["meta_uri"])
    assert resolved(pa.Table.from_pylist([shortened(ROW, ROOT)]), ROOT).to_pylist() == [ROW]


def test_rows_of_an_older_version_and_empty_tables_stay() -> None:
    assert resolved(pa.Table.from_pylist([ROW]), "file:///elsewhere").to_pylist() == [ROW]
    empty = pa.table({"video_uri": pa.array([], pa.string())})
    assert resolved(empty, ROOT) == empty
