"""How good an input is, before anything is made of it: numbers of a source's face, and of a driving's motion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lp_ray.base.arrays import Image, Points
from lp_ray.face.continuity import is_cut, scene
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.mediapipe.networks import N_POINTS
from lp_ray.face.pose import angles_of
from lp_ray.face.protocol import Landmarker
from lp_ray.media.clip import Footage
from lp_ray.media.gather import gather
from lp_ray.motion.template import TemplateReader
from lp_ray.quality.picture import face_fractions, light, sharpness
from lp_ray.quality.temporal import luma

ROTATIONS = ("rotation", "R")
"""Arrays of a template that hold the head's rotation, of either engine."""


def source_scores(crop: Image, in_crop: Points, in_picture: Points, width: int, height: int) -> dict[str, float]:
    """Return the measures of a source's face; empty without landmarks.

    `crop` is S x S x 3, `in_crop` its K x (2|3) landmarks in pixels of it, `in_picture` the same in the picture of
    `width` x `height`. Angles are known for MediaPipe's 478 points only, degrees, either way.
    """
    if not len(in_crop):
        return {}
    box = np.concatenate([in_picture[:, :2].min(0), in_picture[:, :2].max(0)])
    in_crop_box = np.concatenate([in_crop[:, :2].min(0), in_crop[:, :2].max(0)])
    grey = luma(crop)
    scores = {
        "face_fraction": float(face_fractions(box[None], width, height)[0]),
        "face_pixels": float(max(box[2:] - box[:2])),
        "sharpness": sharpness(grey, in_crop),
        "luminance": light(grey, in_crop_box).mean,
    }
    if in_picture.shape == (N_POINTS, 3):
        yaw, pitch, roll = np.abs(head_poses(in_picture[None], width, height).angles[0]).tolist()
        scores |= {"yaw": yaw, "pitch": pitch, "roll": roll}
    return scores


def driving_scores(template: TemplateReader) -> dict[str, float]:
    """Return the measures of a driving by its motion template: length, largest angles, motion, share of lost frames.

    What the template does not hold is left out: of a performance, all but its length.
    """
    header = template.header
    scores = {"seconds": float(len(template) / header.fps), "lost": len(header.missing_frames) / len(template)}
    name = next((name for name in ROTATIONS if name in template.names), None)
    if name is None:
        return scores
    rotations: NDArray[np.float64] = template.read(names=(name,))[name].astype(np.float64)
    pitch, yaw, roll = np.abs(angles_of(rotations)).max(0).tolist()
    turned = Rotation.from_matrix(rotations)
    away = (turned.mean().inv() * turned).magnitude()
    motion = float(np.degrees(np.sqrt(np.square(away).mean())))
    return scores | {"yaw": yaw, "pitch": pitch, "roll": roll, "motion": motion}


LOOKS = 5
"""In so many frames of a video, evenly spaced, all faces are searched for."""


def most_faces(footage: Footage, landmarker: Landmarker) -> int:
    """Return the largest number of faces in one of LOOKS frames of a clip. Raises InputError."""
    at = np.unique(np.linspace(0, footage.n_frames - 1, LOOKS).round().astype(np.intp))
    return max(len(landmarker.detect(frame)) for frame in gather(footage, at, lambda frame: frame))


def count_cuts(footage: Footage) -> int:
    """Return how often a clip's scene changes from one frame to the next. Raises InputError."""
    count, before = 0, None
    for frame in footage.frames():
        now = scene(frame)
        count += is_cut(before, now)
        before = now
    return count
