"""Edit a face by hand: how the controls of `contract/edits.py` change LivePortrait's keypoints.

An edit is applied after the motion of a driving, or to a source without a driving. Its expression is added to the moved
expression. Its turn is applied before the moved rotation. Its zoom multiplies the moved scale. For wanted ratios, the
output of the eye and lip heads is added to the keypoints, before stitching. Every step works on any range of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lp_ray.base.errors import UnsupportedError
from lp_ray.motion.keypoints import F32, N_KEYPOINTS, rotation
from lp_ray.motion.neutral import NEUTRAL_LIP
from lp_ray.motion.records import Index, Placement, SourceMotion
from lp_ray.motion.retarget import Heads, spread
from lp_ray.motion.smoothing import smooth

Values = Mapping[str, float | NDArray[np.floating]]
"""Control -> its value, or its curve over n frames."""

LIP_VARIANCE = 3e-6
"""Observation variance for smoothing the lip deltas of a source video (the reference's)."""

SILENCE_KEEPS = (11, 13, 15, 16, 18)
"""Keypoints of the eyes: a silenced source video keeps their expression."""

TURN = ("head_pitch", "head_yaw", "head_roll")

# What one unit of a control adds to the expression: (control, keypoints, axis, amount). "+" and "-" after a name are
# its positive and its negative part. Source: the reference's page (spec/editing.md), checked on every row of the
# goldens. gaze_y moves irises twice there, the second time half as far back; here that is one sum.
_TERMS: tuple[tuple[str, tuple[int, ...], str, float], ...] = (
    ("head_x", (5,), "x", -1.0),
    ("head_y", (5,), "y", 1.0),
    ("pout", (19,), "x", 1.0),
    ("purse", (14,), "y", 0.001),
    ("purse", (3, 7), "y", -0.0005),
    ("purse", (17,), "z", -0.0005),
    ("grin", (20, 14), "y", -0.001),
    ("grin", (20,), "z", -0.001),
    ("lips_open", (19,), "y", 0.001),
    ("lips_open", (19,), "z", 0.0001),
    ("lips_open", (17,), "y", -0.0001),
    ("smile", (20,), "y", -0.01),
    ("smile", (14,), "y", -0.02),
    ("smile", (17,), "y", 0.0065),
    ("smile", (17,), "z", 0.003),
    ("smile", (13, 16), "y", -0.00275),
    ("smile", (3, 7), "y", -0.0035),
    ("wink", (11,), "y", 0.001),
    ("wink", (13, 3), "y", -0.0003),
    ("wink", (17,), "x", 0.0003),
    ("wink", (17,), "y", 0.0003),
    ("brow+", (1,), "y", 0.001),
    ("brow+", (2,), "y", -0.001),
    ("brow-", (1,), "x", -0.001),
    ("brow-", (2,), "x", 0.001),
    ("brow-", (1,), "y", 0.0003),
    ("brow-", (2,), "y", -0.0003),
    ("gaze_x+", (11,), "x", 0.0007),
    ("gaze_x+", (15,), "x", 0.001),
    ("gaze_x-", (11,), "x", 0.001),
    ("gaze_x-", (15,), "x", 0.0007),
    ("gaze_y", (11, 15), "y", -0.0005),
    ("gaze_y", (13, 16), "y", -0.00015),
)


@dataclass(frozen=True)
class Edit:
    """An edit of n frames, or a single one for all frames (n = 1).

    `exp` n x 21 x 3 is added to the expression. `turn` n x 3 is added to pitch, yaw and roll (degrees). `zoom` n x 1
    multiplies the scale. `eye_ratio`, `lip_ratio` n x 1 are wanted ratios; None means the source's own. `blink` n x 1:
    0 to 1. `lips` n x 21 x 3 are the lips' deltas of these frames, if they were computed for a whole video
    (`video_lips`).
    """

    exp: F32
    turn: F32
    zoom: F32
    eye_ratio: F32 | None
    lip_ratio: F32 | None
    blink: F32
    lips: F32 | None = None

    def __len__(self) -> int:
        return len(self.exp)

    def take(self, index: Index) -> Edit:
        """Return the frames of `index`, in its order. An edit that is the same for all frames stays as it is."""
        if len(self) == 1:
            return self

        def rows(array: F32 | None) -> F32 | None:
            return None if array is None else array[index]

        ratios = rows(self.eye_ratio), rows(self.lip_ratio)
        return Edit(self.exp[index], self.turn[index], self.zoom[index], *ratios, self.blink[index], rows(self.lips))


def make_edit(values: Values) -> Edit | None:
    """Return the edit for these controls (checked by `contract.edits.make_edits`); None if there are none.

    Curves have n frames; a number applies to all frames. Raises ValueError for curves of different lengths.
    """
    if not values:
        return None
    curves = {name: np.atleast_1d(np.asarray(value, np.float64)) for name, value in values.items()}
    lengths = {len(curve) for curve in curves.values()} - {1}
    if len(lengths) > 1:
        raise ValueError(f"curves of {', '.join(map(str, sorted(lengths)))} frames in one edit")
    n = max(lengths, default=1)
    columns = {name: np.broadcast_to(curve, n)[:, None].astype(np.float32) for name, curve in curves.items()}
    zero, one = np.zeros((n, 1), np.float32), np.ones((n, 1), np.float32)
    return Edit(
        _expression(curves, n),
        np.concatenate([columns.get(name, zero) for name in TURN], 1),
        columns.get("head_z", one),
        columns.get("eye_ratio"),
        columns.get("lip_ratio"),
        columns.get("blink", zero),
    )


def edited(moved: Placement, source: SourceMotion, edit: Edit | None) -> Placement:
    """Return a moved source (n rows, or 1) with the edit's turn, zoom and expression.

    The rotation becomes (R_edit R_s^T) R, where R_edit is the source's pose with the turn added to its angles. So a
    source that does not move gets R_edit.
    """
    if edit is None:
        return moved
    R = moved.R
    if edit.turn.any():
        upright = source.R.transpose(0, 2, 1)
        own = Rotation.from_matrix(upright.astype(np.float64)).as_euler("xyz", degrees=True)
        pitch, yaw, roll = (own + edit.turn).astype(np.float32).T
        turned = np.matmul(rotation(pitch, yaw, roll) @ upright, R).astype(np.float32)
        # Frame by frame: rounding must not depend on whether another frame of the range turns.
        turns = np.asarray(edit.turn.any(axis=1))
        R = np.where(turns[:, None, None], turned, R)
    return Placement(moved.scale * edit.zoom, R, moved.exp + edit.exp, moved.t)


def ratio_delta(source: SourceMotion, edit: Edit | None, heads: Heads, n: int) -> F32:
    """Return what the heads add for wanted eye and lip ratios and for a blink, n x 21 x 3.

    A blink b closes the eyes to (1 - b) of the wanted ratio. If no ratio is wanted, the blink is measured from the
    source's own ratio, so that a blink of 0 adds nothing. Raises UnsupportedError for a source without landmarks,
    because its ratios are not known.
    """
    delta = np.zeros((n, N_KEYPOINTS, 3), np.float32)
    if edit is None:
        return delta
    x_s = spread(source.x_s, n)

    def eyes(own: F32, wanted: F32) -> F32:
        return heads.eye_delta(x_s, np.concatenate([spread(own, n), spread(wanted, n)], 1))

    if edit.eye_ratio is not None:
        delta = delta + eyes(_known(source.eye_ratio, "eyes"), edit.eye_ratio * (1 - edit.blink))
    elif edit.blink.any():
        own = _known(source.eye_ratio, "eyes")
        as_they_are = own.mean(1, keepdims=True)
        delta = delta + eyes(own, as_they_are * (1 - edit.blink)) - eyes(own, as_they_are)
    if edit.lips is not None:
        delta = delta + edit.lips
    elif edit.lip_ratio is not None:
        ratios = [spread(_known(source.lip_ratio, "lips"), n), spread(edit.lip_ratio, n)]
        delta = delta + heads.lip_delta(x_s, np.concatenate(ratios, 1))
    return delta


def edit_source(
    source: SourceMotion, edit: Edit | None, heads: Heads, stitching: bool = True, silence: bool = False
) -> F32:
    """Return the keypoints x_d, n x 21 x 3, of a source without a driving: a picture (1 row) or frames of a video.

    The neutral edit (None) gives x_s. `silence` lays the face at rest first (`at_rest`), and always stitches. Raises
    UnsupportedError for ratios of a source without landmarks.
    """
    if edit is None and not silence:
        return source.x_s
    n = max(len(source), 1 if edit is None else len(edit))
    placed = edited(at_rest(source) if silence else source.placement, source, edit)
    x_d = spread(placed.keypoints(source.kp), n) + ratio_delta(source, edit, heads, n)
    return heads.stitch(spread(source.x_s, n), x_d) if stitching or silence else x_d


def video_lips(
    source: SourceMotion, wanted: float | F32, heads: Heads, observation_variance: float = LIP_VARIANCE
) -> F32:
    """Return the delta that opens a source video's lips as wanted, n x 21 x 3, smoothed over time.

    `source` must be the whole video, because smoothing uses all frames. `wanted` is one ratio, or one per frame (n x
    1). Add the delta to x_s or to moved keypoints, then stitch. Raises UnsupportedError for a source without landmarks.
    """
    n = len(source)
    own = _known(source.lip_ratio, "lips")
    goal = np.broadcast_to(np.asarray(wanted, np.float32), (n, 1))
    return smooth(heads.lip_delta(source.x_s, np.concatenate([own, goal], 1)), observation_variance)


def silenced(source: SourceMotion) -> F32:
    """Return the keypoints, n x 21 x 3, of a source video whose face is still except for the eyes. Stitch them
    afterwards."""
    return at_rest(source).keypoints(source.kp)


def at_rest(source: SourceMotion) -> Placement:
    """Return a source as it stands, n rows, its face at rest except for the eyes."""
    exp = np.broadcast_to(NEUTRAL_LIP, source.exp.shape).copy()
    exp[:, SILENCE_KEEPS] = source.exp[:, SILENCE_KEEPS]
    return replace(source.placement, exp=exp)


def _expression(curves: Mapping[str, NDArray[np.float64]], n: int) -> F32:
    delta = np.zeros((n, N_KEYPOINTS, 3))
    for name, rows, axis, amount in _TERMS:
        curve = curves.get(name.rstrip("+-"))
        if curve is None:
            continue
        part = np.maximum(curve, 0) if name[-1] == "+" else np.minimum(curve, 0) if name[-1] == "-" else curve
        for row in rows:
            delta[:, row, "xyz".index(axis)] += amount * part
    return delta.astype(np.float32)


def _known(ratio: F32 | None, part: str) -> F32:
    if ratio is None:
        raise UnsupportedError(
            f"a wanted ratio of the {part} needs the source's landmarks, and no face was found in it"
        )
    return ratio
