"""The deltas that the stitching and retargeting heads add to keypoints."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from lp_ray.base.errors import UnsupportedError
from lp_ray.motion.keypoints import F32
from lp_ray.motion.records import DrivingMotion, SourceMotion

OPEN_LIP_RATIO = 0.03
"""Lip normalisation closes the lips of a source whose ratio is at least this."""

SHUT_EYE_RATIO = 0.18
"""If the eyes in a source video's first frame are less open than this, the video begins in a blink ..."""

OPEN_EYE_RATIO = 0.39
"""... and this ratio is used for it instead."""


class Heads(Protocol):
    """The three small networks that work on keypoints, batched over n (LivePortrait, section 3.3)."""

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        """Return x_d (n x 21 x 3) moved so that the shoulders stay where they are in x_s (n x 21 x 3)."""
        ...

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return the delta, n x 21 x 3, for source left, source right and wanted eye ratio (n x 3)."""
        ...

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        """Return the delta, n x 21 x 3, for source and wanted lip ratio (n x 2)."""
        ...


def eye_retargeting(source: SourceMotion, driving: DrivingMotion, heads: Heads, n: int) -> F32:
    """Return the delta, n x 21 x 3, that opens the source's eyes as far as the driving's left eye.

    Zero for a source without landmarks. Raises UnsupportedError if the driving has no eye ratios.
    """
    if driving.eye_ratio is None:
        raise UnsupportedError(_without("eye"))
    return _eye_delta(source, driving.eye_ratio[:, :1], heads, n)


def lip_retargeting(source: SourceMotion, driving: DrivingMotion, heads: Heads, n: int) -> F32:
    """Return the delta, n x 21 x 3, that opens the source's lips as far as the driving's.

    Zero for a source without landmarks. Raises UnsupportedError if the driving has no lip ratios.
    """
    if driving.lip_ratio is None:
        raise UnsupportedError(_without("lip"))
    return _lip_delta(source, driving.lip_ratio, heads, n)


def lip_normalisation(source: SourceMotion, heads: Heads) -> F32:
    """Return the delta, one row per source frame x 21 x 3, that closes lips which are open in the source."""
    rows = len(source)
    if source.lip_ratio is None:
        return np.zeros_like(source.exp)
    closed = _lip_delta(source, np.zeros((1, 1), np.float32), heads, rows)
    return np.where(source.lip_ratio[:, :, None] >= OPEN_LIP_RATIO, closed, np.float32(0))


def source_eye_retargeting(source: SourceMotion, heads: Heads) -> F32:
    """Return the delta, n x 21 x 3, that keeps a source video's eyes as open as in its first frame."""
    if source.first_eye_ratio is None:
        return np.zeros_like(source.exp)
    first = float(source.first_eye_ratio.mean())
    wanted = OPEN_EYE_RATIO if first < SHUT_EYE_RATIO else first
    return _eye_delta(source, np.full((1, 1), wanted, np.float32), heads, len(source))


def _eye_delta(source: SourceMotion, wanted: F32, heads: Heads, n: int) -> F32:
    if source.eye_ratio is None:
        return np.zeros((n, *source.exp.shape[1:]), np.float32)
    rows = (spread(source.x_s, n), spread(source.eye_ratio, n), spread(wanted, n))
    return heads.eye_delta(rows[0], np.concatenate(rows[1:], axis=1))


def _lip_delta(source: SourceMotion, wanted: F32, heads: Heads, n: int) -> F32:
    if source.lip_ratio is None:
        return np.zeros((n, *source.exp.shape[1:]), np.float32)
    rows = (spread(source.x_s, n), spread(source.lip_ratio, n), spread(wanted, n))
    return heads.lip_delta(rows[0], np.concatenate(rows[1:], axis=1))


def spread(array: F32, n: int) -> F32:
    """Return `array` with n rows: itself, or its only row repeated n times as a read-only view."""
    return np.broadcast_to(array, (n, *array.shape[1:]))


def _without(part: str) -> str:
    return (
        f"flag_{part}_retargeting needs the driving's {part} ratios, which this motion template lacks: "
        f"give the clip it was made from, or turn flag_{part}_retargeting off"
    )
