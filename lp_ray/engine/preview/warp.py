"""Draw the picture of one frame: its mesh carries the source crop to new vertex positions.

Triangles are drawn from back to front into a map of triangle numbers. Every triangle gives the affine map from the
target back to the source, and the whole frame is sampled with one remap.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Plane
from lp_ray.base.errors import EngineOutputError
from lp_ray.engine.preview.lips import measure_opening
from lp_ray.engine.preview.mouth import paint_mouth
from lp_ray.engine.preview.source import PreparedSource, WarpMesh
from lp_ray.engine.preview.topology import EYES, LID_RIMS, N_FACE, N_POINTS, N_VERTICES, OVAL
from lp_ray.engine.preview.transfer import FrameMotion
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.pose import Array, project

SUBPIXEL_BITS = 4
"""Fraction bits of polygon corners when rasterising."""
MIN_AREA = 0.05
"""Triangles of less than this many square pixels (twice the area) are not drawn."""
EDGE = 3
"""Width in pixels of the crop's border that no vertex may enter."""
FOLD = 4.0
"""If the source positions of neighbouring pixels are farther apart than this (px), their surfaces differ."""

_ROWS, _COLUMNS = np.mgrid[0:FRAME_SIZE, 0:FRAME_SIZE].astype(np.float32)


def render(source: PreparedSource, motion: FrameMotion) -> Image:
    """Return one frame, FRAME_SIZE x FRAME_SIZE x 3 RGB.

    Raises EngineOutputError if the motion gives vertices that are not finite.
    """
    return render_alpha(source, motion)[0]


def render_alpha(source: PreparedSource, motion: FrameMotion) -> tuple[Image, Plane | None]:
    """Return one frame as `render` does, and how opaque its pixels are, FRAME_SIZE x FRAME_SIZE, if the source says so.

    What is opaque moves as the pixels do; what is painted into an opening mouth is opaque.
    """
    positions, depth = move_vertices(source, motion)
    ids = _rasterise(source, positions, depth)
    to_source = _source_maps(positions[source.mesh.triangles], source.mesh.rest[source.mesh.triangles])
    a, b, c, d, e, f = (column.take(ids) for column in to_source)
    x = a * _COLUMNS + b * _ROWS + c
    y = d * _COLUMNS + e * _ROWS + f
    frame = _sampled(source.image, x, y)
    alpha = None if source.alpha is None else _sampled(source.alpha, x, y)
    opening = measure_opening(source.canonical, motion.expression, motion.scale)
    paint_mouth(frame, source.image, source.mouth, positions, opening, alpha)
    return frame, alpha


