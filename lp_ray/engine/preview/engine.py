"""The built-in preview engine: warps the portrait by landmarks, without weights or downloads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import EngineOutputError, TemplateError, UnsupportedError
from lp_ray.base.pages import empty_pages
from lp_ray.contract.edits import Edits
from lp_ray.contract.options import PairOptions, edits_of
from lp_ray.engine.preview.editing import Added, added, check_shown
from lp_ray.engine.preview.source import PreparedSource, prepare_source
from lp_ray.engine.preview.still import neutral_of
from lp_ray.engine.preview.topology import N_POINTS
from lp_ray.engine.preview.transfer import DriverFrame, FrameMotion, Transfer, of_edit
from lp_ray.engine.preview.warp import render_alpha
from lp_ray.engine.protocol import FRAME_SIZE, Frames, PairMotion, SourceCrops, Span
from lp_ray.face.mediapipe.mesh import CanonicalMesh, canonical_mesh
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.face.pose import fit_poses, nearest_rotation, to_canonical
from lp_ray.motion.limits import NONE, TurnLimits
from lp_ray.motion.performed import Controls, asked, combined, controls_of, curves_at, is_performed
from lp_ray.motion.rates import Indices
from lp_ray.motion.reference import find_reference
from lp_ray.motion.template import MotionFrames, TemplateReader

OUTPUT_VERSION = 3
"""Raise this whenever the same template and source would give other frames."""

MOTION_SHAPES = {"scale": (), "rotation": (3, 3), "translation": (3,), "canonical": (N_POINTS, 3)}
"""Template arrays that `animate` reads, with the shape of one frame of each."""

SMOOTHING_SIGMA = 0.6
SMOOTHING_REACH = 2
"""In frames: a temporal Gaussian over 2 * reach + 1 frames removes the jitter of the landmarks."""


@dataclass(frozen=True)
class Direction:
    """The motion of a pair, the frame from which it is measured (None: a performance, which has none), its strength,
    an edit on top, and how far it may turn the head.

    `still`: the driving is one picture. Nothing moves in it, so the source takes its pose, and its expression as
    measured from the same face at rest.
    """

    motion: PairMotion
    rest: DriverFrame | None
    multiplier: float
    still: bool
    edits: Edits
    limits: TurnLimits = NONE

    def controls(self, start: int, stop: int) -> Controls:
        """Return the controls of the edit for output frames [start, stop), those of a performance with them."""
        curves = curves_at(self.motion.driving, self.motion.driving_frames[start:stop]) if self.rest is None else {}
        return combined(curves, self.edits)


class PreviewEngine:
    """Implements `lp_ray.engine.protocol.Engine` by warping the source along 478 face landmarks."""

    name = "preview"
    needs_crops = False
    source_size = FRAME_SIZE

    def __init__(self) -> None:
        self.model = canonical_mesh()
        self.digest = _digest(self.model)

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return pose, canonical points and openings of n frames from their landmarks (n x 478 x 3).

        `scale` n (px per canonical unit), `rotation` n x 3 x 3, `translation` n x 3 (px, y up), `canonical`
        n x 478 x 3, `eye_ratio` n x 2, `lip_ratio` n x 1. Raises UnsupportedError for other landmarks.
        """
        if points.ndim != 3 or points.shape[1:] != (N_POINTS, 3):
            raise _other_landmarks(points)
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

    def prepare(self, source: SourceCrops) -> list[PreparedSource]:
        """Lay the mesh over each portrait. Raises UnsupportedError unless it has 478 x 3 landmarks."""
        alpha = [None] * len(source.images) if source.alpha is None else source.alpha
        return [
            prepare_source(image, points, self.model, plane)
            for image, points, plane in zip(source.images, source.points, alpha, strict=True)
        ]

    def direct(self, motion: PairMotion, options: PairOptions) -> Direction:
        """Find the frame from which the motion is measured.

        Raises TemplateError for a template without this engine's motion, UnsupportedError for a reference frame that
        the driving does not have.
        """
        driving, edits = motion.driving, edits_of(options)
        if is_performed(driving):
            check_shown([*controls_of(driving), *edits])
            return Direction(motion, None, options.driving_multiplier, len(driving) == 1, edits)
        check_shown(edits)
        _check_arrays(driving)
        at = find_reference(driving, options.driving_reference)
        (frame,) = _smoothed(driving, np.array([at]))
        still = len(driving) == 1
        rest = neutral_of(frame, self.model) if still else frame
        limits = TurnLimits(options.max_pitch, options.max_yaw, options.max_roll)
        return Direction(motion, rest, options.driving_multiplier, still, edits, limits)

    def animate(self, source: list[PreparedSource], direction: Direction, span: Span) -> Iterator[Frames]:
        """Yield the frames of each chunk of `span`. Their facts are what the driving adds (`FrameMotion`).

        Raises EngineOutputError for motion that is not finite.
        """
        transfers = self._transfers(source, direction)
        for start, stop in span.chunks():
            rows = [0 if len(source) == 1 else i - span.start for i in range(start, stop)]
            shown, controls = [source[row] for row in rows], direction.controls(start, stop)
            if transfers is None:
                edits = _edits(shown, controls, direction.multiplier)
                motions = [of_edit(one, edit) for one, edit in zip(shown, edits, strict=True)]
            else:
                frames = _smoothed(direction.motion.driving, direction.motion.driving_frames[start:stop])
                take = Transfer.pose if direction.still else Transfer.motion
                on_top = _edits(shown, controls, direction.multiplier) if controls else [None] * len(rows)
                motions = [take(transfers[row], one, edit) for row, one, edit in zip(rows, frames, on_top, strict=True)]
            images, alpha = _draw(shown, motions, exact=transfers is None and direction.still)
            yield Frames(images, {**_facts(motions), **asked(controls, stop - start)}, alpha)

    def _transfers(self, source: list[PreparedSource], direction: Direction) -> list[Transfer] | None:
        """Return what carries a driving's motion to each picture of the source; None for a performance."""
        if direction.rest is None:
            return None
        how = self.model, direction.multiplier, direction.limits
        return [Transfer(prepared, direction.rest, *how) for prepared in source]


