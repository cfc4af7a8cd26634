"""Transfer a driving's motion to one source: compute what each frame adds to the portrait.

All motion is relative to the driving's first frame. Head pose is limited to what a warp of one picture can show.
Expression is scaled to the source's own eyes and mouth, and eyelids and lips are kept from crossing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lp_ray.engine.preview.editing import Added
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.topology import (
    EYES,
    LOWER_LIP,
    MOUTH_CORNERS,
    N_POINTS,
    N_VERTICES,
    NOSE_BRIDGE,
    UPPER_LIP,
    surrounding,
)
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.mediapipe.mesh import CanonicalMesh
from lp_ray.face.pose import Array, angles_of, rotation_from_angles
from lp_ray.motion.limits import NONE, TurnLimits, soft_limit

MAX_PITCH, MAX_YAW, MAX_ROLL = 15.0, 25.0, 20.0
"""Degrees from the source's pose, for a source that looks at the camera."""
MAX_TOTAL_YAW = 36.0
"""Degrees from the camera up to which a source that is already turned away may turn further."""
LEAST = 1.0
"""Degrees that every head may turn, so that none is frozen."""
TURN_BACK_LOSS = 0.95
"""A turned source may turn back less by this share of its own yaw: its picture does not show what would come into
view (the far cheek and eye, the other side of the nose)."""
PITCH_KEPT_TO, PITCH_GONE_AT = 20.0, 55.0
"""Degrees of the source's own yaw up to which it may nod fully, and from which on it may not: a face in profile hides
what a nod shows."""
LEVEL_PITCH = 8.0
MAX_TOTAL_PITCH = 32.0
"""The pitch that is measured of a face that looks at the camera, and the farthest from there that any may nod."""
MAX_LOG_SCALE = 0.22
MAX_SHIFT = 0.11 * FRAME_SIZE
"""Of the head in the crop: change of size (natural logarithm) and place (px)."""
MAX_EXPRESSION = 5.0
"""Canonical units that expression may move a point; a wide open jaw moves the chin by about 4."""
EYE_RATIO = (0.3, 2.5)
MOUTH_RATIO = (0.6, 1.4)
"""Bounds on source over driving size of eyes and mouth."""
EYE_ZONE = (1.0, 0.6, 0.25)
"""How much lid rims and the two rings of skin around them share in that scaling."""
LID_CLOSING_GAIN = 0.45
"""Landmarks of a shut eye leave a slit. So a lid that is closed by a share s is moved further by this times s."""
MOUTH_ZONE = (2.8, 4.0)
"""Canonical distances from the mouth's middle: full scaling up to the first, none beyond the second."""
GAZE_LIMIT = 0.22
"""How far an iris may move, in eye widths."""
NECK = np.array([0.0, -4.0, -6.0])
"""Canonical point around which a head turns."""


@dataclass(frozen=True)
class DriverFrame:
    """One frame of driving motion: scale, rotation 3 x 3, translation 3, canonical points 478 x 3."""

    scale: float
    rotation: Array
    translation: Array
    canonical: Array


@dataclass(frozen=True)
class FrameMotion:
    """What one frame adds to the source: size factor, rotation (3 x 3, applied after the source's own), shift
    (3, px, y up), and displacement of the canonical points (478 x 3)."""

    scale: float
    rotation: Array
    shift: Array
    expression: Array

    @property
    def moves(self) -> bool:
        """Whether it adds anything."""
        turns = not np.array_equal(self.rotation, np.eye(3))
        return self.scale != 1 or turns or bool(self.shift.any() or self.expression.any())


