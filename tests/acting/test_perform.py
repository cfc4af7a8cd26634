"""The round trip: curves, frames, landmarks, motion, and the same curves again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.acting import Curves, curves, perform
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.protocol import FRAME_SIZE

from .conftest import Recovered

Recover = Callable[[str, int], Recovered]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize(("column", "name", "least"), [(0, "pitch", 0.98), (1, "yaw", 0.99), (2, "roll", 0.99)])
def test_head_turns_are_recovered(recover: Recover, column: int, name: str, least: float) -> None:
    """With open eyes: the landmarker itself takes a blink for about two degrees of pitch."""
    found = recover("nod_and_shake", 77)
    awake = found.asked.blink == 0
    asked, seen = getattr(found.asked, name)[awake], found.angles[awake, column]
    assert _correlation(asked, seen) > least
    assert np.polyfit(asked, seen, 1)[0] == pytest.approx(1, abs=0.2)


def test_blinks_are_recovered_and_really_close(recover: Recover) -> None:
    found = recover("expressions", 60)
    assert _correlation(-found.asked.blink, found.eyes) > 0.95
    shut, awake = found.eyes[found.asked.blink == 1], found.eyes[found.asked.blink == 0]
    assert len(shut) >= 2
    assert shut.max() < 0.5 * np.median(awake)


def test_the_jaw_is_recovered_and_really_opens(recover: Recover) -> None:
    found = recover("talk", 50)
    assert _correlation(found.asked.jaw, found.lips) > 0.92
    assert found.lips.max() > found.lips[0] + 0.12


def _still(n: int, **controls: float) -> Curves:
    flat = {name: np.zeros(n) for name in ("yaw", "pitch", "roll", "jaw", "blink", "smile", "brow")}
    flat.update({name: np.full(n, value) for name, value in controls.items()})
    return Curves("still", Fraction(25), **flat)


def test_a_neutral_face_is_the_portrait(astronaut: PreparedSource) -> None:
    for name in ("talk", "nod_and_shake", "expressions"):
        first = next(perform(astronaut, curves(name, 3, Fraction(25))))
        np.testing.assert_array_equal(first, astronaut.image)


@pytest.mark.parametrize(
    ("control", "value", "where"),
    [
        ("jaw", 1.0, (0.5, 1.2)),
        ("smile", 1.0, (0.4, 0.9)),
        ("brow", 1.0, (0.1, 0.55)),
        ("blink", 1.0, (0.2, 0.55)),
    ],
)
def test_a_control_changes_its_part_of_the_face(
    astronaut: PreparedSource, control: str, value: float, where: tuple[float, float]
) -> None:
    """Heights run from the top of the forehead (0) to the chin (1)."""
    frame = next(perform(astronaut, _still(1, **{control: value})))
    change = np.abs(frame.astype(float) - astronaut.image).sum((1, 2))
    top, chin = astronaut.mesh.rest[[10, 152], 1]
    rows = (np.arange(FRAME_SIZE) - top) / (chin - top)
    inside = (rows > where[0]) & (rows < where[1])
    assert change.sum() > 0
    assert change[inside].sum() > 0.6 * change.sum()


def test_frames_come_one_by_one_as_uint8(astronaut: PreparedSource) -> None:
    frames = perform(astronaut, curves("talk", 100_000, Fraction(25)))
    frame = next(frames)
    assert frame.shape == (FRAME_SIZE, FRAME_SIZE, 3)
    assert frame.dtype == np.uint8
