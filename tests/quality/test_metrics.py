"""Every metric on made inputs: with one thing wrong, its metrics move as they must and the others stay."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from lp_ray.quality.pair import Expected, Measured, PairMeter
from lp_ray.quality.picture import PictureMeter
from lp_ray.quality.table import METRICS, NAMES, names
from lp_ray.quality.temporal import TemporalMeter, luma, repeats
from lp_ray.quality.tracks import face_tracks
from tests.quality.made import FPS, SHIFT, SIZE, Bench, Made, N, Row, pasted

STAYS = {
    "identity_mean": 0.02,
    "identity_worst": 0.03,
    "identity_arcface": 0.02,
    "identity_l2_mean": 0.1,
    "identity_l2_worst": 0.1,
    "jitter": 0.3,
    "jitter_own": 0.3,
    "flicker": 0.15,
    "sharpness_ratio": 0.12,
    "luminance": 1.0,
    "clipped_share": 0.005,
    "face_fraction": 0.01,
    "angle_worst": 0.5,
    "pose_error": 0.3,
    "expression_error": 0.002,
    "lip_correlation": 0.01,
    "lip_loudness": 0.01,
    "eye_correlation": 0.01,
    "seam": 0.5,
    "psnr": 1.0,
    "ssim": 0.01,
}
"""How far each metric may go in a result that it has nothing to do with; 1e-9 where there is no number here."""

ANOTHER_PICTURE = {"psnr", "ssim", "seam"}
"""Metrics that compare pixels in place, so that every other picture moves them."""

ALSO: Any = object()
"""In place of a value: may move, by how much is not said."""


@pytest.fixture(scope="module")
def perfect(bench: Bench) -> Row:
    return bench.row(bench.perfect)


def check(row: Row, perfect: Row, **expected: Any) -> None:
    """Assert the named values (approximations, bounds as functions, or ALSO), and that all others are the perfect's."""
    for name in NAMES:
        value, before = row[name], perfect[name]
        if name not in expected:
            assert value == pytest.approx(before, abs=STAYS.get(name, 1e-9)), f"{name} moved from {before} to {value}"
        elif callable(expected[name]):
            assert value is not None and expected[name](value), f"{name}: {value}, was {before}"
        elif expected[name] is not ALSO:
            assert value == expected[name], f"{name}: {value}, was {before}"


def pixels(*more: str) -> dict[str, Any]:
    return dict.fromkeys([*ANOTHER_PICTURE, *more], ALSO)


def test_a_perfect_result(perfect: Row) -> None:
    """The driving itself, exactly as asked: best values throughout."""
    best = {
        **dict.fromkeys(("pose_error", "expression_error", "lip_lag", "jitter", "frozen_share", "frozen_longest"), 0),
        **dict.fromkeys(("lost_share", "seam", "extreme_share"), 0),
        **dict.fromkeys(("lip_correlation", "eye_correlation", "faces_mean", "one_face_share", "ssim"), 1),
        "psnr": 100,
    }
    for name, value in best.items():
        assert perfect[name] == pytest.approx(value, abs=1e-9), name
    assert perfect["identity_mean"] > 0.95 and perfect["identity_l2_mean"] < 0.45
    assert 0.9 < perfect["sharpness_ratio"] < 1.3
    assert perfect["lip_loudness"] > 0.95


def test_every_value_is_in_its_range(bench: Bench, perfect: Row) -> None:
    noise = np.random.default_rng(0).integers(0, 256, bench.perfect.frames.shape, np.uint8)
    for row in (perfect, bench.row(replace(bench.perfect, frames=noise))):
        for metric in METRICS:
            value = row[metric.name]
            assert value is not None
            assert metric.low is None or value >= metric.low - 1e-9, metric.name
            assert metric.high is None or value <= metric.high + 1e-9, metric.name


def test_shrunk(bench: Bench, perfect: Row) -> None:
    """Half as large about the middle: a quarter of the area, half of the detail, and the camera sees it straighter."""
    small = np.broadcast_to([[0.5, 0, SIZE / 4], [0, 0.5, SIZE / 4]], (N, 2, 3))
    row = bench.row(bench.perfect.moved(small))
    check(
        row,
        perfect,
        **pixels(),
        face_fraction=pytest.approx(perfect["face_fraction"] / 4, rel=0.05),
        sharpness_ratio=lambda value: value < 0.8 * perfect["sharpness_ratio"],
        pose_error=lambda value: value < 4,
        angle_worst=lambda value: abs(value - perfect["angle_worst"]) < 4,
    )


def test_blurred(bench: Bench, perfect: Row) -> None:
    row = bench.row(bench.perfect.repainted(lambda frame, _: cv2.GaussianBlur(frame, (0, 0), 3)))
    check(
        row,
        perfect,
        **pixels("identity_mean", "identity_arcface", "identity_worst", "identity_l2_mean", "identity_l2_worst"),
        sharpness_ratio=lambda value: value < 0.6 * perfect["sharpness_ratio"],
    )
    assert row["ssim"] < 0.95


