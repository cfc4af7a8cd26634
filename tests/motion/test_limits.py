"""Limits of a driving's turn: what keeps them stays as it is, nothing goes beyond, and motion never stands still."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lp_ray.motion.limits import NONE, TurnLimits

ANGLES = st.lists(st.tuples(*(st.floats(-60, 60) for _ in range(3))), min_size=1, max_size=8)
LIMIT = st.floats(3, 60)


def turned(own: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Return rotations for row vectors that stand `angles` away from `own` (3 x 3)."""
    away = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return (own[None] @ away.transpose(0, 2, 1)).astype(np.float32)


OWN = Rotation.from_euler("xyz", (8, -20, 5), degrees=True).as_matrix().astype(np.float32)


@given(ANGLES, st.tuples(LIMIT, LIMIT, LIMIT))
def test_no_angle_is_beyond_its_limit_and_small_ones_are_untouched(
    angles: list[tuple[float, float, float]], most: tuple[float, float, float]
) -> None:
    given_angles, limits = np.array(angles), TurnLimits(*most)
    moved = turned(OWN, given_angles)
    held = limits.apply(OWN[None], moved)
    away = Rotation.from_matrix((held.transpose(0, 2, 1) @ OWN).astype(np.float64)).as_euler("xyz", degrees=True)
    assert (np.abs(away) <= np.array(most) + 0.01).all()
    small = (np.abs(given_angles) < 0.59 * np.array(most)).all(1)
    assert np.array_equal(held[small], moved[small]), "bit by bit"
    assert np.array_equal(limits.apply(OWN[None], moved[:1]), held[:1]), "a frame does not depend on its neighbours"


def test_motion_slows_down_at_a_limit_and_goes_on() -> None:
    yaw = np.zeros((60, 3))
    yaw[:, 1] = np.arange(60)
    held = TurnLimits(yaw=20).hold(yaw)[:, 1]
    steps = np.diff(held)
    assert (steps > 0).all() and steps[0] == 1 and steps[-1] < 0.1 and held[-1] < 20
    assert np.allclose(held[:12], yaw[:12, 1])


def test_without_limits_nothing_is_computed() -> None:
    moved = turned(OWN, np.array([(50.0, 50.0, 50.0)]))
    assert not NONE and NONE.apply(OWN[None], moved) is moved
    assert TurnLimits(yaw=20).times(2) == TurnLimits(yaw=10)
