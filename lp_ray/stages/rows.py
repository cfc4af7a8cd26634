"""The rows that travel between the stages: one dataclass for each type of row.

The rows that enter the graphs, `ClipRow` and `SpanRow`, are defined in `lp_ray.plan.work`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.rows import Arrays, Row, array
from lp_ray.plan.work import PairWork, SourceFacts


@dataclass(frozen=True)
class ClipFacts:
    """Facts found by tracking a whole clip.

    `size` is the (width, height) of its frames. `crop` is a driving's matrix to 512 x 512, row by row; None: whole
    frames.
    """

    fps_numerator: int
    fps_denominator: int
    n_frames: int
    n_chunks: int
    missing_frames: tuple[int, ...]
    size: tuple[int, int]
    crop: tuple[float, ...] | None


@dataclass(frozen=True)
class TrackedChunk(Row):
    """Consecutive frames of a clip: their landmarks, and their crops for engines that need pictures.

    For a source video, landmarks are in pixels of the crop, and each frame has a matrix to its crop. For a driving,
    landmarks are in pixels of the frame, and there are no matrices.
    """

    template_key: str
    index: int
    facts: ClipFacts | None
    points: NDArray[np.float64] = array("n", "K", "D")
    to_crop: NDArray[np.float64] = array("n", 2, 3)
    crops: NDArray[np.uint8] = array("n", 256, 256, 3)


@dataclass(frozen=True)
class StagedMotion(Row):
    """Says that a chunk of motion lies in the template store's staging, or that the clip failed."""

    template_key: str
    index: int
    facts: ClipFacts | None

    @property
    def key(self) -> str:
        """The key under which pieces are collected."""
        return self.template_key


@dataclass(frozen=True)
class SourcedSpan(Row):
    """A span with its source: crops, landmarks (in pixels of a crop of 512), and matrices from picture to crop.

    For a picture, the arrays have one entry per face. For a video, one per frame of the span, which then is one chunk.
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
        """The pair that the span belongs to."""
        return self.work.pair_id

    @property
    def index(self) -> int:
        """The index of its first chunk."""
        return self.start // self.work.chunk


@dataclass(frozen=True)
class AnimatedChunk(Row):
    """The animated crops of one chunk, and the engine's facts of each frame. `to_crop` as in SourcedSpan.

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
        """The pair that the chunk belongs to."""
        return self.work.pair_id

    @property
    def n_frames(self) -> int:
        return int(self.frames.shape[1])


@dataclass(frozen=True)
class StagedSegment(Row):
    """Says that an encoded chunk lies in the output's staging, or that the pair ended early."""

    pair_id: str
    index: int
    n_frames: int
    facts: SourceFacts | None

    @property
    def key(self) -> str:
        """The key under which pieces are collected."""
        return self.pair_id