def test_swapped_for_another_person(bench: Bench, perfect: Row, stranger: Made) -> None:
    row = bench.row(bench.perfect, embeddings=bench.embeddings(stranger))
    check(
        row,
        perfect,
        identity_mean=lambda value: value < 0.88,
        identity_arcface=lambda value: value < 0.88,
        identity_worst=lambda value: value < 0.88,
        identity_l2_mean=lambda value: value > 0.7,
        identity_l2_worst=lambda value: value > 0.7,
    )


def test_one_frame_of_another_person(bench: Bench, perfect: Row, stranger: Made) -> None:
    """The worst frame says so, the mean only a little."""
    embeddings = bench.embeddings(bench.perfect)
    embeddings[4] = bench.embeddings(stranger)[4]
    row = bench.row(bench.perfect, embeddings=embeddings)
    check(
        row,
        perfect,
        identity_mean=lambda value: value > 0.93,
        identity_arcface=lambda value: value > 0.93,
        identity_l2_mean=lambda value: value < 0.5,
        identity_worst=lambda value: value < 0.88,
        identity_l2_worst=lambda value: value > 0.7,
    )


def test_shaken(bench: Bench, perfect: Row) -> None:
    """Three pixels to either side, frame by frame: second differences of four times that."""
    shake = np.array([[[1, 0, 3 * (-1) ** i], [0, 1, 0]] for i in range(N)], float)
    row = bench.row(bench.perfect.moved(shake))
    height = bench.tracks.boxes[:, 3] - bench.tracks.boxes[:, 1]
    expected = 1000 * 12 / height.mean()
    check(
        row,
        perfect,
        **pixels(),
        jitter=pytest.approx(expected, rel=0.05),
        jitter_own=pytest.approx(expected, rel=0.1),
    )


def test_frozen(bench: Bench, perfect: Row) -> None:
    """Frames 21 to 40 repeat frame 20; the motion in between is lost."""
    shown = np.arange(N)
    shown[20:41] = 20
    row = bench.row(bench.perfect.take(shown))
    moves = ("pose_error", "expression_error", "eye_correlation", "lip_correlation", "lip_loudness")
    check(
        row,
        perfect,
        **pixels("jitter", "jitter_own", "flicker", "luminance", "face_fraction", *moves),
        frozen_share=pytest.approx(20 / (N - 1)),
        frozen_longest=pytest.approx(20 / 30),
    )
    assert row["pose_error"] > 0.5


