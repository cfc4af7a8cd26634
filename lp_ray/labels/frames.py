"""Label the frames of a finished video, from pictures and landmarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.gaze import gaze
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.labels.file import packed
from lp_ray.quality.picture import light, sharpness
from lp_ray.quality.temporal import luma

Rows = dict[str, NDArray[Any]]


def frame_labels(
    frames: NDArray[np.uint8],
    points: NDArray[np.floating],
    blendshapes: NDArray[np.floating],
    landmarks: bool = True,
) -> Rows:
    """Return the measured columns of the table for n frames (n x H x W x 3); NaN without a face.

    `points` is n x 478 x 3 pixels and `blendshapes` n x 52, NaN in frames without a face. `landmarks` False leaves the
    landmarks out.
    """
    found = np.isfinite(points).all((1, 2))
    height, width = frames.shape[1:3]
    seen = points[found].astype(np.float64)
    poses = head_poses(seen, width, height)
    boxes = np.concatenate([seen[..., :2].min(1), seen[..., :2].max(1)], 1)
    lumas = [luma(frame) for frame in frames[found]]
    measured: Rows = {
        "face_box": boxes,
        "head_pose": poses.angles,
        "head_translation": poses.translation,
        "eye_ratios": eye_ratios(seen),
        "lip_ratio": lip_ratio(seen)[:, 0],
        "gaze": gaze(seen),
        "sharpness": np.array([sharpness(picture, face) for picture, face in zip(lumas, seen, strict=True)]),
        "luminance": np.array([light(picture, box).mean for picture, box in zip(lumas, boxes, strict=True)]),
    }
    rows: Rows = {"face_present": found, **{name: _spread(values, found) for name, values in measured.items()}}
    rows["blendshapes"] = np.asarray(blendshapes, np.float32)
    if landmarks:
        rows["landmarks"] = packed(points, rows["face_box"])
    return rows


def _spread(values: NDArray[np.floating], found: NDArray[np.bool_]) -> NDArray[np.float32]:
    whole = np.full((len(found), *values.shape[1:]), np.nan, np.float32)
    whole[found] = values
    return whole
