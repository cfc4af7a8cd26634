"""Finds the faces of animals in source pictures, only once for all pairs, actors and jobs that share a picture.

X-Pose takes seconds and 0.4 TFLOP per picture on a CPU. So the faces found by a detector that `remembers` are stored
beside the motion templates; a rerun or another actor reads a few hundred bytes instead.

File format: JSON, a list of {"score": s, "points": [[x, y], ...]}, best face first. Points are in pixels of the picture
in the size at which its pairs use it. The list is empty if there is no face.
"""

from __future__ import annotations

import json

import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError, UnsupportedError
from lp_ray.face.factory import identify_landmarker
from lp_ray.face.framing import SourceFraming
from lp_ray.face.protocol import Face, Landmarker, LandmarkerIdentity
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.keys import faces_key
from lp_ray.plan.work import SourceRef
from lp_ray.stages.contract import Bench

MIN_SIDE = 4.0
"""In pixels: if the longer side of a face's bounds is shorter, its points do not count as landmarks."""


class AnimalFinder:
    """A job's animal detector with stored answers. It loads its network when the first picture needs it."""

    def __init__(self, bench: Bench) -> None:
        self._spec, self._create = bench.settings.animal_detector, bench.create_landmarker
        self._layout = TemplateLayout(bench.settings.templates)
        self._identity: LandmarkerIdentity | None = None
        self._detector: Landmarker | None = None

    def find(self, image: Image, source: SourceRef, framing: SourceFraming) -> list[Face]:
        """Return the faces in a source's picture (already limited by `framing`), best first.

        Raises NoFaceError if there is none, and RefusedError as `create_landmarker` does.
        """
        self._identity = self._identity or identify_landmarker(self._spec)
        faces = self._remembered(image, source, framing) if self._identity.remembers else self.look(image)
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
        faces = self.look(image)
        storage.put_bytes(place, _pack(faces))
        return faces

    def look(self, image: Image) -> list[Face]:
        """Return the faces in a picture, best first; maybe none. Nothing is remembered."""
        if self._detector is None:
            self._detector = self._create(self._spec)
        return [face for face in self._detector.detect(image) if np.ptp(face.points, axis=0).max() >= MIN_SIDE]


def refuse_people(people: list[Face]) -> None:
    """Raise UnsupportedError if people's faces were found where subject=auto expects an animal."""
    if people:
        raise UnsupportedError(
            f"subject=auto: a person's face was found (score {max(face.score for face in people):.2f}), and this "
            "job animates animals: use engine.variant=human for it, or say subject=animal if it is one"
        )


def _pack(faces: list[Face]) -> bytes:
    return json.dumps([{"score": face.score, "points": face.points.tolist()} for face in faces]).encode()


def _unpack(data: bytes) -> list[Face]:
    return [Face(np.array(face["points"], np.float64), float(face["score"])) for face in json.loads(data)]
