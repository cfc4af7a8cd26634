"""The meaning of MediaPipe's 478 points, and the triangles of the face that the preview engine draws.

Index source: the canonical face model of MediaPipe Face Mesh (468 vertices, then two irises of five points). "Left" and
"right" are sides of the picture of a face that looks at the camera.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Triangles = NDArray[np.int64]

N_POINTS = 478
N_VERTICES = 468
"""Vertices of the mesh. The points after them are the irises."""

# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148,
        176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
"""Outline of the face, clockwise in the picture from the top of the forehead."""

INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Rim of the mouth opening, from the left corner over the upper lip."""
UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
"""Rims of the lips from left to right; the n-th of one faces the n-th of the other."""

LOWER_LIP_ROWS = (
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
UPPER_LIP_ROWS = (
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (74, 73, 72, 11, 302, 303, 304),
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
)
"""Rows of a lip from its rim outwards."""

BROWS = ((70, 63, 105, 66, 107), (300, 293, 334, 296, 336))
# fmt: on

MOUTH_CORNERS = (61, 291)
INNER_MOUTH_CORNERS = (78, 308)
NOSE_TIP = 1
NOSE_BRIDGE = (1, 4, 5, 195, 197, 6, 168)
CHIN = 152
FOREHEAD = 10


@dataclass(frozen=True)
class Eye:
    """One eye: `upper` and `lower` lid rims facing each other, `corners` (outer, inner), `iris` centre."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    corners: tuple[int, int]
    iris: int

    @property
    def loop(self) -> tuple[int, ...]:
        """The rim in order: outer corner, upper lid, inner corner, lower lid back."""
        outer, inner = self.corners
        return (outer, *self.upper, inner, *reversed(self.lower))


EYES = (
    Eye((246, 161, 160, 159, 158, 157, 173), (7, 163, 144, 145, 153, 154, 155), (33, 133), 468),
    Eye((466, 388, 387, 386, 385, 384, 398), (249, 390, 373, 374, 380, 381, 382), (263, 362), 473),
)

LID_RIMS = tuple(vertex for eye in EYES for vertex in eye.upper)
LASHES = 0.60
"""Share of the way from the rim of the upper lid to its crease that lashes and lid line take up."""
N_FACE = N_VERTICES + len(EYES) + len(LID_RIMS)
"""Vertices of the face in the warp's mesh: see `face_triangles`."""


def neighbours(triangles: Triangles, n: int = N_VERTICES) -> NDArray[np.bool_]:
    """n x n: which vertices share an edge."""
    edges = np.zeros((n, n), bool)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        edges[triangles[:, a], triangles[:, b]] = True
        edges[triangles[:, b], triangles[:, a]] = True
    return edges


def surrounding(start: Iterable[int], triangles: Triangles, depth: int) -> list[list[int]]:
    """The rings of vertices 1, 2, ... `depth` edges away from `start`."""
    edges = neighbours(triangles)
    seen = np.zeros(len(edges), bool)
    seen[list(start)] = True
    rings = []
    for _ in range(depth):
        ring = edges[seen].any(0) & ~seen
        rings.append(np.flatnonzero(ring).tolist())
        seen |= ring
    return rings


def lid_margins(triangles: Triangles) -> NDArray[np.float64]:
    """Where the skin ends and the lashes begin on the upper lids: 14 x 468 weights on the vertices.

    Rows follow `LID_RIMS`: each point lies LASHES of the way from its rim vertex to the crease above it.
    """
    edges = neighbours(triangles)
    weights = np.zeros((len(LID_RIMS), N_VERTICES))
    for row, rim in enumerate(LID_RIMS):
        loop = next(eye.loop for eye in EYES if rim in eye.upper)
        crease = [vertex for vertex in np.flatnonzero(edges[rim]).tolist() if vertex not in loop]
        weights[row, rim] = 1 - LASHES
        weights[row, crease] = LASHES / len(crease)
    return weights


def face_triangles(triangles: Triangles) -> Triangles:
    """The mesh's triangles, with the flat fill of each eye replaced by a fan around its iris centre and a
    narrow band split off along each upper lid.

    Vertices: 468 of the mesh, then one for each iris centre, then one for each of `LID_RIMS`. Winding is that
    of `triangles`.
    """
    loops = [set(eye.loop) for eye in EYES]
    kept = [t for t in triangles.tolist() if not any(loop.issuperset(t) for loop in loops)]
    edges = {(t[i], t[(i + 1) % 3]) for t in kept for i in range(3)}
    margin = {rim: N_VERTICES + len(EYES) + row for row, rim in enumerate(LID_RIMS)}
    drawn = [[margin.get(vertex, vertex) for vertex in t] for t in kept]
    for number, eye in enumerate(EYES):
        loop = eye.loop
        for a, b in zip(loop, loop[1:] + loop[:1], strict=True):
            new = [(N_VERTICES + number, a, b)]
            if {a, b} & margin.keys():
                above_a, above_b = margin.get(a, a), margin.get(b, b)
                new += [t for t in ((b, a, above_a), (b, above_a, above_b)) if len(set(t)) == 3]
            inside_first = (a, b) in edges
            drawn += [[t[0], t[2], t[1]] if inside_first else list(t) for t in new]
    return np.array(drawn, np.int64)


def strip_triangles(inner: Sequence[int], outer: Sequence[int]) -> list[tuple[int, int, int]]:
    """Triangles of the band between two closed rings of equal length."""
    n = len(inner)
    return [
        triangle
        for i in range(n)
        for triangle in (
            (inner[i], outer[i], outer[(i + 1) % n]),
            (inner[i], outer[(i + 1) % n], inner[(i + 1) % n]),
        )
    ]
