"""The one interface between the job and whatever turns motion and a portrait into frames.

An engine knows no Ray, no URIs and no files: it gets pictures, landmarks and template frames, and gives
arrays. Every method is deterministic, and independent of how a clip was cut into chunks, because Ray may
run any piece again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lp_ray.face.protocol import Image, Points
from lp_ray.motion.template import MotionFrames, TemplateReader
from lp_ray.options import PairOptions

FRAME_SIZE = 512
"""Side of the square crop that engines animate, pixels."""

CROP_SIZE = 256
"""Side of the square driving crop that motion is extracted from, pixels."""


@dataclass(frozen=True)
class SourceCrop:
    """A portrait, cropped upright around its face.

    `image` is FRAME_SIZE x FRAME_SIZE x 3 RGB; `points` are the landmarks in pixels of that crop.
    """

    image: Image
    points: Points


@dataclass(frozen=True)
class Span:
    """Frames [start, stop) of a pair's output, to be yielded `chunk` at a time."""

    start: int
    stop: int
    chunk: int

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of every chunk in order; only the last may be shorter."""
        for start in range(self.start, self.stop, self.chunk):
            yield start, min(start + self.chunk, self.stop)


class Engine(Protocol):
    """Turns driving frames into motion, and motion plus a source into frames. One per actor."""

    name: str
    digest: str
    """Covers weights, sizes and the output version of the code: part of every key."""
    needs_crops: bool
    """Whether `extract` reads pictures, or landmarks alone."""

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return the motion of n consecutive driving frames.

        `crops` is n x CROP_SIZE x CROP_SIZE x 3 RGB (None unless `needs_crops`), `points` n x K x (2|3) in
        pixels of the full driving frame. Every array of the answer has n rows, float32.
        """
        ...

    def prepare(self, source: SourceCrop) -> Any:
        """Return all that depends on the source alone, computed once and kept in the actor's cache."""
        ...

    def animate(
        self, prepared: Any, template: TemplateReader, options: PairOptions, span: Span
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of each chunk of `span`: n x FRAME_SIZE x FRAME_SIZE x 3 RGB.

        Raises EngineOutputError for a black or non-finite picture, UnsupportedError for an option that this
        engine does not have.
        """
        ...
