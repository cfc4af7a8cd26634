"""Prepare a portrait for the warp: its head pose, and the mesh that carries its picture.

The mesh consists of the face (468 vertices and two irises), rings around it that carry hair, ears and neck, and a fixed
frame along the border of the crop, so that the picture's edge never moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Plane, Points
from lp_ray.base.errors import UnsupportedError
from lp_ray.engine.preview.mouth import MouthLook, look_at_mouth
from lp_ray.engine.preview.topology import (
    CHIN,
    EYES,
    FOREHEAD,
    N_FACE,
    N_POINTS,
    N_VERTICES,
    NOSE_TIP,
    OVAL,
    Triangles,
    face_triangles,
    lid_margins,
    neighbours,
    strip_triangles,
)
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.mediapipe.mesh import CanonicalMesh
from lp_ray.face.pose import Array, fit_poses, project, to_canonical

N_OVAL = len(OVAL)

RING_REACH = np.array([1.10, 1.24, 1.40, 1.56, 1.73, 1.90])
"""Radius of each ring over that of the oval, seen from the middle of the face."""
RING_SHARE = np.array([0.14, 0.28, 0.44, 0.60, 0.76, 0.90])
"""The most of the way from the oval to the border that each ring may take."""
RING_DEPTH = np.array([0.35, 0.65, 0.85, 1.0, 1.0, 1.0])
"""How far each ring recedes from the oval's depth to that of the head's middle."""
HEAD_DEPTH = -4.0
"""Canonical z of the middle of the head: hair there turns in place while the face travels."""
RING_FOLLOWS_TOP = np.array([1.0, 1.0, 0.98, 0.86, 0.48, 0.0])
RING_FOLLOWS_SIDE = np.array([1.0, 0.96, 0.78, 0.45, 0.14, 0.0])
RING_FOLLOWS_NECK = np.array([0.88, 0.62, 0.34, 0.14, 0.04, 0.0])
"""How much of the rigid motion each ring takes: above the forehead (hair), beside the face, and under the chin
(shoulders stay). Nothing moves beyond the last ring: the background does not swim with the head."""
RING_EXPRESSION = np.array([0.65, 0.30, 0.10, 0.03, 0.0, 0.0])
"""How much of the oval's expression each ring takes."""
GRAZING = 0.10
"""A triangle has no usable texture if the cosine between its normal and the line of sight is smaller than this."""


@dataclass(frozen=True)
class WarpMesh:
    """The mesh over the source crop.

    `rest` is V x 2, where each vertex lies in the source crop; the first `len(anchor)` vertices move and the
    others (border, corners) are fixed. `anchor` is M x 3, the moving vertices in canonical space; `projected`
    M x 2, the crop position that `anchor` has in the source's pose (other than `rest` where a part of the
    face is hidden); `follow` M, the share of the motion taken; `triangles` T x 3, background first,
    `n_background` of them; `ring_expression` R, the share of the oval's expression by ring; `margins`
    14 x 468, where the edge of the upper lids' skin lies between vertices.
    """

    rest: Array
    anchor: Array
    projected: Array
    follow: Array
    triangles: Triangles
    n_background: int
    ring_expression: Array
    margins: Array


@dataclass(frozen=True)
class PreparedSource:
    """A portrait ready to be warped: its crop, pose (scale, rotation 3 x 3, translation 3), canonical points
    (478 x 3), mesh, the look of its mouth, and how opaque its pixels are (512 x 512), if that matters."""

    image: Image
    scale: float
    rotation: Array
    translation: Array
    canonical: Array
    mesh: WarpMesh
    mouth: MouthLook
    alpha: Plane | None = None


def prepare_source(image: Image, points: Points, model: CanonicalMesh, alpha: Plane | None = None) -> PreparedSource:
    """Fit the head pose and place the mesh over a 512 x 512 crop and its landmarks.

    Raises UnsupportedError for landmarks of another type.
    """
    if points.shape != (N_POINTS, 3):
        raise UnsupportedError(
            f"the preview engine needs {N_POINTS} x 3 landmarks and got {points.shape}: a face that the mediapipe "
            "landmarker finds"
        )
    points = np.asarray(points, np.float64)
    poses = fit_poses(points[None, model.rigid_indices], model.vertices[model.rigid_indices], model.rigid_weights)
    scale, rotation, translation = float(poses.scale[0]), poses.rotation[0], poses.translation[0]
    if not np.isfinite(scale) or scale <= 0:
        raise UnsupportedError("the source's landmarks do not form a face: choose another picture")
    canonical = to_canonical(points[None], poses)[0]
    mesh = _lay_mesh(canonical, scale, rotation, translation, model)
    return PreparedSource(
        np.ascontiguousarray(image),
        scale,
        rotation,
        translation,
        canonical,
        mesh,
        look_at_mouth(image, mesh.rest[:N_VERTICES], points),
        alpha if alpha is None else np.ascontiguousarray(alpha),
    )


