"""The faces of animals in source pictures: looked for once, however many pairs, actors and jobs share them.

X-Pose takes seconds and 0.4 TFLOP a picture on a CPU, so what it found is kept beside the motion templates: a rerun,
or another actor, reads a few hundred bytes instead.

File format: JSON, a list of {"score": s, "points": [[x, y], ...]}, pixels of the picture in the size its pairs work
on, best face first; an empty list where there is none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError
from lp_ray.face.framing import SourceFraming
from lp_ray.face.protocol import Face
from lp_ray.face.xpose.identity import create_xpose, identify_xpose
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.keys import faces_key
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SourceRef

if TYPE_CHECKING:
    from lp_ray.face.xpose.runner import XPoseDetector

MIN_SIDE = 4.0
"""Pixels of the longer side of a face's bounds under which points are no landmarks."""


class AnimalFinder:
    """X-Pose with a memory. The network is loaded when the first picture asks for it."""

    def __init__(self, settings: Settings) -> None:
        self._spec = settings.xpose
        self._layout = TemplateLayout(settings.templates)
        self._digest = ""
        self._detector: XPoseDetector | None = None

    def find(self, image: Image, source: SourceRef, framing: SourceFraming) -> list[Face]:
        """Return the faces of a source's picture (already limited by `framing`), best first.

        Raises NoFaceError where there is none, RefusedError as `create_xpose`.
        """
        self._digest = self._digest or identify_xpose(self._spec).digest
        place = self._layout.faces(faces_key(source.key, self._digest, framing.max_dim, framing.division))
        if storage.exists(place):
            faces = _unpack(storage.read_bytes(place))
        else:
            faces = self._look(image)
            storage.put_bytes(place, _pack(faces))
        if not faces:
            raise NoFaceError(
                f"no animal's face was found in the picture (none scores above xpose.min_score="
                f"{self._spec.min_score:g}); give its box [x0, y0, x1, y1] in the manifest"
            )
        return faces

    def _look(self, image: Image) -> list[Face]:
        if self._detector is None:
            self._detector = create_xpose(self._spec)
        return [face for face in self._detector.detect(image) if np.ptp(face.points, axis=0).max() >= MIN_SIDE]


def _pack(faces: list[Face]) -> bytes:
    return json.dumps([{"score": face.score, "points": face.points.tolist()} for face in faces]).encode()


def _unpack(data: bytes) -> list[Face]:
    return [Face(np.array(face["points"], np.float64), float(face["score"])) for face in json.loads(data)]
