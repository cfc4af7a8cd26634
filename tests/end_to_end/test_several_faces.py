"""Several faces in a source video, each with a driving of its own: who moves how, whatever crosses and however cut."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
import skimage.data

import lp_ray
from lp_ray.base.arrays import Image
from lp_ray.contract.edits import BY_NAME, CONTROLS
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.points import lip_ratio
from lp_ray.media.clip import open_clip
from lp_ray.media.encode import encode_segment
from lp_ray.media.frames_zip import read_frames
from tests.face.film import Head, background, middle
from tests.generated import GROUP_PHOTO, Generated
from tests.media.cards import LIMITS

N_FRAMES, FPS = 32, Fraction(16)
OPENS = "time,lips_open\n0,0\n0.3,100\n2,100\n"
TURNS = "time,head_yaw\n0,0\n0.3,20\n2,20\n"
RESTS = "time,lips_open\n0,0\n2,0\n"


@pytest.fixture(scope="module")
def crossing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A man goes to the right, behind the astronaut, who goes to the left."""
    folder = tmp_path_factory.mktemp("crossing")
    landmarker = MediaPipeLandmarker()
    group = cv2.cvtColor(cv2.imread(str(GROUP_PHOTO)), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    man = Head.of(group, sorted(landmarker.detect(group), key=lambda face: face.box[0])[2])
    astronaut = skimage.data.astronaut()
    woman = Head.of(astronaut, *landmarker.detect(astronaut))
    places = np.linspace(130.0, 510, N_FRAMES)
    frames = (woman.paste(man.paste(background(1), x, 180), 640 - x, 186) for x in places)
    encode_segment(folder / "crossing.mp4", frames, FPS, 12, "veryfast")
    for name, table in (("opens", OPENS), ("turns", TURNS), ("rests", RESTS)):
        (folder / f"{name}.perf.csv").write_text(table)
    return folder


def _made(
    folder: Path,
    output: Path,
    casts: list[list[str | None]],
    options: Mapping[str, Any] = MappingProxyType({}),
    **settings: Any,
) -> list[dict[str, Any]]:
    drivings = [{"uri": str(folder / f"{name}.perf.csv"), "driving_id": name} for name in ("opens", "turns", "rests")]
    source = {"uri": str(folder / "crossing.mp4"), "source_id": "s", "face": "all"}
    pipeline = lp_ray.LivePortraitPipeline(engine="preview", **settings)
    pairs = pa.table({"source_id": ["s"] * len(casts), "drivings": casts})
    rows = pipeline.animate_many([source], drivings, output, pairs=pairs, format="frames", **options).to_pylist()
    order = {name: i for i, name in enumerate(_text(cast) for cast in casts)}
    return sorted(rows, key=lambda row: order[row["driving_id"]])


def _text(cast: list[str | None]) -> str:
    return "[" + ", ".join("null" if name is None else f'"{name}"' for name in cast) + "]"


def _frames(row: dict[str, Any]) -> list[Image]:
    return [*read_frames(Path(row["video_uri"].removeprefix("file://")))]


def _lips(frames: list[Image], i: int) -> tuple[float, float]:
    """Return how open the lips of the man and of the woman are in frame i: by place, which only the film tells."""
    faces = sorted(MediaPipeLandmarker().detect(frames[i]), key=lambda face: middle(face.points))
    assert len(faces) == 2
    man, woman = faces if i < N_FRAMES / 2 else faces[::-1]
    opened = lip_ratio(np.stack([man.points, woman.points]))[:, 0]
    return float(opened[0]), float(opened[1])


def test_two_who_cross_keep_their_drivings(crossing: Path, tmp_path: Path) -> None:
    """Before and after they cross, the one who opens the mouth is the one whose driving does."""
    rest, his, hers = _made(
        crossing, tmp_path, [["rests", "rests"], ["opens", "rests"], ["rests", "opens"]], chunk_frames=20
    )
    assert [row["status"] for row in (rest, his, hers)] == ["done"] * 3
    assert [row["n_frames"] for row in (rest, his, hers)] == [N_FRAMES] * 3
    closed, his_frames, her_frames = map(_frames, (rest, his, hers))
    for i in (7, N_FRAMES - 2):
        (man, woman), (man_opens, still), (stays, woman_opens) = (
            _lips(frames, i) for frames in (closed, his_frames, her_frames)
        )
        assert man_opens > man + 0.06 > man + 2 * abs(still - woman)
        assert woman_opens > woman + 0.06 > woman + 2 * abs(stays - man)


def test_a_face_without_a_driving_stays_as_it_is_to_the_pixel(crossing: Path, tmp_path: Path) -> None:
    (alone,) = _made(crossing, tmp_path, [[None, "turns"]], chunk_frames=12)
    source = [*open_clip(crossing / "crossing.mp4", LIMITS).frames()]
    for i, (made, own) in enumerate(zip(_frames(alone), source, strict=True)):
        his = np.s_[:, :240] if i < 8 else np.s_[:, 400:] if i > N_FRAMES - 8 else np.s_[:8]
        np.testing.assert_array_equal(made[his], own[his])
        assert i < 5 or (made != own).any()
    assert '"face": 1' in alone["cast"] and '"face": 0' not in alone["cast"]


def test_results_do_not_depend_on_how_the_clip_is_cut(crossing: Path, tmp_path: Path) -> None:
    made = [
        _made(crossing, tmp_path / str(n), [["opens", "turns"]], chunk_frames=n, span_chunks=spans)[0]
        for n, spans in ((128, 31), (20, 2))
    ]
    for one, other in zip(*map(_frames, made), strict=True):
        np.testing.assert_array_equal(one, other)


def test_in_a_part_of_the_video_each_has_its_driving_and_the_rest_stays(crossing: Path, tmp_path: Path) -> None:
    (made,) = _made(crossing, tmp_path, [["opens", "turns"]], chunk_frames=20, options={"source_start_s": 1.5})
    source = [*open_clip(crossing / "crossing.mp4", LIMITS).frames()]
    changed = [bool((one != own).any()) for one, own in zip(_frames(made), source, strict=True)]
    assert not any(changed[:24]) and all(changed[26:])


def test_fewer_faces_than_drivings_are_a_failed_row(crossing: Path, tmp_path: Path) -> None:
    few, fine = _made(crossing, tmp_path, [["rests", "rests", "turns"], [None, "turns"]])
    assert (few["status"], few["stage"], few["error_class"]) == ("failed", "source", "NoFaceError")
    assert "a driving for face 2 (counting from 0), but 2 faces were found" in few["error"]
    assert fine["status"] == "done"


def test_in_a_picture_the_longest_driving_gives_the_length(tmp_path: Path) -> None:
    """With `min` the shortest does; with `hold` the shorter stays at its end."""
    (tmp_path / "long.perf.csv").write_text("time,head_yaw\n0,0\n1,15\n")
    (tmp_path / "short.perf.csv").write_text("time,lips_open\n0,0\n0.4,60\n")
    drivings = [{"uri": str(tmp_path / f"{name}.perf.csv"), "driving_id": name} for name in ("long", "short")]
    pairs = pa.table({"source_id": ["s", "s"], "drivings": [["long", "short"]] * 2, "driving_length": ["min", "hold"]})
    source = {"uri": str(GROUP_PHOTO), "source_id": "s", "face": "all"}
    pipeline = lp_ray.LivePortraitPipeline(engine="preview")
    rows = pipeline.animate_many([source], drivings, tmp_path / "out", pairs=pairs).to_pylist()
    assert [row["status"] for row in rows] == ["done", "done"], [row["error"] for row in rows]
    lengths = sorted(row["n_frames"] / row["fps_numerator"] * row["fps_denominator"] for row in rows)
    assert lengths == pytest.approx([0.4, 1.0], abs=0.06)


def test_a_performance_beside_a_clip_keeps_its_curves(generated: Generated, tmp_path: Path) -> None:
    """Labels are of the larger face; it has neutral controls where only the other's driving is a performance."""
    (tmp_path / "turns.perf.csv").write_text(TURNS)
    drivings = [{"uri": str(tmp_path / "turns.perf.csv"), "driving_id": "turns"}]
    drivings += [{"uri": str(generated.silent_clip), "driving_id": "clip"}]
    pairs = pa.table({"source_id": ["s"] * 3, "drivings": [["clip", "turns"], ["turns", "clip"], ["turns", None]]})
    source = {"uri": str(GROUP_PHOTO), "source_id": "s", "face": "all"}
    pipeline = lp_ray.LivePortraitPipeline(engine="preview", labels="asked")
    table = pipeline.animate_many([source], drivings, tmp_path / "out", pairs=pairs, driving_length="min")
    rows = {row["driving_id"]: row for row in table.to_pylist()}
    assert all(row["status"] == "done" for row in rows.values()), [row["error"] for row in rows.values()]
    yaw = {
        cast: lp_ray.read_labels(tmp_path / "out", row["pair_id"])["asked_controls"][
            :, CONTROLS.index(BY_NAME["head_yaw"])
        ]
        for cast, row in rows.items()
    }
    assert sorted(curve.max() for curve in (yaw['["clip", "turns"]'], yaw['["turns", "clip"]'])) == [0, 20]
    assert all((curve[0] == 0) and len(curve) > 20 for curve in yaw.values())
