"""Every type of source with every type of driving gives the right output format, frames, rate and sound."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.output import results
from tests.generated import CAT_BOX, FILM_FPS, FILM_FRAMES, FILM_SIZE, PORTRAIT_SIZE, Generated
from tests.running import RunJob, write_manifest

SEEDED = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny")
CUT_S = 0.4

Expected = tuple[str, int, Fraction | None, bool, tuple[int, int]]
"""Kind, frames, rate, sound, size."""

# The clip is of 30 frames a second and has sound, as has the source video, of 25; the others are silent.
EXPECTED: dict[tuple[str, str], Expected] = {
    ("picture", "clip"): ("video", 12, Fraction(30), True, PORTRAIT_SIZE),
    ("picture", "picture"): ("image", 1, None, False, PORTRAIT_SIZE),
    ("picture", "template"): ("video", 12, Fraction(30), False, PORTRAIT_SIZE),
    ("video", "clip"): ("video", 10, FILM_FPS, True, FILM_SIZE),
    ("video", "picture"): ("video", FILM_FRAMES, FILM_FPS, True, FILM_SIZE),
    ("video", "template"): ("video", 10, FILM_FPS, True, FILM_SIZE),
}


def manifests(folder: Path, generated: Generated) -> tuple[str, ...]:
    sources = [
        {"uri": str(generated.portrait), "source_id": "picture"},
        {"uri": str(generated.film), "source_id": "video"},
        {"uri": str(generated.cat), "source_id": "animal", "subject": "animal", "box": CAT_BOX},
    ]
    drivings = [
        {"uri": str(generated.clip), "driving_id": "clip", "end_s": CUT_S},
        {"uri": str(generated.still), "driving_id": "picture"},
        {"uri": str(generated.template), "driving_id": "template", "end_s": CUT_S},
    ]
    (folder / "evil.pkl").write_bytes(pickle.dumps(_Evil(str(folder / "executed"))))
    drivings.append({"uri": str(folder / "evil.pkl"), "driving_id": "evil"})
    pairs = [{"source_id": source, "driving_id": driving} for source, driving in EXPECTED]
    pairs += [{"source_id": "animal", "driving_id": "template"}, {"source_id": "picture", "driving_id": "evil"}]
    return (
        f"sources={write_manifest(folder / 's.parquet', sources)}",
        f"drivings={write_manifest(folder / 'd.parquet', drivings)}",
        f"pairs={write_manifest(folder / 'p.parquet', pairs)}",
        f"output={folder / 'out'}",
    )


class _Evil:
    """Unpickling this with plain pickle would create a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self._path, "w")


def check_evil(folder: Path, row: dict[str, Any]) -> None:
    """A template that would run code fails its own pair, and has run nothing."""
    assert (row["status"], row["stage"], row["error_class"]) == ("failed", "template", "TemplateError"), row["error"]
    assert not (folder / "executed").exists()


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


def test_liveportrait(tmp_path: Path, generated: Generated, run_job: RunJob) -> None:
    command = manifests(tmp_path, generated)
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
    check_evil(tmp_path, rows["picture", "evil"])


def test_preview(tmp_path: Path, generated: Generated, call_job: RunJob) -> None:
    """As above, in one process; a .pkl or an animal fails its own pair, and the engine's own template is a driving like
    any other."""
    command = manifests(tmp_path, generated)
    ended = call_job("animate", *command, "runtime=inline")
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
    check_evil(tmp_path, rows["picture", "evil"])
    own = rows["picture", "clip"]["template_uri"].removeprefix("file://")
    ended = call_job(
        "animate", f"source={generated.portrait}", f"driving={own}", "end_s=0.2", f"output={tmp_path / 'own'}"
    )
    assert ended.code == 0, ended.output
    (row,) = results.read_results(str(tmp_path / "own")).to_pylist()
    check_output(row, ("video", 6, Fraction(30), False, PORTRAIT_SIZE))
    assert row["video_uri"].removeprefix("file://") in ended.output, "a single pair's result is named"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("source=a.jpg",), "drivings=… (a manifest of many) is missing"),
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
    tmp_path: Path, call_job: RunJob, arguments: tuple[str, ...], words: str
) -> None:
    ended = call_job("animate", *arguments, f"output={tmp_path / 'o'}")
    assert ended.code == 2 and words in ended.output, ended.output
    assert not (tmp_path / "o").exists()
