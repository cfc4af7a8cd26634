"""Parts of metrics that need no clip: which frames are embedded, angles, boxes, the rim of a paste-back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.face.identity import CHIP_SIZE, IdentityNetwork
from lp_ray.quality.identity import FAST_FRAMES, IdentityMeter, frames_to_embed
from lp_ray.quality.motion import angles_between, asked_blendshapes
from lp_ray.quality.picture import face_fractions, light, sharpness
from lp_ray.quality.seam import PARTS, SeamMeter, rim_steps, seam
from lp_ray.quality.temporal import inside, unsteadiness
from lp_ray.quality.tracks import face_tracks

INSIDE = np.array([[0.3, 0, 20.0], [0, 0.3, 30.0]])


@given(st.integers(0, 500))
def test_frames_to_embed(n: int) -> None:
    """All of them, or a few that are spread over the clip; of a short clip each one once."""
    assert frames_to_embed(n, "full").tolist() == list(range(n))
    few = frames_to_embed(n, "fast")
    assert len(few) == min(n, FAST_FRAMES)
    if n > 1:
        assert few[0] == 0 and few[-1] == n - 1
        assert np.ptp(np.diff(few)) <= 1


def test_identity_of_the_source_itself(network: IdentityNetwork) -> None:
    chips = np.random.default_rng(0).integers(0, 256, (2, CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    one, other = network(chips)
    meter = IdentityMeter(one)
    assert set(meter.row().values()) == {None}
    meter.add(np.stack([one, other]))
    apart = float(np.linalg.norm(one - other))
    row = meter.row()
    assert row["identity_l2_worst"] == pytest.approx(apart) and row["identity_l2_mean"] == pytest.approx(apart / 2)
    assert row["identity_mean"] == pytest.approx((1 + row["identity_worst"]) / 2)


@given(st.tuples(*[st.floats(-80, 80)] * 3), st.floats(-90, 90))
def test_angles_between_poses(asked: tuple[float, float, float], turn: float) -> None:
    """A turn about one axis alone is its own angle; a pose and itself are 0 apart; unknown stays unknown."""
    both = np.array([asked, (0, 0, 0), (np.nan, 0, 0)])
    assert angles_between(both, both)[:2] == pytest.approx(0, abs=1e-5)
    turned = angles_between(np.zeros((3, 3)), np.array([(turn, 0, 0), (0, turn, 0), (0, 0, turn)]))
    assert turned == pytest.approx(abs(turn), abs=1e-6)
    assert np.isnan(angles_between(both, np.zeros((3, 3)))[2])


def test_asked_blendshapes_are_the_sources_moved_and_kept_in_range() -> None:
    source, reference = np.array([0.1, 0.9]), np.array([0.3, 0.0])
    driving = np.array([[0.3, 0.0], [0.5, 0.4], [0.0, 0.0]])
    np.testing.assert_allclose(asked_blendshapes(source, driving, reference), [[0.1, 0.9], [0.3, 1.0], [0.0, 0.9]])


def test_steady_motion_is_not_jitter() -> None:
    """A head that moves evenly has no second differences; a lost frame spoils only what needs it."""
    rigid = np.arange(20.0)[:, None, None] * [2.0, -1.0] + np.random.default_rng(0).normal(0, 9, (1, 33, 2))
    face = np.full(20, 100.0)
    np.testing.assert_allclose(unsteadiness(rigid, face), 0, atol=1e-9)
    rigid[7] = np.nan
    assert np.isnan(unsteadiness(rigid, face)).sum() == 3


def test_boxes_beyond_the_picture() -> None:
    """Only the part inside counts; a box that misses the picture covers none of it, and no pixel is no crash."""
    boxes = np.array([(0.0, 0, 50, 50), (-50, -50, 50, 50), (200, 0, 300, 50)])
    np.testing.assert_allclose(face_fractions(boxes, 100, 100), [0.25, 0.25, 0])
    picture = np.zeros((100, 100), np.uint8)
    picture[:50] = 255
    assert inside(picture, boxes[2]).shape == picture.shape
    assert inside(picture, np.full(4, np.nan)).shape == picture.shape
    assert light(picture, boxes[0]).mean == 255 and light(picture, boxes[0]).clipped == 1


def test_a_face_of_one_colour_is_not_sharp() -> None:
    points = np.random.default_rng(0).uniform(120, 180, (478, 3))
    assert sharpness(np.full((300, 300), 90, np.uint8), points) == 0


def test_a_rim_that_lies_partly_in_the_picture() -> None:
    """Parts outside do not count; where none is inside there is no seam to see."""
    picture = np.random.default_rng(0).integers(0, 255, (200, 200)).astype(np.uint8)
    assert np.isfinite(rim_steps(picture, INSIDE)).sum() == PARTS
    off = INSIDE - np.array([[0, 0, 100.0], [0, 0, 0]])
    assert 0 < np.isfinite(rim_steps(picture, off)).sum() < PARTS
    assert seam(picture, picture, off) == 0
    assert np.isnan(seam(picture, picture, INSIDE + np.array([[0, 0, 900.0], [0, 0, 0]])))


def test_rims_of_one_source_or_of_one_a_frame() -> None:
    random = np.random.default_rng(0)
    frames, sources = random.integers(0, 255, (2, 3, 200, 200)).astype(np.uint8)
    matrices = np.stack([INSIDE, INSIDE + 1e-3, INSIDE - 1e-3])
    meter, one = SeamMeter(), SeamMeter()
    meter.add(frames, sources, matrices)
    expected = [seam(*parts) for parts in zip(frames, sources, matrices, strict=True)]
    assert meter.row()["seam"] == pytest.approx(np.mean(expected))
    one.add(frames, sources[:1], INSIDE[None])
    assert one.row()["seam"] == pytest.approx(np.mean([seam(frame, sources[0], INSIDE) for frame in frames]))
    with pytest.raises(ValueError, match="3 frames for 2 sources and 1 matrices"):
        one.add(frames, sources[:2], INSIDE[None])


def test_tracks_of_frames_without_a_face_are_nan() -> None:
    points = np.random.default_rng(0).uniform(20, 80, (4, 478, 3))
    points[2] = np.nan
    tracks = face_tracks(points, 100, 100)
    assert tracks.found.tolist() == [True, True, False, True] and len(tracks) == 4
    for track in (tracks.angles, tracks.eyes, tracks.lips, tracks.rigid, tracks.boxes):
        assert np.isnan(track[2]).all() and np.isfinite(np.delete(track, 2, 0)).all()
    assert len(face_tracks(points[:0], 100, 100)) == 0
