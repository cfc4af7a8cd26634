"""What a result is compared with of its source: the picture in the result's size, and what the face in it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix, Points
from lp_ray.base.caching import Cache
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.crop import transform_points
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.mediapipe.networks import N_POINTS
from lp_ray.face.protocol import Face
from lp_ray.motion.template import TemplateReader
from lp_ray.plan.framing import source_framing
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.stages.extract import CROP_POINTS
from lp_ray.stages.measuring.models import Models
from lp_ray.stages.media import OpenClips, read_picture

_KEPT = Cache["SourceView"]("source_view", 4)
"""Of this process: the sources of the last pairs."""


@dataclass(frozen=True)
class SourceView:
    """A source's picture in the result's size (of a video, its first frame), and its face, if one is found in it.

    `points` 478 x 3 in pixels of `image`, `embedding` 128, `arcface` 512 (where the job has it), `blendshapes` 52,
    `rotation` 3 x 3 (head pose).
    """

    image: Image
    points: Points | None
    embedding: NDArray[np.float32] | None
    blendshapes: NDArray[np.float32] | None
    rotation: NDArray[np.float64] | None
    arcface: NDArray[np.float32] | None = None


def source_view(settings: Settings, work: PairWork, to_crop: Matrix, models: Models) -> SourceView:
    """Return the view of a pair's source. `to_crop` leads to the crop of the labelled face. Raises InputError."""
    framing, pasted = source_framing(work.options), work.options.paste_back
    key = (work.source.key, framing, pasted, to_crop.tobytes(), settings.metrics_device, settings.metrics_arcface)
    return _KEPT.get(key, lambda: _look(_read(settings, work, framing), framing, to_crop, pasted, models))


def _read(settings: Settings, work: PairWork, framing: SourceFraming) -> Image:
    source = work.source
    if not source.is_video:
        return read_picture(source.uri, framing, settings.limits, source.version, source.stated).image
    frames = OpenClips(settings.limits).video(source.uri, source.version).frames(0, 1)
    return framing.limit(next(frames)).copy()


def _look(image: Image, framing: SourceFraming, to_crop: Matrix, pasted: bool, models: Models) -> SourceView:
    face = _nearest(models.landmarker.detect(image), to_crop)
    points = None if face is None else face.points
    if not pasted:
        image = framing.cut(image, to_crop, FRAME_SIZE, FRAME_SIZE)
        points = None if points is None else transform_points(points, to_crop)
    if points is None:
        return SourceView(image, None, None, None, None)
    height, width = image.shape[:2]
    arcface = models.embed_arcface([image], points[None])
    return SourceView(
        image,
        points,
        models.embed([image], points[None])[0],
        models.blendshapes_of(points[None])[0],
        head_poses(points[None], width, height).rotation[0],
        None if arcface is None else arcface[0],
    )


def _nearest(faces: list[Face], to_crop: Matrix) -> Face | None:
    """Return the face in whose middle the crop lies most nearly; None if none has its middle in the crop."""

    def offset(face: Face) -> float:
        x0, y0, x1, y1 = face.box
        middle = to_crop[:, :2] @ [(x0 + x1) / 2, (y0 + y1) / 2] + to_crop[:, 2]
        return float(np.abs(middle - FRAME_SIZE / 2).max())

    inside = [face for face in faces if offset(face) < FRAME_SIZE / 2]
    return min(inside, key=offset, default=None)


def video_rotations(
    template: TemplateReader,
    crop_to_picture: NDArray[np.float64],
    frames: NDArray[np.intp],
    width: int,
    height: int,
) -> NDArray[np.float64] | None:
    """Return the head poses of a source video's own frames (n x 3 x 3), in results of `width` x `height`.

    They come from the landmarks in its template. None if that has others than the 478.
    """
    kept = template.read(int(frames.min()), int(frames.max()) + 1, (CROP_POINTS,))[CROP_POINTS]
    points = kept[frames - frames.min()].astype(np.float64)
    if points.shape[1:] != (N_POINTS, 3):
        return None
    placed = [transform_points(face, matrix) for face, matrix in zip(points, crop_to_picture, strict=True)]
    return head_poses(np.stack(placed), width, height).rotation
