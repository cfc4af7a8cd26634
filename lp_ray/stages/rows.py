"""What travels between the stages: one dataclass per kind of row, and how it becomes Ray Data columns.

A row that met an error carries a `Failure` and empty arrays; later stages pass it on, so that nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.rows import Row
from lp_ray.contract.failure import Failure
from lp_ray.plan.work import PairWork, SourceFacts


@dataclass(frozen=True)
class ClipFacts:
    """What tracking a whole clip found out: `size` is its frames' (width, height), `crop` a driving's matrix to
    512 x 512, row by row, or None for whole frames."""

    fps_numerator: int
    fps_denominator: int
    n_frames: int
    n_chunks: int
    missing_frames: tuple[int, ...]
    size: tuple[int, int]
    crop: tuple[float, ...] | None


@dataclass(frozen=True)
class TrackedChunk(Row):
    """Consecutive frames: landmarks n x K x D, crops n x 256 x 256 x 3 (n = 0 where unused).

    Of a source video the landmarks are in pixels of its crop, `to_crop` is n x 2 x 3; of a driving they are in
    pixels of the frame, and `to_crop` has no rows.
    """

    template_key: str
    index: int
    facts: ClipFacts | None
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    crops: NDArray[np.uint8]
    seconds: float
    failure: Failure | None


@dataclass(frozen=True)
class StagedMotion(Row):
    """A chunk of motion lies in the template store's staging, or the clip failed."""

    template_key: str
    index: int
    facts: ClipFacts | None
    seconds: float
    failure: Failure | None


@dataclass(frozen=True)
class SpanRow(Row):
    """Frames [start, stop) of one pair, to be animated by one actor."""

    work: PairWork
    start: int
    stop: int


@dataclass(frozen=True)
class SourcedSpan(Row):
    """A span with its source: crops F x S x S x 3, landmarks in them F x K x D (in a crop of 512), and F
    original -> crop matrices.

    Of a picture there is one row for each face, of a video one for each of the span's frames (one chunk then).
    """

    work: PairWork
    start: int
    stop: int
    crops: NDArray[np.uint8]
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    facts: SourceFacts | None
    seconds_source: float
    failure: Failure | None


@dataclass(frozen=True)
class AnimatedChunk(Row):
    """Animated crops of one chunk, faces x n x 512 x 512 x 3; `to_crop` as in SourcedSpan."""

    work: PairWork
    index: int
    frames: NDArray[np.uint8]
    to_crop: NDArray[np.float64]
    facts: SourceFacts | None
    seconds_source: float
    seconds_animate: float
    failure: Failure | None

    @property
    def n_frames(self) -> int:
        return int(self.frames.shape[1])


@dataclass(frozen=True)
class StagedSegment(Row):
    """A chunk lies encoded in the output's staging, or the pair failed."""

    pair_id: str
    index: int
    n_frames: int
    facts: SourceFacts | None
    seconds_source: float
    seconds_animate: float
    seconds_write: float
    failure: Failure | None
