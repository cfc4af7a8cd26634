"""Every kind of source with every kind of driving: the right kind of output, its frames, rate and sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.output import results
from tests.running import RunJob, write_manifest

SEEDED = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny")
CUT_S = 0.4
SOURCE_FRAMES, SOURCE_FPS = 103, Fraction(25)

Expected = tuple[str, int, Fraction | None, bool, tuple[int, int]]
"""Kind, frames, rate, sound, size."""

PICTURE, VIDEO = (720, 1280), (720, 1080)

# d10.mp4 is of 30 frames a second and has sound, as has the source video, s13.mp4, of 25; the others are silent.
EXPECTED: dict[tuple[str, str], Expected] = {
    ("picture", "clip"): ("video", 12, Fraction(30), True, PICTURE),
    ("picture", "picture"): ("image", 1, None, False, PICTURE),
    ("picture", "template"): ("video", 12, Fraction(30), False, PICTURE),
    ("video", "clip"): ("video", 10, SOURCE_FPS, True, VIDEO),
    ("video", "picture"): ("video", SOURCE_FRAMES, SOURCE_FPS, True, VIDEO),
    ("video", "template"): ("video", 10, SOURCE_FPS, True, VIDEO),
}


def manifests(folder: Path, media: Path) -> tuple[str, ...]:
    sources = [
        {"uri": str(media / "source" / "s9.jpg"), "source_id": "picture"},
        {"uri": str(media / "source" / "s13.mp4"), "source_id": "video"},
        {"uri": str(media / "source" / "s39.jpg"), "source_id": "animal", "subject": "animal", "box": BOX_OF_S39},
    ]
    drivings = [
        {"uri": str(media / "driving" / "d10.mp4"), "driving_id": "clip", "end_s": CUT_S},
        {"uri": str(media / "driving" / "d30.jpg"), "driving_id": "picture"},
        {"uri": str(media / "templates" / "d5.pkl"), "driving_id": "template", "end_s": CUT_S},
    ]
    pairs = [{"source_id": source, "driving_id": driving} for source, driving in EXPECTED]
    pairs += [{"source_id": "animal", "driving_id": "template"}]
    return (
        f"sources={write_manifest(folder / 's.parquet', sources)}",
        f"drivings={write_manifest(folder / 'd.parquet', drivings)}",
        f"pairs={write_manifest(folder / 'p.parquet', pairs)}",
        f"output={folder / 'out'}",
    )


BOX_OF_S39 = [330.0, 120.0, 760.0, 560.0]


def rows_of(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    found = results.read_results(str(folder / "out")).to_pylist()
    return {(row["source_id"], row["driving_id"]): row for row in found}


def check_output(row: dict[str, Any], expected: Expected) -> None:
    """Compare the row, and what the file itself holds, with what is expected."""
    kind, n_frames, fps, sound, size = expected
    assert row["status"] == "done", (row["stage"], row["error_class"], row["error"])
    told = row["fps"] and Fraction(row["fps"]["numerator"], row["fps"]["denominator"])
    assert (row["kind"], row["n_frames"], told, row["has_audio"]) == (kind, n_frames, fps, sound)
    assert (row["width"], row["height"]) == size
    path = Path(row["video_uri"].removeprefix("file://"))
    assert path.suffix == {"video": ".mp4", "image": ".png"}[kind]
    footage = open_footage(path, Limits())
    assert (footage.n_frames, footage.has_audio, footage.size) == (n_frames, sound, size)
    assert fps in (None, footage.fps)


def test_liveportrait(tmp_path: Path, media: Path, run_job: RunJob) -> None:
    command = manifests(tmp_path, media)
    ended = run_job("animate", *command, *SEEDED)
    assert ended.code == 3, ended.output
    rows = rows_of(tmp_path)
    for pair, expected in EXPECTED.items():
        check_output(rows[pair], expected)
    assert rows["video", "clip"]["source_frames_without_face"] == 0
    assert rows["picture", "clip"]["source_frames_without_face"] is None
    animal = rows["animal", "template"]
    assert (animal["status"], animal["error_class"]) == ("failed", "UnsupportedError")
    assert "engine.variant=animal" in animal["error"]


def test_preview(tmp_path: Path, media: Path, run_job: RunJob) -> None:
    """As above; a .pkl or an animal fails its own pair, and the engine's own template is a driving like any other."""
    command = manifests(tmp_path, media)
    ended = run_job("animate", *command)
    assert ended.code == 3, ended.output
    rows = rows_of(tmp_path)
    for pair, expected in EXPECTED.items():
        if "template" in pair:
            assert (rows[pair]["status"], rows[pair]["error_class"]) == ("failed", "UnsupportedError")
            assert "engine=liveportrait" in rows[pair]["error"]
        else:
            check_output(rows[pair], expected)
    animal = rows["animal", "template"]
    assert (animal["status"], animal["error_class"]) == ("failed", "UnsupportedError")
    own = rows["picture", "clip"]["template_uri"].removeprefix("file://")
    ended = run_job(
        "animate", f"source={media / 'source' / 's9.jpg'}", f"driving={own}", "end_s=0.2", f"output={tmp_path / 'own'}"
    )
    assert ended.code == 0, ended.output
    (row,) = results.read_results(str(tmp_path / "own")).to_pylist()
    check_output(row, ("video", 6, Fraction(30), False, PICTURE))
    assert row["video_uri"].removeprefix("file://") in ended.output, "a single pair's result is named"


