"""Face detection and landmarks by MediaPipe's face landmarker: the embedded default."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cv2
import numpy as np

from lp_ray.face.mediapipe.bundle import BUNDLE_SHA256
from lp_ray.face.mediapipe.networks import N_POINTS, Boxes, FaceDetector, LandmarkNetwork
from lp_ray.face.mediapipe.region import Region
from lp_ray.face.protocol import Face, Image

CODE_VERSION = 1
"""Raise it with every change that moves a point."""

DETECTION_THRESHOLD = 0.4
"""Score of a box worth looking at. Many are false: `PRESENCE_THRESHOLD` decides."""

PRESENCE_THRESHOLD = 0.5
"""Presence from which a region holds a face."""

SETTLED = 0.03
"""Mean move of the points from one pass to the next, over the face's longer side, under which they agree.

Faces move by less than 0.017, hands and other things with a presence over the threshold by 0.05 and more.
"""

MAX_PASSES = 4
"""Looks at one candidate before it is given up as no face."""

MAX_CANDIDATES = 64
"""Boxes looked at in one picture, best first: what a picture of a crowd may cost (about 2 s)."""

_TILE_GRIDS = (2, 3)
_TILE_OVERLAP = 0.35


class MediaPipeLandmarker:
    """478 points (468 of the canonical mesh, 10 of the irises); implements `Landmarker`.

    One thread at a time: the networks hold their inputs. Deterministic on one machine and OpenCV version.
    """

    name = "mediapipe"
    n_points = N_POINTS
    digest = hashlib.sha256(f"{BUNDLE_SHA256}:{CODE_VERSION}".encode()).hexdigest()[:16]

    def __init__(self) -> None:
        """Raises WeightsError when the carried model file is missing or altered."""
        self._detect = FaceDetector()
        self._landmarks = LandmarkNetwork()

    def detect(self, image: Image) -> list[Face]:
        """Return every face with its landmarks, in no particular order; empty when there is none.

        The whole picture finds large faces, overlapping tiles of a half and a third find small ones.
        """
        faces: list[Face] = []
        boxes = self._boxes(image)
        for corners, angle in zip(boxes.corners, boxes.angles, strict=True):
            box = (float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3]))
            if any(_same_face(box, known.box) for known in faces):
                continue
            face = self._settle(image, Region.of_box(box, float(angle)))
            if face is not None and not any(_same_face(face.box, known.box) for known in faces):
                faces.append(face)
        return faces

    def detect_in_box(self, image: Image, box: tuple[float, float, float, float]) -> Face | None:
        """Return the landmarks of the face that fills `box` (x0, y0, x1, y1), or None.

        The face is taken to stand upright, within some 45 degrees. The caller vouches for it: presence alone
        decides, so that what only resembles a human face (an animal's) can be used too.
        """
        first = self._look(image, Region.of_box(box, 0.0))
        return first and self._look(image, Region.of_points(first.points))

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face of the last frame in this one, or None when it is lost: detect again then."""
        return self._look(image, Region.of_points(previous.points))

    def _settle(self, image: Image, region: Region) -> Face | None:
        """Look again where the points of the last look are, until two looks agree on a face.

        A box places the region roughly, points place it well: two looks do for a face, and on a thing that
        merely resembles one they wander.
        """
        face = self._look(image, region)
        for _ in range(MAX_PASSES - 1):
            if face is None:
                return None
            before, face = face, self._look(image, Region.of_points(face.points))
            if face is not None and _move(before, face) < SETTLED:
                return face
        return None

    def _look(self, image: Image, region: Region) -> Face | None:
        if region.side < 1:
            return None
        points, presence = self._landmarks(image, region)
        return Face(points, presence) if presence >= PRESENCE_THRESHOLD else None

    def _boxes(self, image: Image) -> Boxes:
        """Return candidates from the picture and its tiles, best first, without overlapping lesser ones."""
        found = []
        for x, y, tile in _tiles(image):
            boxes = self._detect(tile, DETECTION_THRESHOLD)
            found.append(Boxes(boxes.corners + np.array([x, y, x, y]), boxes.angles, boxes.scores))
        corners = np.concatenate([boxes.corners for boxes in found])
        angles = np.concatenate([boxes.angles for boxes in found])
        scores = np.concatenate([boxes.scores for boxes in found])
        rectangles = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
        kept = cv2.dnn.NMSBoxes(rectangles.tolist(), scores.tolist(), DETECTION_THRESHOLD, 0.3)
        best = np.asarray(kept, np.intp).ravel()[:MAX_CANDIDATES]
        return Boxes(corners[best], angles[best], scores[best])


def _move(before: Face, after: Face) -> float:
    """Return the mean distance between two sets of points of one face, over its longer side."""
    distance = np.linalg.norm((after.points - before.points)[:, :2], axis=1).mean()
    return float(distance / max(np.ptp(after.points[:, :2], axis=0).max(), 1e-6))


def _tiles(image: Image) -> Iterator[tuple[int, int, Image]]:
    """Yield (x, y, part): the whole picture, then overlapping squares of it.

    No tile is smaller than an eighth of the longer side, so that their number stays bounded.
    """
    yield 0, 0, image
    height, width = image.shape[:2]
    longer, shorter = max(height, width), min(height, width)
    for grid in _TILE_GRIDS:
        side = max(min(round(longer / grid * (1 + _TILE_OVERLAP)), shorter), longer // 8, 1)
        for y in _starts(height, side):
            for x in _starts(width, side):
                yield x, y, image[y : y + side, x : x + side]


def _starts(length: int, side: int) -> list[int]:
    """Return where tiles of `side` begin so that they cover `length` and overlap by a third at least."""
    room = max(length - side, 0)
    steps = int(np.ceil(room / (side * (1 - _TILE_OVERLAP))))
    return [round(room * i / steps) for i in range(steps + 1)] if steps else [0]


def _same_face(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """Whether two boxes are one face: they overlap by 30 % of both, or by 70 % of the smaller."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared > 0.3 * (sum(areas) - shared) or shared > 0.7 * min(areas)