def test_frozen_with_its_driving_is_not_frozen(bench: Bench) -> None:
    """What repeats because the driving does is as it was asked for."""

    shown = np.repeat(np.arange(N // 2), 2)
    made = bench.perfect.take(shown)
    lumas, tracks = np.stack([luma(frame) for frame in made.frames]), face_tracks(made.points, SIZE, SIZE)
    driving_repeats = np.concatenate([[False], repeats(lumas, tracks.boxes)])
    assert driving_repeats.sum() == N // 2
    alone, beside = TemporalMeter(FPS), TemporalMeter(FPS)
    alone.add(lumas, tracks)
    beside.add(lumas, tracks, tracks, driving_repeats)
    assert alone.row()["frozen_share"] == pytest.approx((N // 2) / (N - 1))
    assert beside.row()["frozen_share"] == 0


@pytest.mark.parametrize("late", [SHIFT, -3])
def test_delayed(bench: Bench, perfect: Row, late: int) -> None:
    """Everything comes `late` frames late (or early): the lag says so, and the lips still follow."""
    row = bench.row(bench.window(late))
    moves = ("pose_error", "expression_error", "eye_correlation", "lip_loudness", "angle_worst", "luminance")
    identity = ("identity_mean", "identity_arcface", "identity_worst", "identity_l2_mean", "identity_l2_worst")
    check(row, perfect, **pixels("jitter", "jitter_own", "face_fraction", *moves, *identity), lip_lag=late / 30)
    assert row["eye_correlation"] < 0.97


def test_seam(bench: Bench, perfect: Row) -> None:
    """A crop that is 25 levels brighter along its rim; put back as it was, it leaves none."""
    row = bench.row(bench.perfect.repainted(lambda frame, _: pasted(frame, 25)))
    check(row, perfect, psnr=ALSO, ssim=ALSO, luminance=ALSO, sharpness_ratio=ALSO, seam=pytest.approx(25, abs=2))
    clean = bench.row(bench.perfect.repainted(lambda frame, _: pasted(frame, 0)))
    assert clean["seam"] < 0.5


def test_twice_as_bright(bench: Bench, perfect: Row) -> None:
    row = bench.row(bench.perfect.repainted(lambda frame, _: 2.0 * frame))
    check(
        row,
        perfect,
        **pixels("flicker", "clipped_share"),
        luminance=pytest.approx(2 * perfect["luminance"], rel=0.05),
    )


def test_burnt_out(bench: Bench, perfect: Row) -> None:
    """Half of each picture white: half of the face is clipped, or about."""

    def burn(frame: Any, _: int) -> Any:
        burnt = frame.copy()
        burnt[:, : SIZE // 2] = 255
        return burnt

    row = bench.row(bench.perfect.repainted(burn))
    assert row["clipped_share"] == pytest.approx(0.5, abs=0.12)
    assert perfect["clipped_share"] < 0.01


def test_flickering(bench: Bench, perfect: Row) -> None:
    """Six levels lighter and darker, frame by frame: second differences of four times that."""
    row = bench.row(bench.perfect.repainted(lambda frame, i: frame.astype(int) + 6 * (-1) ** i))
    check(row, perfect, **pixels(), flicker=pytest.approx(24, abs=1), clipped_share=ALSO)


def test_turned_otherwise_than_asked(bench: Bench, perfect: Row) -> None:
    asked = bench.asked()
    assert asked.angles is not None
    row = bench.row(bench.perfect, replace(asked, angles=asked.angles + np.array([0, 10, 0])))
    check(row, perfect, pose_error=pytest.approx(10, abs=0.5))


def test_expression_otherwise_than_asked(bench: Bench, perfect: Row) -> None:
    asked = bench.asked()
    assert asked.blendshapes is not None
    row = bench.row(bench.perfect, replace(asked, blendshapes=asked.blendshapes + 0.1))
    check(row, perfect, expression_error=pytest.approx(0.1))


def test_lost_frames(bench: Bench, perfect: Row) -> None:
    """Six of sixty frames without a face; what is measured on the others stays."""
    points = bench.perfect.points.copy()
    points[30:36] = np.nan
    row = bench.row(replace(bench.perfect, points=points), embeddings=bench.embeddings(bench.perfect))
    check(
        row,
        perfect,
        lost_share=pytest.approx(0.1),
        **dict.fromkeys(
            ("luminance", "face_fraction", "flicker", "jitter_own", "lip_loudness", "sharpness_ratio"), ALSO
        ),
    )


def test_other_faces(bench: Bench, perfect: Row) -> None:
    faces = np.ones(N, int)
    faces[:15] = 3
    row = bench.row(replace(bench.perfect, faces=faces))
    check(row, perfect, faces_mean=pytest.approx(1.5), one_face_share=pytest.approx(0.75))


def test_extreme_angles(bench: Bench) -> None:

    tracks = replace(bench.tracks, angles=np.tile([0.0, 0, 0], (N, 1)))
    tracks.angles[:6] = [-41, 0, 0]
    tracks.angles[6:9] = [39, 29, 31]
    meter = PictureMeter(None)
    lumas = np.zeros((N, SIZE, SIZE), np.uint8)
    meter.add(lumas, bench.perfect.points, tracks)
    assert meter.row()["extreme_share"] == pytest.approx(9 / N) and meter.row()["angle_worst"] == 41


def test_still_lips_and_silence_have_no_correlation(bench: Bench) -> None:
    """A driving that keeps its mouth shut, or has no sound, says nothing: null, not 0."""
    asked = bench.asked()
    assert asked.lips is not None and asked.loudness is not None
    row = bench.row(bench.perfect, replace(asked, lips=0 * asked.lips, loudness=0 * asked.loudness))
    assert row["lip_correlation"] is row["lip_lag"] is row["lip_loudness"] is None


def test_what_is_not_given_is_null(bench: Bench) -> None:
    """A driving that is not known, no source, no face: the row has every column of its level."""

    meter = PairMeter("fast", FPS)
    points = np.full((3, 478, 3), np.nan)
    meter.add(Measured(bench.perfect.frames[:3], points), Expected())
    row = meter.row()
    assert tuple(row) == names("fast")
    assert {name for name, value in row.items() if value is not None} == {
        "lost_share",
        "frozen_share",
        "frozen_longest",
        "flicker",
    }
    assert row["lost_share"] == 1


def test_pieces_give_what_the_whole_gives(bench: Bench) -> None:
    """Cut anywhere, added to one meter or measured apart and merged in order."""
    shown = np.arange(N)
    shown[18:25] = 18
    made, asked, embeddings = bench.perfect.take(shown), bench.asked(), bench.embeddings(bench.perfect)
    whole = bench.row(made, asked, embeddings)
    for ends in ((0, 1, 2, 20, 22, N), (0, 19, 19, 40, 59, N), (0, 21, N)):
        added, merged = bench.meter(), bench.meter()
        for i, (start, stop) in enumerate(itertools.pairwise(ends)):
            some = embeddings if i == 1 else None
            bench.add(added, made, slice(start, stop), some, asked)
            part = bench.meter()
            bench.add(part, made, slice(start, stop), some, asked)
            merged.merge(part)
        for row in (added.row(), merged.row()):
            for name in NAMES:
                assert row[name] == pytest.approx(whole[name], rel=1e-9, abs=1e-9), (name, ends)
