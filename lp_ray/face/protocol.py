"""The interface of a landmarker, which detects faces and finds their landmarks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from lp_ray.base.arrays import Box, Image, Points
from lp_ray.base.declared import Declared
from lp_ray.contract.variants import Variant


@dataclass(frozen=True)
class Face:
    """One face in one picture.

    `points` is K x 3 for the MediaPipe landmarker (K = 478) and K x 2 for the 203-point landmarker. `score`, 0 to 1, is
    how sure the landmarker is that this is a face.
    """

    points: Points
    score: float
    detected_box: Box | None = field(default=None, kw_only=True)
    """The detector's box, x0, y0, x1, y1; None if only points are known, or if they are more exact."""

    @property
    def box(self) -> Box:
        """Bounds of the points: x0, y0, x1, y1."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def move_from(self, before: Face) -> float:
        """Return the mean distance between these points and those of `before`, divided by the longer side of their
        bounds."""
        distance = np.linalg.norm((self.points - before.points)[:, :2], axis=1).mean()
        return float(distance / max(np.ptp(self.points[:, :2], axis=0).max(), 1e-6))

    @property
    def choice_box(self) -> Box:
        """The box by which rules compare faces: the detector's box, or the bounds of the points."""
        return self.box if self.detected_box is None else self.detected_box

    @property
    def crop_points(self) -> Points:
        """The points by which a source picture is cropped: `points`, unless the landmarker has special ones."""
        return self.points


class Landmarker(Protocol):
    """Finds faces in a picture and follows one from frame to frame. Not thread-safe; each actor has its own."""

    name: str
    digest: str
    """Changes whenever the same picture would give other points (models, thresholds, code version)."""
    n_points: int

    def detect(self, image: Image) -> list[Face]:
        """Return every face with its landmarks, in no particular order; an empty list if there is none."""
        ...

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        """Return the landmarks of the face that fills `box` (x0, y0, x1, y1), or None."""
        ...

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face of the previous frame in this frame, or None if it is lost."""
        ...


@dataclass(frozen=True)
class LandmarkerSpec:
    """Which landmarker to use, on which device, with which models. Small, picklable, comparable.

    `settings` are those that only this landmarker has, as (name, value), if they are given.
    """

    name: str = "mediapipe"
    weights: str = ""
    """URI of a weight store; empty for a landmarker whose models come with the package."""
    device: str = "cpu"
    settings: tuple[tuple[str, object], ...] = ()

    def given(self) -> dict[str, object]:
        """Return the landmarker's own settings by name."""
        return dict(self.settings)


@dataclass(frozen=True)
class LandmarkerIdentity:
    """Facts about a landmarker that the driver process needs without loading it. For the first three: `Landmarker`."""

    name: str
    digest: str
    n_points: int
    licences: tuple[str, ...] = ()
    subject: Variant = "human"
    """Whether it finds people or animals."""
    remembers: bool = False
    """Whether detection is so slow that its answers for source pictures are stored beside the motion templates."""
    not_found: str = ""
    """How it decides that there is no face, for messages."""


class LandmarkerPlugin(Protocol):
    """A landmarker in the registry."""

    settings: Declared
    """Its settings: those of `LandmarkerSpec` that it uses, and its own."""

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        """Describe what `create` would build. Reads at most the lock of a weight store.

        Does not check that the device exists, because the driver process may run on another machine. Raises
        RefusedError (or WeightsError) for a wrong setting or missing models.
        """
        ...

    def create(self, spec: LandmarkerSpec) -> Landmarker:
        """Build the landmarker and load its models.

        Raises RefusedError (or WeightsError) if the device or the models are not available.
        """
        ...
