"""The embedded preview engine: landmark-driven warp of the portrait, no weights, no download."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lp_ray.engine.preview.pose import fit_poses, nearest_rotation, to_canonical
from lp_ray.engine.preview.source import PreparedSource, prepare_source
from lp_ray.engine.preview.topology import N_POINTS
from lp_ray.engine.preview.transfer import DriverFrame, Transfer
from lp_ray.engine.preview.warp import render
from lp_ray.engine.protocol import SourceCrop, Span
from lp_ray.errors import EngineOutputError, TemplateError, UnsupportedError
from lp_ray.face.mediapipe.mesh import CanonicalMesh, canonical_mesh
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.motion.template import MotionFrames, TemplateReader
from lp_ray.options import PairOptions

OUTPUT_VERSION = 1
"""Raised whenever the same template and source would give other frames."""

MOTION_SHAPES = {"scale": (), "rotation": (3, 3), "translation": (3,), "canonical": (N_POINTS, 3)}
"""Arrays that `animate` reads from a template, and the shape of one frame of each."""

SMOOTHING_SIGMA = 0.6
SMOOTHING_REACH = 2
"""Temporal Gaussian over 2 * reach + 1 frames, frames; it removes the jitter of the landmarks."""


class PreviewEngine:
    """Implements `lp_ray.engine.protocol.Engine` by warping the source along 478 face landmarks."""

    name = "preview"
    needs_crops = False

    def __init__(self) -> None:
        self.model = canonical_mesh()
        self.digest = _digest(self.model)

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return pose, canonical points and openings of n frames from their landmarks (n x 478 x 3).

        `scale` n (px per canonical unit), `rotation` n x 3 x 3, `translation` n x 3 (px, y up), `canonical`
        n x 478 x 3, `eye_ratio` n x 2, `lip_ratio` n x 1. Raises UnsupportedError for other landmarks.
        """
        if points.ndim != 3 or points.shape[1:] != (N_POINTS, 3):
            raise UnsupportedError(
                f"the preview engine needs n x {N_POINTS} x 3 landmarks and got {points.shape}: "
                "choose the mediapipe landmarker"
            )
        points = np.asarray(points, np.float64)
        rigid = self.model.rigid_indices
        poses = fit_poses(points[:, rigid], self.model.vertices[rigid], self.model.rigid_weights)
        motion = {
            "scale": poses.scale,
            "rotation": poses.rotation,
            "translation": poses.translation,
            "canonical": to_canonical(points, poses),
            "eye_ratio": eye_ratios(points),
            "lip_ratio": lip_ratio(points),
        }
        return {name: np.asarray(array, np.float32) for name, array in motion.items()}

    def prepare(self, source: SourceCrop) -> PreparedSource:
        """Lay the mesh over a portrait. Raises UnsupportedError unless it has 478 x 3 landmarks."""
        return prepare_source(source, self.model)

    def animate(
        self, prepared: PreparedSource, template: TemplateReader, options: PairOptions, span: Span
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of each chunk of `span`, n x 512 x 512 x 3 RGB.

        Raises TemplateError for a template without this engine's motion, EngineOutputError for motion that is
        not finite.
        """
        rest = _smoothed(template, 0, 1)[0]
        transfer = Transfer(prepared, rest, self.model, options.driving_multiplier)
        for start, stop in span.chunks():
            yield np.stack([render(prepared, transfer.motion(f)) for f in _smoothed(template, start, stop)])


def _digest(model: CanonicalMesh) -> str:
    state = hashlib.sha256(f"preview {OUTPUT_VERSION}".encode())
    for array in (model.vertices, model.triangles, model.rigid_indices, model.rigid_weights):
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def _smoothed(template: TemplateReader, start: int, stop: int) -> list[DriverFrame]:
    """Frames [start, stop) after temporal smoothing; the clip's ends are held beyond it.

    Each frame is made from the same neighbours in the same order whatever the range, so that a clip may be
    cut anywhere.
    """
    first = max(start - SMOOTHING_REACH, 0)
    raw = template.read(first, stop + SMOOTHING_REACH, MOTION_SHAPES)
    for name, shape in MOTION_SHAPES.items():
        if raw[name].shape[1:] != shape:
            raise TemplateError(
                f"template array {name} has rows of {raw[name].shape[1:]} where the preview engine stores "
                f"{shape}: make the template again with this engine"
            )
    taps = np.arange(-SMOOTHING_REACH, SMOOTHING_REACH + 1)
    weights = np.exp(-(taps**2) / (2 * SMOOTHING_SIGMA**2))
    weights /= weights.sum()
    frames = []
    for index in range(start, min(stop, len(template))):
        rows = np.clip(index + taps, 0, len(template) - 1) - first
        mean = {
            name: sum(weight * array[row].astype(np.float64) for weight, row in zip(weights, rows, strict=True))
            for name, array in raw.items()
        }
        frames.append(_driver_frame(mean))
    return frames


def _driver_frame(motion: dict[str, NDArray[np.float64]]) -> DriverFrame:
    if not all(np.isfinite(array).all() for array in motion.values()) or motion["scale"] <= 0:
        raise EngineOutputError("the motion template holds values that are not finite: make it again")
    return DriverFrame(
        float(motion["scale"]),
        nearest_rotation(motion["rotation"]),
        motion["translation"],
        motion["canonical"],
    )