class Transfer:
    """Carries the motion of one driving, whose first frame is `rest`, to one source."""

    def __init__(
        self,
        source: PreparedSource,
        rest: DriverFrame,
        model: CanonicalMesh,
        multiplier: float,
        limits: TurnLimits = NONE,
    ) -> None:
        """`limits` hold the turn that the driving adds, beside those of what a warp can show."""
        self.limits = limits
        self.source = source
        self.rest = rest
        self.multiplier = multiplier
        self.gain = _gains(source.canonical, rest.canonical, model)[:, None]

    def motion(self, frame: DriverFrame, edit: Added | None = None) -> FrameMotion:
        """Return what `frame`, and an edit on top of it, add to the source."""
        rest = self.rest
        turn = self.limits.hold(angles_of(frame.rotation @ rest.rotation.T) * self.multiplier)
        ratio = np.log(max(frame.scale, 1e-6) / max(rest.scale, 1e-6)) * self.multiplier
        shift = (frame.translation - rest.translation) * (self.source.scale / rest.scale) * self.multiplier
        shift = soft_limit(shift, MAX_SHIFT)
        shift[2] = 0.0
        if edit is not None:
            ratio, turn = ratio + edit.log_size, turn + edit.turn
            turned = turn_shift(self.source, limit_turn(self.source, edit.turn))
            shift = soft_limit(shift + turned + edit.place, MAX_SHIFT)
        return FrameMotion(
            scale=float(np.exp(soft_limit(ratio, MAX_LOG_SCALE))),
            rotation=limit_turn(self.source, turn),
            shift=shift,
            expression=self._expression(frame, edit),
        )

    def pose(self, frame: DriverFrame, edit: Added | None = None) -> FrameMotion:
        """Return what turns the source's head as `frame` holds its own, and gives it the same expression.

        For a driving of one picture: `rest` then holds that face at rest. Size and place stay the source's own.
        """
        turn = self.limits.hold(angles_of(frame.rotation @ self.source.rotation.T) * self.multiplier)
        if edit is None:
            rotation = limit_turn(self.source, turn)
            return FrameMotion(1.0, rotation, turn_shift(self.source, rotation), self._expression(frame))
        turned = of_edit(self.source, replace(edit, turn=edit.turn + turn))
        return replace(turned, expression=self._expression(frame, edit))

    def _expression(self, frame: DriverFrame, edit: Added | None = None) -> Array:
        driven = (frame.canonical - self.rest.canonical) * self.gain * self.multiplier
        return settle(self.source.canonical, driven if edit is None else driven + edit.expression)


def of_edit(source: PreparedSource, edit: Added) -> FrameMotion:
    """Return what an edit alone adds to the source, whose head turns around its neck."""
    rotation = limit_turn(source, edit.turn)
    return FrameMotion(
        scale=float(np.exp(soft_limit(np.asarray(edit.log_size), MAX_LOG_SCALE))),
        rotation=rotation,
        shift=np.asarray(soft_limit(turn_shift(source, rotation) + edit.place, MAX_SHIFT)),
        expression=settle(source.canonical, edit.expression),
    )


def limit_turn(source: PreparedSource, turn: Array) -> Array:
    """Rotation (3 x 3) for a turn of pitch, yaw and roll in degrees, limited to what the source can show."""
    own_pitch, own_yaw, _ = angles_of(source.rotation)
    away = float(turn[1]) * own_yaw > 0
    most_yaw = MAX_TOTAL_YAW - abs(own_yaw) if away else MAX_YAW - TURN_BACK_LOSS * abs(own_yaw)
    most_pitch = min(MAX_PITCH, MAX_TOTAL_PITCH - max((own_pitch - LEVEL_PITCH) * np.sign(turn[0]), 0.0))
    most_pitch *= np.clip((PITCH_GONE_AT - abs(own_yaw)) / (PITCH_GONE_AT - PITCH_KEPT_TO), 0, 1)
    limits = np.array([max(most_pitch, LEAST), np.clip(most_yaw, LEAST, MAX_YAW), MAX_ROLL])
    pitch, yaw, roll = soft_limit(turn, limits)
    return rotation_from_angles(pitch, yaw, roll)


def turn_shift(source: PreparedSource, rotation: Array) -> Array:
    """Return the shift (3, px, y up) of a head that turns around its neck rather than around its middle."""
    neck = source.scale * (source.rotation @ NECK)
    shift = neck - rotation @ neck
    shift[2] = 0.0
    return np.asarray(soft_limit(shift, MAX_SHIFT))


def settle(canonical: Array, expression: Array) -> Array:
    """Bound an expression (478 x 3), keep lids and lips of `canonical` apart and the gaze in the eye."""
    size = np.linalg.norm(expression, axis=1, keepdims=True)
    settled: Array = expression * (soft_limit(size, MAX_EXPRESSION) / np.maximum(size, 1e-9))
    _keep_apart(canonical, settled, UPPER_LIP, LOWER_LIP, 0.5)
    for eye in EYES:
        _close_further(canonical, settled, eye.upper, eye.lower)
        _keep_apart(canonical, settled, eye.upper, eye.lower, 0.8)
    _steer_gaze(canonical, settled)
    return settled


