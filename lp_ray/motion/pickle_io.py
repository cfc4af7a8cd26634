"""The reference's motion templates (`.pkl`): import them without trusting them, and export them.

File format: a pickled dict of `n_frames`, `output_fps`, `motion` (a list with one record per frame) and, in most files,
lists of eye and lip ratios. Every array has a leading axis of 1. Older files use other names (NAMES).
"""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import InputTooLargeError, TemplateError
from lp_ray.base.limits import Limits
from lp_ray.motion.records import MOTION, TAILS, check_frames
from lp_ray.motion.safe_pickle import load_plain
from lp_ray.motion.template import MotionFrames, TemplateHeader

ENGINE = "liveportrait"

NAMES = {
    "R_d": "R",
    "c_d_eyes_lst": "eye_ratio",
    "c_d_lip_lst": "lip_ratio",
    "c_eyes_lst": "eye_ratio",
    "c_lip_lst": "lip_ratio",
}
"""The reference's old and new names, where they differ from ours."""

RECORD_ARRAYS = (*MOTION, "kp", "x_s")
RATIO_LISTS = {"eye_ratio": "c_eyes_lst", "lip_ratio": "c_lip_lst"}

MAX_BYTES = 32 << 20
"""A quarter of an hour at 30 frames per second, in the reference's newest form."""
MAX_FPS = 1000


def import_pickle(data: bytes, limits: Limits | None = None) -> tuple[TemplateHeader, MotionFrames]:
    """Return header and motion, float32 with one row per frame, from the bytes of a reference template.

    `kp`, `x_s`, `eye_ratio` and `lip_ratio` are included if every frame has them. The header's engine digest identifies
    these bytes, because the weights that made them are not known. Raises TemplateError for anything that is not such a
    template; nothing in it is executed. Raises InputTooLargeError above the limits.
    """
    limits = limits or Limits()
    content = load_plain(data, min(limits.max_bytes, MAX_BYTES))
    if not isinstance(content, dict) or not isinstance(content.get("motion"), list):
        raise TemplateError("not a motion template: no list `motion` in the pickle")
    records = content["motion"]
    n_frames = _count(content, len(records), limits)
    frames = _records(records)
    for name, rows in _renamed(content).items():
        if name in RATIO_LISTS and _has_rows(rows):
            frames[name] = _stack(name, rows, n_frames)
    check_frames(frames, MOTION)
    _check_values(frames)
    fps = exact_rate(content.get("output_fps"))
    digest = hashlib.sha256(data).hexdigest()
    header = TemplateHeader(ENGINE, f"pkl:{digest}", "pkl", fps.numerator, fps.denominator, n_frames)
    return header, frames


def export_pickle(header: TemplateHeader, frames: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Return a liveportrait template in the reference's format: its new names, shapes and dtypes.

    Raises TemplateError for the motion of another engine.
    """
    if header.engine != ENGINE:
        raise TemplateError(f"only {ENGINE} templates have a .pkl form, this one is for {header.engine}")
    check_frames(frames, MOTION)
    if len(frames["exp"]) != header.n_frames:
        raise TemplateError(f"{len(frames['exp'])} frames of motion under a header of {header.n_frames}")
    names = [name for name in RECORD_ARRAYS if name in frames]
    rows = {name: np.ascontiguousarray(frames[name], np.float32) for name in frames if name in TAILS}
    content: dict[str, Any] = {
        "n_frames": header.n_frames,
        "output_fps": int(header.fps) if header.fps.denominator == 1 else float(header.fps),
        "motion": [{name: rows[name][i : i + 1] for name in names} for i in range(header.n_frames)],
    }
    for name, key in RATIO_LISTS.items():
        if name in rows:
            content[key] = [rows[name][i : i + 1] for i in range(header.n_frames)]
    return pickle.dumps(content, protocol=4)


def exact_rate(fps: object) -> Fraction:
    """Return the exact frame rate for an int or a rounded float: 25 -> 25, 29.97 -> 30000/1001.

    A rate within 0.005 of an integer's 1000/1001 counts as the NTSC rate. Raises TemplateError unless 0 < fps <= 1000.
    """
    if isinstance(fps, bool) or not isinstance(fps, int | float):
        raise TemplateError(f"output_fps is {str(fps)[:80]} where a number belongs")
    if not 0 < fps <= MAX_FPS:
        raise TemplateError(f"output_fps is {fps!r}: it must be over 0 and at most {MAX_FPS}")
    rate = Fraction(fps).limit_denominator(1001)
    ntsc = Fraction(math.ceil(fps) * 1000, 1001)
    if rate.denominator > 1 and abs(ntsc - Fraction(fps)) < Fraction(5, 1000):
        return ntsc
    if rate <= 0:
        raise TemplateError(f"output_fps is {fps!r}, slower than a frame in 1001 seconds")
    return rate


def _count(content: Mapping[Any, Any], n_records: int, limits: Limits) -> int:
    announced = content.get("n_frames", n_records)
    if not isinstance(announced, int) or announced != n_records or n_records == 0:
        raise TemplateError(f"n_frames is {str(announced)[:80]} over {n_records} motion records")
    if n_records > limits.max_frames:
        raise InputTooLargeError(f"{n_records} frames of motion, at most {limits.max_frames} are allowed")
    return n_records


def _records(records: list[Any]) -> MotionFrames:
    if not all(isinstance(record, dict) for record in records):
        raise TemplateError("a motion record is not a dict")
    named = [_renamed(record) for record in records]
    names = [name for name in RECORD_ARRAYS if all(name in record for record in named)]
    return {name: _stack(name, [record[name] for record in named], len(named)) for name in names}


def _renamed(content: Mapping[Any, Any]) -> dict[str, Any]:
    return {NAMES.get(key, key): value for key, value in content.items() if isinstance(key, str)}


def _has_rows(rows: object) -> bool:
    return not (rows is None or (isinstance(rows, list) and not rows))


def _stack(name: str, rows: object, n_frames: int) -> NDArray[np.float32]:
    """Return n x tail from n arrays of 1 x tail (or tail, as forks write it)."""
    tail = TAILS[name]
    if not isinstance(rows, list) or len(rows) != n_frames:
        raise TemplateError(f"{name} is not a list of {n_frames} arrays")
    for i, row in enumerate(rows):
        if not isinstance(row, np.ndarray) or row.shape not in ((1, *tail), tail):
            shape = getattr(row, "shape", type(row).__name__)
            raise TemplateError(f"{name} of frame {i} is {shape} where an array {(1, *tail)} belongs")
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are refused
        return np.array([row.reshape(tail) for row in rows], np.float32)


def _check_values(frames: MotionFrames) -> None:
    for name, rows in frames.items():
        if not np.isfinite(rows).all():
            raise TemplateError(f"{name} holds values that are not finite")
    if not (frames["scale"] > 0).all():
        raise TemplateError("scale must be over 0 in every frame")
