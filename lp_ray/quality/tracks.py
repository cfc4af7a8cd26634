"""The tracks that metrics use, computed from a clip's landmarks: small arrays with one row per frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.quality.running import Array


@dataclass(frozen=True)
class FaceTracks:
    """Tracks of n frames; rows of frames without a face are NaN.

    `angles` n x 3: yaw, pitch, roll in degrees; `eyes` n: ratio, mean of both; `lips` n: ratio; `rigid` n x 33 x 2:
    points that move with the head alone, pixels; `boxes` n x 4: bounds of all points (x0, y0, x1, y1), pixels.
    """

    angles: Array
    eyes: Array
    lips: Array
    rigid: Array
    boxes: Array

    def __len__(self) -> int:
        return len(self.lips)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Which frames have a face."""
        return np.isfinite(self.lips)


def face_tracks(points: NDArray[np.floating], width: int, height: int) -> FaceTracks:
    """Return the tracks of n x 478 x 3 landmarks in pictures of `width` x `height`; NaN where there is no face."""
    found = np.isfinite(points).all((1, 2))
    seen = points[found].astype(np.float64)

    def spread(rows: NDArray[np.floating]) -> Array:
        whole = np.full((len(points), *rows.shape[1:]), np.nan)
        whole[found] = rows
        return whole

    flat = seen[:, :, :2]
    return FaceTracks(
        spread(head_poses(seen, width, height).angles),
        spread(eye_ratios(seen).mean(1)),
        spread(lip_ratio(seen)[:, 0]),
        spread(flat[:, canonical_mesh().rigid_indices]),
        spread(np.concatenate([flat.min(1), flat.max(1)], 1)),
    )


def sizes(boxes: Array) -> Array:
    """Return the longer sides of boxes (... x 4): the size of a face."""
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).max(-1), np.float64)