def _gains(source: Array, driver: Array, model: CanonicalMesh) -> Array:
    """Factor (478) on the driving's expression at each point, from source and driving at rest (478 x 3)."""
    gain = np.ones(N_POINTS)
    for eye in EYES:
        upper, lower = list(eye.upper), list(eye.lower)
        open_source = np.linalg.norm(source[upper] - source[lower], axis=1).mean()
        open_driver = np.linalg.norm(driver[upper] - driver[lower], axis=1).mean()
        ratio = np.clip(open_source / max(open_driver, 1e-3), *EYE_RATIO)
        rings = [list(eye.loop), *surrounding(eye.loop, model.triangles, len(EYE_ZONE) - 1)]
        for ring, share in zip(rings, EYE_ZONE, strict=True):
            gain[ring] = 1 + (ratio - 1) * share
    left, right = MOUTH_CORNERS
    width = np.linalg.norm(source[left] - source[right])
    ratio = np.clip(width / max(float(np.linalg.norm(driver[left] - driver[right])), 1e-3), *MOUTH_RATIO)
    middle = model.vertices[[UPPER_LIP[4], LOWER_LIP[4]]].mean(0)
    distance = np.linalg.norm((model.vertices - middle)[:, :2] * [1, 1.1], axis=1)
    near, far = MOUTH_ZONE
    gain[:N_VERTICES] *= 1 + (ratio - 1) * np.clip((far - distance) / (far - near), 0, 1)
    gain[:N_VERTICES] *= _mobility(model)
    return gain


def _mobility(model: CanonicalMesh) -> Array:
    """Return how much of the measured expression to trust, as a share (468).

    The sides of the face and the nose hardly move by themselves. What is measured there is mostly landmarks that slide
    as the head turns.
    """
    side = np.clip((np.abs(model.vertices[:, 0]) - 4.5) / 2.5, 0, 1)
    mobility = 1 - 0.6 * side
    nose = np.linalg.norm(model.vertices - model.vertices[list(NOSE_BRIDGE)][:, None], axis=2).min(0)
    mobility *= 1 - 0.6 * np.clip(1 - (nose - 0.6) / 1.0, 0, 1)
    return mobility


def _close_further(canonical: Array, expression: Array, upper: tuple[int, ...], lower: tuple[int, ...]) -> None:
    """Add to the closing of a lid, in place, in proportion to how far it is closed."""
    up, low = list(upper), list(lower)
    gap = canonical[up, 1] - canonical[low, 1]
    closing = np.maximum(expression[low, 1] - expression[up, 1], 0)
    share = np.clip(closing / np.maximum(gap, 1e-3), 0, 1)
    expression[up, 1] -= LID_CLOSING_GAIN * share * closing


def _keep_apart(
    canonical: Array, expression: Array, upper: tuple[int, ...], lower: tuple[int, ...], upper_yields: float
) -> None:
    """Undo crossing beyond that of the source itself, in place; the upper rim moves by its share."""
    up, low = list(upper), list(lower)
    gap = canonical[up, 1] - canonical[low, 1]
    crossing = np.maximum(np.minimum(gap, 0) - (gap + expression[up, 1] - expression[low, 1]), 0)
    expression[up, 1] += upper_yields * crossing
    expression[low, 1] -= (1 - upper_yields) * crossing


def _steer_gaze(canonical: Array, expression: Array) -> None:
    """Tie the iris to its eye: bounded travel within the corners, and always between the lids. In place."""
    for eye in EYES:
        corners, up, low = list(eye.corners), list(eye.upper), list(eye.lower)
        carried = expression[corners].mean(0)
        width = np.linalg.norm(canonical[corners[0]] - canonical[corners[1]])
        travel = soft_limit(expression[eye.iris] - carried, GAZE_LIMIT * float(width)) * [0.9, 0.6, 0.0]
        moved = canonical + expression
        middle = (moved[up, 1].mean() + moved[low, 1].mean()) / 2
        half = max((moved[up, 1].mean() - moved[low, 1].mean()) / 2, 0.0)
        half_rest = max((canonical[up, 1].mean() - canonical[low, 1].mean()) / 2, 1e-3)
        off_rest = canonical[eye.iris, 1] - (canonical[up, 1].mean() + canonical[low, 1].mean()) / 2
        most = max(0.5 * half, abs(off_rest) * min(half / half_rest, 1.0))
        height = canonical[eye.iris, 1] + carried[1] + travel[1]
        expression[eye.iris] = carried + travel
        expression[eye.iris, 1] += np.clip(height, middle - most, middle + most) - height
