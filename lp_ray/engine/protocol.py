"""The interface of an engine, which turns motion and a portrait into frames.

An engine knows nothing of Ray, URIs or files: it gets pictures, landmarks and template frames, and returns arrays.
Every method is deterministic, and its result does not depend on how a clip was cut into chunks, because Ray may run any
piece again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.declared import Declared
from lp_ray.contract.options import PairOptions
from lp_ray.motion.rates import Indices
from lp_ray.motion.template import MotionFrames, TemplateReader

FRAME_SIZE = 512
"""Side in pixels of the square crop that engines animate. A source's landmarks refer to it."""

CROP_SIZE = 256
"""Side in pixels of the square driving crop that motion is extracted from."""


@dataclass(frozen=True)
class EngineSpec:
    """Which engine to use, on which device, with which weights. Small, picklable, comparable.

    `settings` are those that only this engine has, as (name, value), if they are given.
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
    """Facts about an engine that the driver process needs without loading it.

    `label` is the value of the results' column `engine`; it names weights that are not the published ones.
    """

    label: str
    digest: str
    needs_crops: bool
    source_size: int
    n_points: int | None = None
    """Number of landmarks of a face that the engine needs; None if any known number works."""
    licences: tuple[str, ...] = ()
    """Licence terms of its weights, if it has any."""
    keeps_pixels: bool = False
    """Whether pixels that the motion does not reach leave `animate` as they came. The crops of such an engine repeat
    the picture's border where they reach past it (those of others are black there, as in the reference), and paste-back
    writes only what the engine has changed."""
    finishes: bool = False
    """Whether it is a `FinishingEngine`, and its settings say that it finishes frames itself."""
    slow_start: tuple[int, str] | None = None
    """Frames of an actor under which its start costs more time than it saves, and what a plan then says."""


@dataclass(frozen=True)
class SourceCrops:
    """A portrait, cropped around its face: one row for a picture, n consecutive rows for a video.

    `images` is n x S x S x 3 RGB, where S is the engine's `source_size`. `points` is n x K x (2|3), the landmarks in
    pixels of a FRAME_SIZE crop (K = 0 if there are none). `aspect` is the width over height that a square of the crop
    has in the picture: 1, except for a picture that was squeezed into the crop as a whole. Shapes, such as how open an
    eye is, are measured on `lp_ray.face.crop.in_proportion(points, aspect)`. `alpha` is n x S x S, how opaque each
    pixel is (0 to 255), for a pair that keeps its transparency; `images` show it over white.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    is_video: bool = False
    aspect: float = 1.0
    alpha: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class PairMotion:
    """The motion of a whole pair: the driving's, and a source video's own.

    Output frame i uses driving frame `driving_frames[i]`, and frame i of a source video. `source` is None for a
    picture. Where a part of a source video is animated, the pair is that part.
    """

    driving: TemplateReader
    driving_frames: Indices
    source: TemplateReader | None = None


@dataclass(frozen=True)
class Span:
    """Frames [start, stop) of a pair's output, made `chunk` at a time."""

    start: int
    stop: int
    chunk: int

    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of every chunk in order; only the last may be shorter."""
        for start in range(self.start, self.stop, self.chunk):
            yield start, min(start + self.chunk, self.stop)


@dataclass(frozen=True)
class Frames:
    """A chunk of animated frames, and the engine's facts of each frame.

    `images` is n x FRAME_SIZE x FRAME_SIZE x 3 RGB. `facts` are arrays of n rows each: the motion that was asked for.
    Sidecars (`lp_ray.output.sidecars`) are written from them; all frames of a pair have the same facts. `alpha` is
    n x FRAME_SIZE x FRAME_SIZE, how opaque each pixel is, moved as `images` were, which are over white; None if the
    source came without, or if the engine cannot tell: then the source's own stays where it is.
    """

    images: NDArray[np.uint8]
    facts: dict[str, NDArray[Any]] = field(default_factory=dict)
    alpha: NDArray[np.uint8] | None = None


class Engine(Protocol):
    """Turns frames into motion, and a source with motion into frames. Each actor has one."""

    name: str
    digest: str
    """Depends on weights, sizes and the output version of the code; it enters every key."""
    needs_crops: bool
    """Whether `extract` reads pictures, or only landmarks."""
    source_size: int
    """Side in pixels of the source crops that `prepare` reads."""

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return the motion of n consecutive frames of a driving, or of a source video.

        `crops` is n x CROP_SIZE x CROP_SIZE x 3 RGB (None unless `needs_crops`). `points` is n x K x (2|3) in pixels of
        the full driving frame, or of the source's crop (in the picture's proportions if the crop was squeezed). Every
        array of the result has n rows, float32. For source videos, only engines that read pictures are called.
        """
        ...

    def prepare(self, source: SourceCrops) -> Any:
        """Return all that depends on these source frames alone. For a picture, the actor keeps it in its cache."""
        ...

    def direct(self, motion: PairMotion, options: PairOptions) -> Any:
        """Return the parts of a pair's motion that need the whole clip; kept while the pair is animated.

        Raises UnsupportedError for an option that this motion does not support, TemplateError for the motion of another
        engine.
        """
        ...

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        """Yield the frames of each chunk of `span`.

        `source` is the result of `prepare`, for a video for exactly the frames of `span`. `direction` is the result of
        `direct`. Raises EngineOutputError for a picture that is black or not finite.
        """
        ...


@dataclass(frozen=True)
class Finished:
    """A chunk of finished frames: whole pictures, ready to be encoded.

    `planes` is n x (3 h / 2) x w uint8, yuv420p of limited-range BT.709: Y, below it U and V. `facts` are those of
    `Frames`, of each face.
    """

    planes: NDArray[np.uint8]
    facts: tuple[dict[str, NDArray[Any]], ...]


class FinishingEngine(Engine, Protocol):
    """An engine that can paste its frames back itself, where they lie: on a GPU, before they leave it."""

    def finish(
        self,
        sources: Sequence[Any],
        directions: Sequence[Any],
        span: Span,
        picture: Image,
        to_crop: NDArray[np.float64],
    ) -> Iterator[Finished]:
        """Yield the finished frames of each chunk of `span`, of a picture's faces.

        `sources` are the results of `prepare`, `directions` those of `direct`, one for each face. `picture` is the
        whole source, H x W x 3; `to_crop` (faces x 2 x 3) maps it to their crops. Raises as `animate` does.
        """
        ...


class EnginePlugin(Protocol):
    """An engine in the registry."""

    settings: Declared
    """Its settings: those of `EngineSpec` that it uses, and its own."""

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        """Describe the engine that `create` would build. Reads at most the lock of a weight store.

        Raises RefusedError (or WeightsError) for a wrong setting or missing weights.
        """
        ...

    def create(self, spec: EngineSpec) -> Engine:
        """Build the engine and load its weights.

        Raises RefusedError (or WeightsError) if its device or its weights are not available.
        """
        ...