def _lay_mesh(canonical: Array, scale: float, rotation: Array, translation: Array, model: CanonicalMesh) -> WarpMesh:
    margins = lid_margins(model.triangles)
    vertices, irises = canonical[:N_VERTICES], canonical[[eye.iris for eye in EYES]]
    face = np.vstack([vertices, irises, margins @ vertices])
    front = face_triangles(model.triangles)
    flat = _unfold(project(vertices, scale, rotation, translation), model.triangles)
    rest = np.vstack([flat, project(irises, scale, rotation, translation)[:, :2], margins @ flat])
    rings, border = _rings(rest[list(OVAL)])
    anchor = [face]
    for k, ring in enumerate(rings):
        depth = canonical[list(OVAL), 2] * (1 - RING_DEPTH[k]) + HEAD_DEPTH * RING_DEPTH[k]
        anchor.append(_lift(ring, depth, scale, rotation, translation))
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (FRAME_SIZE - 1.0)
    background = _background_triangles(border, corners)
    anchors = np.vstack(anchor)
    return WarpMesh(
        rest=np.vstack([rest, *rings, border, corners]),
        anchor=anchors,
        projected=project(anchors, scale, rotation, translation)[:, :2],
        follow=np.concatenate([np.ones(N_FACE), _follow(canonical, rest, rings, border).ravel()]),
        triangles=np.array(background + front.tolist(), np.int64),
        n_background=len(background),
        ring_expression=RING_EXPRESSION,
        margins=margins,
    )


def _unfold(projected: Array, triangles: Triangles) -> Array:
    """Return 468 x 2 texture positions in which the part of the face that is turned away lies unfolded.

    On a head in three-quarter view the hidden cheek folds behind the visible one. Its outline is laid on the
    silhouette and the vertices between relax to the mean of their neighbours, so that the cheek, when it
    turns into view, shows skin from along the silhouette instead of a tear.
    """
    flat = projected[:, :2].copy()
    hidden = _hidden_vertices(projected, triangles)
    if not hidden.any():
        return flat
    oval = np.array(OVAL)
    lost = oval[hidden[oval]]
    centre = flat[oval].mean(0)
    flat[lost] = _on_silhouette(flat, triangles, centre, lost)
    inside = np.flatnonzero(hidden & ~np.isin(np.arange(len(flat)), oval))
    if len(inside):
        edges = neighbours(triangles).astype(np.float64)
        share = edges[inside] / edges[inside].sum(1, keepdims=True)
        fixed = np.setdiff1d(np.arange(len(flat)), inside)
        flat[inside] = np.linalg.solve(np.eye(len(inside)) - share[:, inside], share[:, fixed] @ flat[fixed])
    return flat


def _hidden_vertices(projected: Array, triangles: Triangles) -> NDArray[np.bool_]:
    """Vertices (468) of grazing or averted triangles that are joined to the outline through such vertices."""
    corner = projected[triangles] * np.array([1.0, -1.0, -1.0])
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    facing = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    bad = np.zeros(len(projected), bool)
    bad[triangles[facing < GRAZING]] = True
    edges = neighbours(triangles)
    hidden = np.zeros(len(projected), bool)
    hidden[list(OVAL)] = bad[list(OVAL)]
    while True:
        grown = hidden | (bad & edges[hidden].any(0))
        if (grown == hidden).all():
            return hidden
        hidden = grown


