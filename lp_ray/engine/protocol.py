"""The one interface between the job and whatever turns motion and a portrait into frames.

An engine knows no Ray, no URIs and no files: it gets pictures, landmarks and template frames, and gives
arrays. Every method is deterministic, and independent of how a clip was cut into chunks, because Ray may
run any piece again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.declared import Declared
from lp_ray.contract.options import PairOptions
from lp_ray.motion.rates import Indices
from lp_ray.motion.template import MotionFrames, TemplateReader

FRAME_SIZE = 512
"""Side of the square crop that engines animate, and that landmarks of a source belong to, pixels."""

CROP_SIZE = 256
"""Side of the square driving crop that motion is extracted from, pixels."""


@dataclass(frozen=True)
class EngineSpec:
    """Which engine, on which device, with which weights. Small, picklable, comparable.

    `settings` are those that only this engine has, by name, where they are given.
    """

    name: str
    device: str = "cpu"
    precision: str = "float32"
    weights: str = ""
    """URI of a weight store, or `seeded`; empty for an engine without weights."""
    size: str = "full"
    variant: str = "human"
    settings: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class EngineIdentity:
    """What the driver must know of an engine without loading it.

    `label` is what the results' `engine` column shows: weights that are not the published ones are named there.
    """

    label: str
    digest: str
    needs_crops: bool
    source_size: int
    n_points: int | None = None
    """Landmarks of a face that the engine is made for; None if any known number will do."""
    licences: tuple[str, ...] = ()
    """Terms of its weights, where it has any."""


@dataclass(frozen=True)
class SourceCrops:
    """A portrait, cropped around its face: one row of a picture, n consecutive ones of a video.

    `images` is n x S x S x 3 RGB with S the engine's `source_size`; `points` n x K x (2|3), the landmarks in
    pixels of a FRAME_SIZE crop (K = 0 where there are none). `aspect` is the width over the height that a square of
    the crop has in the picture: 1 but for a picture that was squeezed into it whole. Shapes, such as how open an eye
    is, are measured on `lp_ray.face.crop.in_proportion(points, aspect)`.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    is_video: bool = False
    aspect: float = 1.0


@dataclass(frozen=True)
class PairMotion:
    """The motion of a whole pair: a driving's, and a source video's own.

    Output frame i takes driving frame `driving_frames[i]`, and of a source video its frame i; `source` is None for a
    picture.
    """

    driving: TemplateReader
    driving_frames: Indices
    source: TemplateReader | None = None


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


@dataclass(frozen=True)
class Frames:
    """A chunk of animated frames, and what the engine says of each.

    `images` n x FRAME_SIZE x FRAME_SIZE x 3 RGB; `facts` arrays of n rows each: the motion as it was asked for.
    Sidecars (`lp_ray.output.sidecars`) are written from them; every frame of a pair has the same ones.
    """

    images: NDArray[np.uint8]
    facts: dict[str, NDArray[Any]] = field(default_factory=dict)


class Engine(Protocol):
    """Turns frames into motion, and motion plus a source into frames. One per actor."""

    name: str
    digest: str
    """Covers weights, sizes and the output version of the code: part of every key."""
    needs_crops: bool
    """Whether `extract` reads pictures, or landmarks alone."""
    source_size: int
    """Side of the source crops that `prepare` reads, pixels."""

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return the motion of n consecutive frames of a driving, or of a source video.

        `crops` is n x CROP_SIZE x CROP_SIZE x 3 RGB (None unless `needs_crops`), `points` n x K x (2|3) in
        pixels of the full driving frame, or of the source's crop; where that was squeezed, in the picture's
        proportions. Every array of the answer has n rows, float32.
        Of a source video only engines that read pictures are asked.
        """
        ...

    def prepare(self, source: SourceCrops) -> Any:
        """Return all that depends on these source frames alone. Of a picture it is kept in the actor's cache."""
        ...

    def direct(self, motion: PairMotion, options: PairOptions) -> Any:
        """Return all of a pair's motion that needs the whole clip; kept while the pair is animated.

        Raises UnsupportedError for an option that this motion cannot serve, TemplateError for motion that is not
        this engine's.
        """
        ...

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        """Yield the frames of each chunk of `span`.

        `source` is what `prepare` gave, of a video for exactly the frames of `span`; `direction` what `direct` gave.
        Raises EngineOutputError for a black or non-finite picture.
        """
        ...


class EnginePlugin(Protocol):
    """An engine as the registry holds it."""

    settings: Declared
    """Its settings: those of `EngineSpec` that it heeds, and its own."""

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        """Describe the engine that `create` would build, reading a weight store's lock at most.

        Raises RefusedError (or WeightsError) for a wrong setting, or weights that are not there.
        """
        ...

    def create(self, spec: EngineSpec) -> Engine:
        """Build the engine, weights loaded, ready to run.

        Raises RefusedError (or WeightsError) when its device or its weights are not to be had.
        """
        ...
