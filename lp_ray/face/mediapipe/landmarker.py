"""Face detection and landmarks with MediaPipe's face landmarker, the built-in default."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import cv2
import numpy as np

from lp_ray.base.arrays import Box, Image
from lp_ray.face.mediapipe.bundle import BUNDLE_SHA256
from lp_ray.face.mediapipe.networks import N_POINTS, Detection, FaceDetector, LandmarkNetwork
from lp_ray.face.mediapipe.region import Region
from lp_ray.face.protocol import Face

CODE_VERSION = 2
"""Raise this with every change that moves a point."""

DETECTION_THRESHOLD = 0.4
"""Minimum score of a box to look at. Many such boxes are no faces; `PRESENCE_THRESHOLD` decides."""

NMS_OVERLAP = 0.3
"""If two boxes have at least this intersection over union, the one of lower score is dropped (BlazeFace's value)."""

PRESENCE_THRESHOLD = 0.5
"""Minimum presence for a region to count as a face."""

SETTLED = 0.03
"""If the points move less than this from one pass to the next, on average and in sides of the face, the passes agree.

Faces move by less than 0.017; hands and other things with a presence above the threshold move by 0.05 and more.
"""

STEADY = 0.02
"""If the points move less than this since the last frame (same measure), a single pass is trusted."""

MAX_PASSES = 4
"""After so many passes over one candidate, it counts as no face."""

MAX_CANDIDATES = 64
"""How many boxes are processed in one picture, best first; limits the cost of a picture of a crowd (about 2 s)."""

_TILE_GRIDS = (2, 3)
_TILE_OVERLAP = 0.35


class MediaPipeLandmarker:
    """478 points (468 of the canonical mesh, 10 of the irises). Implements `Landmarker`.

    One thread at a time, because the networks hold their inputs. Deterministic on one machine and OpenCV version.
    """

    name = "mediapipe"
    n_points = N_POINTS
    digest = hashlib.sha256(f"{BUNDLE_SHA256}:{CODE_VERSION}".encode()).hexdigest()[:16]

    def __init__(self) -> None:
        """Raises WeightsError if the model file in the package is missing or altered."""
        self._detect = FaceDetector()
        self._landmarks = LandmarkNetwork()

    def detect(self, image: Image) -> list[Face]:
        """Return every face with its landmarks, in no particular order; an empty list if there is none.

        Large faces are found in the whole picture, small ones in overlapping tiles of a half and a third of it.
        """
        faces: list[Face] = []
        for candidate in self._candidates(image):
            if any(_same_face(candidate.box, known.box) for known in faces):
                continue
            face = self._settle(image, Region.of_box(candidate.box, candidate.angle))
            if face is not None and not any(_same_face(face.box, known.box) for known in faces):
                faces.append(face)
        return faces

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        """Return the landmarks of the face that fills `box` (x0, y0, x1, y1), or None.

        The caller guarantees that it is a face. Only the presence decides, so that something similar to a human face
        (an animal's) can be used too. If the detector does not see the head, it counts as upright.
        """
        first = self._look(image, self._region_in_box(image, box), 0.0)
        return first and self._look(image, Region.of_points(first.points))

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face of the previous frame in this one, or None if it is lost; then call `detect` again.

        If the face has hardly moved, one pass is enough. Otherwise it is detected again, near the place that this pass
        found, because passes from the last points may agree on half a face if something covers the rest.
        """
        first = self._look(image, Region.of_points(previous.points), 0.0)
        if first is None or (first.score >= PRESENCE_THRESHOLD and first.move_from(previous) < STEADY):
            return first
        return self._settle(image, self._region_in_box(image, first.box)) or self._agree(image, first)

    def _settle(self, image: Image, region: Region) -> Face | None:
        """Look at a region whose place is only roughly known, then where the points are. The first pass may miss."""
        first = self._look(image, region, 0.0)
        return first and self._agree(image, first)

    def _agree(self, image: Image, before: Face) -> Face | None:
        """Repeat the pass where the last points are, until two passes agree on a face.

        Points place a region well. For most faces two passes are enough; on something that only resembles a face, the
        points wander.
        """
        for _ in range(MAX_PASSES - 1):
            face = self._look(image, Region.of_points(before.points))
            if face is None:
                return None
            if before.score >= PRESENCE_THRESHOLD and face.move_from(before) < SETTLED:
                return face
            before = face
        return None

    def _look(self, image: Image, region: Region, threshold: float = PRESENCE_THRESHOLD) -> Face | None:
        if region.side < 1:
            return None
        points, presence = self._landmarks(image, region)
        return Face(points, presence) if presence >= threshold else None

    def _region_in_box(self, image: Image, box: Box) -> Region:
        """Return the region of the best detection that is the face in `box`; without one, the region of the upright
        box."""
        reach = max(box[2] - box[0], box[3] - box[1]) / 2
        height, width = image.shape[:2]
        x0, x1 = (int(np.clip(x, 0, width)) for x in (box[0] - reach, box[2] + reach))
        y0, y1 = (int(np.clip(y, 0, height)) for y in (box[1] - reach, box[3] + reach))
        if x0 < x1 and y0 < y1:
            for found in _suppressed(self._detect(image[y0:y1, x0:x1], DETECTION_THRESHOLD, x0, y0)):
                if _same_face(found.box, box):
                    return Region.of_box(found.box, found.angle)
        return Region.of_box(box, 0.0)

    def _candidates(self, image: Image) -> list[Detection]:
        """Return possible faces in the picture and its tiles, best first."""
        found: list[Detection] = []
        for x, y, tile in _tiles(image):
            found += self._detect(tile, DETECTION_THRESHOLD, x, y)
        return _suppressed(found)[:MAX_CANDIDATES]


def _suppressed(found: list[Detection]) -> list[Detection]:
    """Return the detections, best first, without those that overlap a better one."""
    rectangles = [(d.box[0], d.box[1], d.box[2] - d.box[0], d.box[3] - d.box[1]) for d in found]
    scores = [d.score for d in found]
    return [found[i] for i in cv2.dnn.NMSBoxes(rectangles, scores, DETECTION_THRESHOLD, NMS_OVERLAP)]


def _tiles(image: Image) -> Iterator[tuple[int, int, Image]]:
    """Yield (x, y, part): the whole picture, then overlapping squares of it.

    No tile is smaller than an eighth of the longer side, so that the number of tiles is limited.
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
    """Return where tiles of `side` begin so that they cover `length` and overlap by at least a third."""
    room = max(length - side, 0)
    steps = int(np.ceil(room / (side * (1 - _TILE_OVERLAP))))
    return [round(room * i / steps) for i in range(steps + 1)] if steps else [0]


def _same_face(a: Box, b: Box) -> bool:
    """Return whether two boxes are the same face: they overlap by 30 % of both, or by 70 % of the smaller one."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    shared = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared > 0.3 * (sum(areas) - shared) or shared > 0.7 * min(areas)
