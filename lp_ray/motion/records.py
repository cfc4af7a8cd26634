"""Motion of sources and drivings, as the transfer uses it: arrays with one row per frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import TemplateError
from lp_ray.motion.keypoints import F32, N_KEYPOINTS, keypoints

Index = slice | NDArray[np.intp]

TAILS: dict[str, tuple[int, ...]] = {
    "scale": (1,),
    "R": (3, 3),
    "exp": (N_KEYPOINTS, 3),
    "t": (3,),
    "kp": (N_KEYPOINTS, 3),
    "x_s": (N_KEYPOINTS, 3),
    "eye_ratio": (2,),
    "lip_ratio": (1,),
}
"""Shape of one frame's row in every array of a LivePortrait motion template."""

MOTION = ("scale", "R", "exp", "t")
"""Arrays that every record has. Templates of the reference may lack the others."""


@dataclass(frozen=True)
class Placement:
    """How canonical keypoints are placed in n frames: scale n x 1, R n x 3 x 3, exp n x 21 x 3, t n x 3.

    An array with one row instead of n applies to all frames.
    """

    scale: F32
    R: F32
    exp: F32
    t: F32

    def keypoints(self, kp: F32) -> F32:
        """Return the places of canonical keypoints (n x 21 x 3, or 1 row): n x 21 x 3."""
        return keypoints(kp, self.scale, self.R, self.exp, self.t)


@dataclass(frozen=True)
class DrivingMotion:
    """Motion of n driving frames.

    scale n x 1, R n x 3 x 3, exp n x 21 x 3, t n x 3, eye_ratio n x 2 (left, right), lip_ratio n x 1. Ratios are None
    in templates without them. `is_still` says that the whole driving, not only this piece of it, is one picture.
    """

    scale: F32
    R: F32
    exp: F32
    t: F32
    eye_ratio: F32 | None = None
    lip_ratio: F32 | None = None
    is_still: bool = False

    @classmethod
    def from_frames(cls, frames: Mapping[str, NDArray[Any]], is_still: bool) -> DrivingMotion:
        """Use template arrays as they are. Raises TemplateError if one is missing or has a wrong shape."""
        check_frames(frames, MOTION)
        frames = _float32(frames)
        return cls(
            **{name: frames[name] for name in MOTION},
            eye_ratio=frames.get("eye_ratio"),
            lip_ratio=frames.get("lip_ratio"),
            is_still=is_still,
        )

    def __len__(self) -> int:
        return len(self.exp)

    def take(self, index: Index) -> DrivingMotion:
        """Return the frames of `index`, in its order."""
        return DrivingMotion(
            self.scale[index],
            self.R[index],
            self.exp[index],
            self.t[index],
            _take(self.eye_ratio, index),
            _take(self.lip_ratio, index),
            self.is_still,
        )


@dataclass(frozen=True)
class SourceMotion:
    """Canonical keypoints and motion of a source: one row for a picture, n rows for a video.

    Arrays as in DrivingMotion, and kp n x 21 x 3. Ratios are None if the source has no landmarks. `first_eye_ratio` (2)
    is that of the whole video's first frame; every piece of the video has it.
    """

    kp: F32
    scale: F32
    R: F32
    exp: F32
    t: F32
    eye_ratio: F32 | None
    lip_ratio: F32 | None
    is_video: bool
    first_eye_ratio: F32 | None

    @classmethod
    def from_frames(cls, frames: Mapping[str, NDArray[Any]], is_video: bool) -> SourceMotion:
        """Use template arrays that begin at the source's first frame.

        Raises TemplateError if an array is missing or has a wrong shape, and for a picture of several rows.
        """
        check_frames(frames, (*MOTION, "kp"))
        frames = _float32(frames)
        if not is_video and len(frames["kp"]) != 1:
            raise TemplateError(f"a source picture has one motion record, not {len(frames['kp'])}")
        eye_ratio = frames.get("eye_ratio")
        return cls(
            kp=frames["kp"],
            **{name: frames[name] for name in MOTION},
            eye_ratio=eye_ratio,
            lip_ratio=frames.get("lip_ratio"),
            is_video=is_video,
            first_eye_ratio=None if eye_ratio is None else eye_ratio[0],
        )

    @property
    def placement(self) -> Placement:
        """The source's own placement."""
        return Placement(self.scale, self.R, self.exp, self.t)

    @property
    def x_s(self) -> F32:
        """Keypoints of the source, n x 21 x 3."""
        return self.placement.keypoints(self.kp)

    def __len__(self) -> int:
        return len(self.exp)

    def take(self, index: Index) -> SourceMotion:
        """Return the frames of `index`, in its order."""
        return SourceMotion(
            self.kp[index],
            self.scale[index],
            self.R[index],
            self.exp[index],
            self.t[index],
            _take(self.eye_ratio, index),
            _take(self.lip_ratio, index),
            self.is_video,
            self.first_eye_ratio,
        )


def check_frames(frames: Mapping[str, NDArray[Any]], needed: tuple[str, ...]) -> None:
    """Raise TemplateError unless all `needed` arrays exist and all known arrays have rows of their shape."""
    if lacking := [name for name in needed if name not in frames]:
        raise TemplateError(f"motion without {', '.join(lacking)}: it was not made by the liveportrait engine")
    rows = len(frames[needed[0]])
    for name in TAILS.keys() & frames.keys():
        if frames[name].shape != (rows, *TAILS[name]) or rows == 0:
            raise TemplateError(f"{name} is {frames[name].shape} where {(rows, *TAILS[name])} belongs")


def _float32(frames: Mapping[str, NDArray[Any]]) -> dict[str, F32]:
    """Convert to float32, because a single float64 array, such as measured ratios, would turn all keypoints into
    float64."""
    return {name: np.asarray(rows, np.float32) for name, rows in frames.items()}


def _take(array: F32 | None, index: Index) -> F32 | None:
    return None if array is None else array[index]
