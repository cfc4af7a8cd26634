"""What a face detector and landmarker is to the rest of the package."""

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

    `points` is K x 3 for the MediaPipe landmarker (K = 478) and K x 2 for the 203-point landmarker;
    `score` is the landmarker's belief, 0 to 1, that this is a face.
    """

    points: Points
    score: float
    detected_box: Box | None = field(default=None, kw_only=True)
    """Where the detector saw it, x0, y0, x1, y1; None where only points are known, or tell better."""

    @property
    def box(self) -> Box:
        """Bounds of the points: x0, y0, x1, y1."""
        low, high = self.points[:, :2].min(0), self.points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def move_from(self, before: Face) -> float:
        """Return how far the points lie from another look's, on average, over the longer side of their bounds."""
        distance = np.linalg.norm((self.points - before.points)[:, :2], axis=1).mean()
        return float(distance / max(np.ptp(self.points[:, :2], axis=0).max(), 1e-6))

    @property
    def choice_box(self) -> Box:
        """What rules compare faces by: the detector's box, or the bounds of the points."""
        return self.box if self.detected_box is None else self.detected_box

    @property
    def crop_points(self) -> Points:
        """The points that a source image is cropped by: `points`, unless the landmarker has others for that."""
        return self.points


class Landmarker(Protocol):
    """Finds faces in a picture and follows one from frame to frame. Not thread safe; one per actor."""

    name: str
    digest: str
    """Changes whenever the same picture would give other points (models, thresholds, code version)."""
    n_points: int

    def detect(self, image: Image) -> list[Face]:
        """Return every face with its landmarks, in no particular order; empty when there is none."""
        ...

    def detect_in_box(self, image: Image, box: Box) -> Face | None:
        """Return the landmarks of the face that fills `box` (x0, y0, x1, y1), or None."""
        ...

    def follow(self, image: Image, previous: Face) -> Face | None:
        """Return the face of the last frame in this one, or None when it is lost."""
        ...


@dataclass(frozen=True)
class LandmarkerSpec:
    """Which landmarker, on which device, with which models. Small, picklable, comparable.

    `settings` are those that only this landmarker has, by name, where they are given.
    """

    name: str = "mediapipe"
    weights: str = ""
    """URI of a weight store; empty for a landmarker whose models the package carries."""
    device: str = "cpu"
    settings: tuple[tuple[str, object], ...] = ()

    def given(self) -> dict[str, object]:
        """Return the landmarker's own settings by name."""
        return dict(self.settings)


@dataclass(frozen=True)
class LandmarkerIdentity:
    """What the driver must know of a landmarker without loading it: see `Landmarker` for the first three fields."""

    name: str
    digest: str
    n_points: int
    licences: tuple[str, ...] = ()
    subject: Variant = "human"
    """Whose faces it finds."""
    remembers: bool = False
    """Whether a look costs so much that what was found in a source's picture is kept beside the motion templates."""
    not_found: str = ""
    """What decides that there is no face, for messages."""


class LandmarkerPlugin(Protocol):
    """A landmarker as the registry holds it."""

    settings: Declared
    """Its settings: those of `LandmarkerSpec` that it heeds, and its own."""

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        """Describe what `create` would build, reading a weight store's lock at most.

        Whether the device is there is not asked: the driver's machine need not be one that detects. Raises RefusedError
        (or WeightsError) for a wrong setting, or models that are not there.
        """
        ...

    def create(self, spec: LandmarkerSpec) -> Landmarker:
        """Build the landmarker, models loaded, ready to look.

        Raises RefusedError (or WeightsError) when the device or the models are not to be had.
        """
        ...
