"""What travels between the stages: one dataclass for each kind of row.

The rows that go in, `ClipRow` and `SpanRow`, are the plan's (`lp_ray.plan.work`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.rows import Arrays, Row, array
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
    """Consecutive frames of a clip: their landmarks, and their crops for engines that look at pictures.

    Of a source video the landmarks are in pixels of its crop, and every frame has a matrix to it; of a driving they
    are in pixels of the frame, and there are no matrices.
    """

    template_key: str
    index: int
    facts: ClipFacts | None
    points: NDArray[np.float64] = array("n", "K", "D")
    to_crop: NDArray[np.float64] = array("n", 2, 3)
    crops: NDArray[np.uint8] = array("n", 256, 256, 3)


@dataclass(frozen=True)
class StagedMotion(Row):
    """A chunk of motion lies in the template store's staging, or the clip failed."""

    template_key: str
    index: int
    facts: ClipFacts | None

    @property
    def key(self) -> str:
        """What pieces are collected under."""
        return self.template_key


@dataclass(frozen=True)
class SourcedSpan(Row):
    """A span with its source: crops, landmarks in them (in a crop of 512), and matrices from the picture to the crop.

    Of a picture there is one row for each face, of a video one for each of the span's frames (one chunk then).
    """

    work: PairWork
    start: int
    stop: int
    facts: SourceFacts | None
    crops: NDArray[np.uint8] = array("F", "S", "S", 3)
    points: NDArray[np.float64] = array("F", "K", "D")
    to_crop: NDArray[np.float64] = array("F", 2, 3)

    @property
    def pair_id(self) -> str:
        """The pair it is of."""
        return self.work.pair_id

    @property
    def index(self) -> int:
        """Its first chunk."""
        return self.start // self.work.chunk


@dataclass(frozen=True)
class AnimatedChunk(Row):
    """Animated crops of one chunk, and what the engine says of each frame; `to_crop` as in SourcedSpan.

    `frame_facts` are arrays of faces x n x ... (`lp_ray.engine.protocol.Frames`).
    """

    work: PairWork
    index: int
    facts: SourceFacts | None
    frame_facts: Arrays
    frames: NDArray[np.uint8] = array("faces", "n", 512, 512, 3)
    to_crop: NDArray[np.float64] = array("F", 2, 3)

    @property
    def pair_id(self) -> str:
        """The pair it is of."""
        return self.work.pair_id

    @property
    def n_frames(self) -> int:
        return int(self.frames.shape[1])


@dataclass(frozen=True)
class StagedSegment(Row):
    """A chunk lies encoded in the output's staging, or the pair ended early."""

    pair_id: str
    index: int
    n_frames: int
    facts: SourceFacts | None

    @property
    def key(self) -> str:
        """What pieces are collected under."""
        return self.pair_id
