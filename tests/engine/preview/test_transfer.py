"""The motion that reaches the source is limited, and eyes and mouths shut without crossing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import EYES, LOWER_LIP, UPPER_LIP
from lp_ray.engine.preview.transfer import (
    MAX_PITCH,
    MAX_ROLL,
    MAX_YAW,
    DriverFrame,
    Transfer,
    limit_turn,
    settle,
)
from lp_ray.engine.protocol import SourceCrops
from lp_ray.face.pose import angles_of, rotation_from_angles


def test_the_turn_is_limited_softly(prepared: PreparedSource) -> None:
    small = angles_of(limit_turn(prepared, np.array([3.0, -5.0, 4.0])))
    np.testing.assert_allclose(small, [3, -5, 4], atol=1e-9)
    pitch, yaw, roll = angles_of(limit_turn(prepared, np.array([80.0, 85.0, 170.0])))
    assert MAX_PITCH - 1 < pitch <= MAX_PITCH
    assert MAX_YAW - 2 < yaw <= MAX_YAW
    assert MAX_ROLL - 1 < roll <= MAX_ROLL


def test_a_turned_source_turns_back_less(engine: PreviewEngine, turned: SourceCrops) -> None:
    prepared = engine.prepare(turned)[0]
    own = angles_of(prepared.rotation)[1]
    back = angles_of(limit_turn(prepared, np.array([0.0, -90.0 * np.sign(own), 0.0])))[1]
    away = angles_of(limit_turn(prepared, np.array([0.0, 90.0 * np.sign(own), 0.0])))[1]
    assert 4 <= abs(back) < abs(away) <= MAX_YAW


def test_a_face_in_profile_neither_turns_back_nor_nods(engine: PreviewEngine, profile: SourceCrops) -> None:
    """Its picture has no far eye and no other side of the nose, so none is made up: a second nose, a doubled eye."""
    prepared = engine.prepare(profile)[0]
    own = angles_of(prepared.rotation)[1]
    assert abs(own) > 40
    for turn in (
        [0.0, -90.0 * np.sign(own), 0.0],
        [60.0, 0.0, 0.0],
        [-60.0, 0.0, 0.0],
        [0.0, 90.0 * np.sign(own), 0.0],
    ):
        assert np.abs(angles_of(limit_turn(prepared, np.array(turn)))).max() <= 3.5
    roll = angles_of(limit_turn(prepared, np.array([0.0, 0.0, 10.0])))[2]
    assert roll == pytest.approx(10.0), "a lean hides and shows nothing"


@pytest.mark.parametrize("own_yaw", [0.0, 10.0, 20.0, 30.0, 45.0])
def test_no_turn_ends_far_from_what_the_source_shows(prepared: PreparedSource, own_yaw: float) -> None:
    """The more a source is turned, the less it turns back, and none is turned beyond 36 degrees from the camera."""
    turned = replace(prepared, rotation=rotation_from_angles(8.0, own_yaw, 0.0))
    back, away = (float(angles_of(limit_turn(turned, np.array([0.0, yaw, 0.0])))[1]) for yaw in (-90.0, 90.0))
    assert abs(back) <= max(MAX_YAW - 0.9 * own_yaw, 1.0)
    assert own_yaw + away <= max(36.0, own_yaw + 1.0)


def test_lids_and_lips_meet_and_do_not_cross(prepared: PreparedSource) -> None:
    closing = np.zeros((478, 3))
    pairs = [(UPPER_LIP, LOWER_LIP), *((eye.upper, eye.lower) for eye in EYES)]
    for upper, lower in pairs:
        closing[list(upper), 1], closing[list(lower), 1] = -2.0, 2.0
    moved = prepared.canonical + settle(prepared.canonical, closing)
    for upper, lower in pairs:
        np.testing.assert_allclose(moved[list(upper), 1], moved[list(lower), 1], atol=1e-6)
    for eye in EYES:
        lids = moved[[*eye.upper, *eye.lower], 1]
        assert lids.min() <= moved[eye.iris, 1] <= lids.max()


def test_no_expression_is_left_alone(prepared: PreparedSource) -> None:
    np.testing.assert_array_equal(settle(prepared.canonical, np.zeros((478, 3))), 0)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_eyes_close_to_the_same_share_of_their_own_opening(
    engine: PreviewEngine, prepared: PreparedSource, share: float
) -> None:
    """A driving with half the source's aperture still shuts the source's eyes."""
    rest = engine.model.vertices.copy()
    rest = np.vstack([rest, np.zeros((10, 3))])
    eye = EYES[0]
    up, low = list(eye.upper), list(eye.lower)
    middle = (rest[up, 1] + rest[low, 1]) / 2
    rest[up, 1], rest[low, 1] = middle + 0.25, middle - 0.25
    shut = rest.copy()
    shut[up, 1] = rest[low, 1] + share * 0.5
    frames = [DriverFrame(1.0, np.eye(3), np.zeros(3), points) for points in (rest, shut)]
    motion = Transfer(prepared, frames[0], engine.model, 1.0).motion(frames[1])
    moved = prepared.canonical + motion.expression
    before = (prepared.canonical[up, 1] - prepared.canonical[low, 1]).mean()
    after = (moved[up, 1] - moved[low, 1]).mean()
    assert after / before == pytest.approx(share, abs=0.15)