def _on_silhouette(flat: Array, triangles: Triangles, centre: Array, which: NDArray[np.int64]) -> Array:
    """Move vertices outwards, along the ray from `centre`, to the edge of the face's shadow."""
    margin = FRAME_SIZE
    shadow = np.zeros((3 * FRAME_SIZE, 3 * FRAME_SIZE), np.uint8)
    corners = np.clip(np.rint(flat[triangles] + margin), 0, 3 * FRAME_SIZE - 1).astype(np.int32)
    for corner in corners:
        cv2.fillConvexPoly(shadow, corner, 1)
    ray = flat[which] - centre
    reach = np.linalg.norm(ray, axis=1)
    steps = np.arange(2.0 * FRAME_SIZE)
    along = centre + margin + steps[:, None, None] * (ray / reach[:, None])
    x, y = np.clip(np.rint(along), 0, 3 * FRAME_SIZE - 1).astype(np.int64).transpose(2, 0, 1)
    edge = (shadow[y, x].astype(bool) * steps[:, None]).max(0) - 1.0
    outermost: Array = centre + ray * (np.maximum(edge, reach) / reach)[:, None]
    return outermost


def _rings(outline: Array) -> tuple[Array, Array]:
    """Rings (R x 36 x 2) around the outline (36 x 2), and where their rays meet the border (36 x 2)."""
    centre = np.clip(outline.mean(0), 2, FRAME_SIZE - 3)
    ray = outline - centre
    reach = np.maximum(np.linalg.norm(ray, axis=1, keepdims=True), 1e-6)
    heading = ray / reach
    far = np.where(heading > 0, FRAME_SIZE - 1 - centre, -centre)
    along = np.abs(heading) < 1e-9  # a ray along an edge never meets it
    limit = np.where(along, np.inf, far / np.where(along, 1.0, heading)).min(axis=1, keepdims=True)
    reach = np.minimum(reach, limit - 1)
    radius = np.minimum(RING_REACH[:, None, None] * reach, reach + (limit - reach) * RING_SHARE[:, None, None])
    return centre + radius * heading, centre + limit * heading


def _lift(flat: Array, depth: Array, scale: float, rotation: Array, translation: Array) -> Array:
    """Canonical points (k x 3) that project to `flat` (k x 2) in the given pose and have z = `depth` (k)."""
    plane = (flat * np.array([1.0, -1.0]) - translation[:2]) / scale - depth[:, None] * rotation[:2, 2]
    across = np.linalg.solve(rotation[:2, :2], plane.T).T
    return np.column_stack([across, depth])


def _follow(canonical: Array, rest: Array, rings: Array, border: Array) -> Array:
    """Share of the motion that each ring vertex takes, R x 36: fades outwards, sooner at the sides and to the neck."""
    oval = list(OVAL)
    above_nose = (canonical[oval, 1] - canonical[NOSE_TIP, 1]) / (canonical[FOREHEAD, 1] - canonical[NOSE_TIP, 1])
    top = _smoothstep((above_nose - 0.35) / 0.5)
    below_nose = canonical[NOSE_TIP, 1] - canonical[oval, 1]
    to_chin = canonical[NOSE_TIP, 1] - canonical[CHIN, 1]
    neck = _smoothstep((below_nose / to_chin - 0.33) / 0.67)
    head = RING_FOLLOWS_SIDE[:, None] * (1 - top) + RING_FOLLOWS_TOP[:, None] * top
    follow = head * (1 - neck) + RING_FOLLOWS_NECK[:, None] * neck
    space = np.linalg.norm(border - rest[oval], axis=1)
    left = np.linalg.norm(border - rings, axis=2) / np.maximum(space, 1e-6)
    faded: Array = follow * _smoothstep(left / 0.5)
    return faded


def _smoothstep(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _background_triangles(border: Array, corners: Array) -> list[tuple[int, int, int]]:
    """Triangles from the border inwards to the oval, the outermost first."""
    loops = [list(OVAL)]
    loops += [list(range(N_FACE + k * N_OVAL, N_FACE + (k + 1) * N_OVAL)) for k in range(len(RING_REACH) + 1)]
    outer, first_corner = loops[-1], loops[-1][-1] + 1
    triangles = []
    for i, start in enumerate(border):
        end = border[(i + 1) % N_OVAL]
        if np.abs(start - end).min() > 1e-3:
            corner = int(np.linalg.norm(corners - (start + end) / 2, axis=1).argmin())
            triangles.append((outer[i], first_corner + corner, outer[(i + 1) % N_OVAL]))
    for inner, around in reversed(list(pairwise(loops))):
        triangles += strip_triangles(inner, around)
    return triangles