def test_animals(tmp_path: Path, media: Path, run_job: RunJob) -> None:
    """A box stands for the landmarks; people and videos need the other variant. X-Pose: see test_animals.py."""
    sources = [
        {"uri": str(media / "source" / "s39.jpg"), "source_id": "boxed", "box": BOX_OF_S39},
        {"uri": str(media / "source" / "s13.mp4"), "source_id": "film", "box": BOX_OF_S39, "subject": "animal"},
        {"uri": str(media / "source" / "s9.jpg"), "source_id": "person", "subject": "human"},
    ]
    drivings = [{"uri": str(media / "templates" / "wink.pkl"), "driving_id": "wink", "end_s": CUT_S}]
    command = (
        f"sources={write_manifest(tmp_path / 's.parquet', sources)}",
        f"drivings={write_manifest(tmp_path / 'd.parquet', drivings)}",
        f"output={tmp_path / 'out'}",
    )
    ended = run_job("animate", *command, *SEEDED, "engine.variant=animal")
    assert ended.code == 3, ended.output
    rows = rows_of(tmp_path)
    boxed = rows["boxed", "wink"]
    check_output(boxed, ("video", 10, Fraction(25), False, (boxed["width"], boxed["height"])))
    assert (rows["film", "wink"]["error_class"], rows["film", "wink"]["stage"]) == ("UnsupportedError", "plan")
    assert "one frame of the video" in rows["film", "wink"]["error"]
    assert rows["person", "wink"]["error_class"] == "UnsupportedError"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("source=a.jpg",), "drivings=… is missing"),
        (("source=a.jpg", "sources=b.parquet", "driving=a.mp4"), "exclude each other"),
        (("source=a.jpg", "driving=a.mp4", "face=nose"), "row 0: face='nose' must be an index"),
        (("source=a.jpg", "driving=a.mp4", "box=[9,9,1,1]"), "row 0: box="),
        (("source=a.jpg", "driving=a.mp4", "face=all", "flag_pasteback=false"), "face='all' needs paste_back=true"),
        (("source=a.jpg", "driving=a.mp4", "flag_do_crop=false"), "paste_back needs flag_do_crop=true"),
        (("source=a.jpg", "driving=a.mp4", "format=avi"), "format='avi' must be one of"),
        (("source=a.jpg", "driving=a.mp4", "scale=99"), "crop_scale=99 must be between"),
        (("source=a.jpg", "driving=a.mp4", *SEEDED, "engine.variant=animal", "flag_normalize_lip=true"), "on animals"),
    ],
)
def test_a_single_pair_that_cannot_work_is_refused(
    tmp_path: Path, run_job: RunJob, arguments: tuple[str, ...], words: str
) -> None:
    ended = run_job("animate", *arguments, f"output={tmp_path / 'o'}")
    assert ended.code == 2 and words in ended.output, ended.output
    assert not (tmp_path / "o").exists()