def _edits(sources: Sequence[PreparedSource], controls: Controls, multiplier: float) -> list[Added]:
    """Return what the edit of each frame adds to its source, a picture or the frame of a video."""
    curves = {name: np.broadcast_to(curve, len(sources)).tolist() for name, curve in controls.items()}
    each = [{name: curve[i] for name, curve in curves.items()} for i in range(len(sources))]
    return [added(one, source.canonical).times(multiplier) for source, one in zip(sources, each, strict=True)]


def _facts(motions: Sequence[FrameMotion]) -> dict[str, NDArray[np.float32]]:
    """Return what the driving adds to the source: size factor n, rotation n x 3 x 3, shift n x 3 (px of the crop, y
    up)."""
    return {
        "scale": np.array([motion.scale for motion in motions], np.float32),
        "rotation": np.stack([motion.rotation for motion in motions]).astype(np.float32),
        "shift": np.stack([motion.shift for motion in motions]).astype(np.float32),
    }


def _draw(
    sources: Sequence[PreparedSource], motions: Sequence[FrameMotion], exact: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return frame i of source i under motion i, n x 512 x 512 x 3, and how opaque it is, n x 512 x 512, if that
    matters. Each is drawn in place, none is held twice.

    If `exact`, what does not move is the source to the bit, not drawn again.
    """
    frames = empty_pages(len(motions), FRAME_SIZE, FRAME_SIZE, 3)
    alpha = None if sources[0].alpha is None else empty_pages(len(motions), FRAME_SIZE, FRAME_SIZE)
    for i, (source, motion) in enumerate(zip(sources, motions, strict=True)):
        still = exact and not motion.moves
        frames[i], opacity = (source.image, source.alpha) if still else render_alpha(source, motion)
        if alpha is not None and opacity is not None:
            alpha[i] = opacity
    return frames, alpha


def _other_landmarks(points: NDArray[np.float64]) -> UnsupportedError:
    return UnsupportedError(
        f"the preview engine needs n x {N_POINTS} x 3 landmarks and got {points.shape}: choose the mediapipe landmarker"
    )


def _check_arrays(template: TemplateReader) -> None:
    found = template.read(0, 1, MOTION_SHAPES)
    for name, shape in MOTION_SHAPES.items():
        if found[name].shape[1:] != shape:
            raise TemplateError(
                f"template array {name} has rows of {found[name].shape[1:]} where the preview engine stores "
                f"{shape}: make the template again with this engine"
            )


def _digest(model: CanonicalMesh) -> str:
    state = hashlib.sha256(f"preview {OUTPUT_VERSION}".encode())
    for array in (model.vertices, model.triangles, model.rigid_indices, model.rigid_weights):
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def _smoothed(template: TemplateReader, indices: Indices) -> list[DriverFrame]:
    """Return the driving frames of `indices` after temporal smoothing. The clip's end frames extend it at its ends.

    Each frame is computed from the same neighbours in the same order for any range, so a clip may be cut anywhere.
    """
    first = max(int(indices.min()) - SMOOTHING_REACH, 0)
    raw = template.read(first, int(indices.max()) + 1 + SMOOTHING_REACH, MOTION_SHAPES)
    taps = np.arange(-SMOOTHING_REACH, SMOOTHING_REACH + 1)
    weights = np.exp(-(taps**2) / (2 * SMOOTHING_SIGMA**2))
    weights /= weights.sum()
    made: dict[int, DriverFrame] = {}
    for index in np.unique(indices).tolist():
        rows = np.clip(index + taps, 0, len(template) - 1) - first
        mean = {
            name: sum(weight * array[row].astype(np.float64) for weight, row in zip(weights, rows, strict=True))
            for name, array in raw.items()
        }
        made[index] = _driver_frame(mean)
    return [made[index] for index in indices.tolist()]


def _driver_frame(motion: dict[str, NDArray[np.float64]]) -> DriverFrame:
    if not all(np.isfinite(array).all() for array in motion.values()) or motion["scale"] <= 0:
        raise EngineOutputError("the motion template holds values that are not finite: make it again")
    return DriverFrame(
        float(motion["scale"]),
        nearest_rotation(motion["rotation"]),
        motion["translation"],
        motion["canonical"],
    )
