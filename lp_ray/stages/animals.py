"""The faces of animals in source pictures: looked for once, however many pairs, actors and jobs share them.

X-Pose takes seconds and 0.4 TFLOP a picture on a CPU, so what a detector that `remembers` found is kept beside the
motion templates: a rerun, or another actor, reads a few hundred bytes instead.

File format: JSON, a list of {"score": s, "points": [[x, y], ...]}, pixels of the picture in the size its pairs work
on, best face first; an empty list where there is none.
"""

from __future__ import annotations

import json

import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError
from lp_ray.face.factory import create_landmarker, identify_landmarker
from lp_ray.face.framing import SourceFraming
from lp_ray.face.protocol import Face, Landmarker, LandmarkerIdentity
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.keys import faces_key
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SourceRef

MIN_SIDE = 4.0
"""Pixels of the longer side of a face's bounds under which points are no landmarks."""


class AnimalFinder:
    """A job's detector of animals, with a memory. Its network is loaded when the first picture asks for it."""

    def __init__(self, settings: Settings) -> None:
        self._spec = settings.animal_detector
        self._layout = TemplateLayout(settings.templates)
        self._identity: LandmarkerIdentity | None = None
        self._detector: Landmarker | None = None

    def find(self, image: Image, source: SourceRef, framing: SourceFraming) -> list[Face]:
        """Return the faces of a source's picture (already limited by `framing`), best first.

        Raises NoFaceError where there is none, RefusedError as `create_landmarker`.
        """
        self._identity = self._identity or identify_landmarker(self._spec)
        faces = self._remembered(image, source, framing) if self._identity.remembers else self._look(image)
        if not faces:
            reason = f" ({self._identity.not_found})" if self._identity.not_found else ""
            raise NoFaceError(
                f"no animal's face was found in the picture{reason}; give its box [x0, y0, x1, y1] in the manifest"
            )
        return faces

    def _remembered(self, image: Image, source: SourceRef, framing: SourceFraming) -> list[Face]:
        assert self._identity is not None
        place = self._layout.faces(faces_key(source.key, self._identity.digest, framing.max_dim, framing.division))
        if storage.exists(place):
            return _unpack(storage.read_bytes(place))
        faces = self._look(image)
        storage.put_bytes(place, _pack(faces))
        return faces

    def _look(self, image: Image) -> list[Face]:
        if self._detector is None:
            self._detector = create_landmarker(self._spec)
        return [face for face in self._detector.detect(image) if np.ptp(face.points, axis=0).max() >= MIN_SIDE]


def _pack(faces: list[Face]) -> bytes:
    return json.dumps([{"score": face.score, "points": face.points.tolist()} for face in faces]).encode()


def _unpack(data: bytes) -> list[Face]:
    return [Face(np.array(face["points"], np.float64), float(face["score"])) for face in json.loads(data)]