def _sampled(image: Image | Plane, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture or a plane, each pixel taken from its place (x, y) in the source."""
    sampled = cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    frame = np.asarray(sampled, np.uint8)
    _soften_folds(frame, x, y)
    return frame


def move_vertices(source: PreparedSource, motion: FrameMotion) -> tuple[Array, Array]:
    """Target positions (V x 2, px) of all vertices, and depth (N_FACE, larger is further) of the face's.

    No vertex leaves the crop, so that no motion, however wild, tears its border.
    """
    mesh = source.mesh
    moved = project(
        mesh.anchor + _spread(mesh, motion.expression),
        source.scale * motion.scale,
        motion.rotation @ source.rotation,
        source.translation + motion.shift,
    )
    positions = mesh.rest.copy()
    positions[: len(moved)] += mesh.follow[:, None] * (moved[:, :2] - mesh.projected)
    if not (np.isfinite(positions).all() and motion.expression.shape == (N_POINTS, 3)):
        raise EngineOutputError("the motion moves the face to no finite place: make the template again")
    depth = moved[:N_FACE, 2].copy()
    depth[N_VERTICES : N_VERTICES + len(EYES)] = [moved[list(eye.loop), 2].mean() for eye in EYES]
    inside = np.clip(positions, np.minimum(mesh.rest, EDGE), np.maximum(mesh.rest, FRAME_SIZE - 1 - EDGE))
    return inside, depth


def _spread(mesh: WarpMesh, expression: Array) -> Array:
    """Return the expression of every moving vertex (M x 3) from that of the canonical points (478 x 3).

    A closing lid moves its lashes along unstretched; an opening one folds its skin evenly.
    """
    vertices = expression[:N_VERTICES]
    rims, between = vertices[list(LID_RIMS)], mesh.margins @ vertices
    margins = np.where(rims[:, 1:2] < between[:, 1:2], rims, between)
    around = vertices[list(OVAL)]
    rings = [around * share for share in mesh.ring_expression]
    return np.vstack([vertices, expression[[eye.iris for eye in EYES]], margins, *rings])


def _twice_area(corners: Array) -> Array:
    """Signed, T, for T x 3 x 2 corners."""
    p, q = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]


def _rasterise(source: PreparedSource, positions: Array, depth: Array) -> NDArray[np.int32]:
    """Map of triangle number + 1 by pixel (0: none), painted back to front: background, then face by depth.

    Face triangles that are turned away in this frame are left out.
    """
    mesh = source.mesh
    n = mesh.n_background
    corners = positions[mesh.triangles]
    area = _twice_area(corners)
    front = np.sign(np.median(_twice_area(mesh.rest[mesh.triangles[n:]])))
    visible = np.abs(area) > MIN_AREA
    visible[n:] &= area[n:] * front > 0
    order = np.concatenate([np.arange(n), n + np.argsort(-depth[mesh.triangles[n:]].mean(1), kind="stable")])
    outlines = np.rint(corners * (1 << SUBPIXEL_BITS)).astype(np.int32)
    ids = np.zeros((FRAME_SIZE, FRAME_SIZE), np.int32)
    for index in order[visible[order]].tolist():
        cv2.fillConvexPoly(ids, outlines[index], index + 1, cv2.LINE_8, SUBPIXEL_BITS)
    return ids


def _source_maps(target: Array, rest: Array) -> NDArray[np.float32]:
    """Coefficients (6 x (T + 1)) of source x = aX + bY + c, y = dX + eY + f; the first is the identity."""
    edge = target[:, 1:] - target[:, :1]
    area = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    area = np.where(np.abs(area) < MIN_AREA, MIN_AREA, area)
    inverse = np.stack([edge[:, 1, 1], -edge[:, 0, 1], -edge[:, 1, 0], edge[:, 0, 0]], 1) / area[:, None]
    from_edge = rest[:, 1:] - rest[:, :1]
    maps = np.zeros((6, len(target) + 1), np.float64)
    maps[:, 0] = (1, 0, 0, 0, 1, 0)
    for axis in range(2):
        along_x = from_edge[:, 0, axis] * inverse[:, 0] + from_edge[:, 1, axis] * inverse[:, 1]
        along_y = from_edge[:, 0, axis] * inverse[:, 2] + from_edge[:, 1, axis] * inverse[:, 3]
        origin = rest[:, 0, axis] - along_x * target[:, 0, 0] - along_y * target[:, 0, 1]
        maps[3 * axis : 3 * axis + 3, 1:] = along_x, along_y, origin
    return maps.astype(np.float32)


def _soften_folds(frame: Image | Plane, x: NDArray[np.float32], y: NDArray[np.float32]) -> None:
    """Smooth the one-pixel staircase where one surface occludes another, in place."""
    fold = np.zeros(frame.shape[:2], bool)
    for plane in (x, y):
        fold[:, 1:] |= np.abs(plane[:, 1:] - plane[:, :-1]) > FOLD
        fold[1:] |= np.abs(plane[1:] - plane[:-1]) > FOLD
    if fold.any():
        wide = cv2.dilate(fold.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        frame[wide] = cv2.GaussianBlur(frame, (3, 3), 0.9)[wide]
