"""The rows that travel between the stages: one dataclass for each type of row.

The rows that enter the graphs, `ClipRow` and `SpanRow`, are defined in `lp_ray.plan.work`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.rows import Arrays, Row, array, bytes_if_any
from lp_ray.plan.work import PairWork, SourceFacts


@dataclass(frozen=True)
class ClipFacts:
    """Facts found by tracking a whole clip.

    `size` is the (width, height) of its frames. `crop` is a driving's matrix to 512 x 512, row by row; None: whole
    frames. `n_faces` is how many people of a source video were tracked; None: one was chosen.
    """

    fps_numerator: int
    fps_denominator: int
    n_frames: int
    n_chunks: int
    missing_frames: tuple[int, ...]
    size: tuple[int, int]
    crop: tuple[float, ...] | None
    n_faces: int | None = None


@dataclass(frozen=True)
class TrackedChunk(Row):
    """Consecutive frames of a clip: the landmarks of each tracked face, and its crops for engines that need pictures.

    For a source video, landmarks are in pixels of the crop, and each frame has a matrix to its crop. For a driving,
    landmarks are in pixels of the frame, and there are no matrices. Where a face is not `present`, it is where it was.
    """

    template_key: str
    index: int
    facts: ClipFacts | None
    points: NDArray[np.float64] = array("faces", "n", "K", "D")
    to_crop: NDArray[np.float64] = array("faces", "n", 2, 3)
    crops: NDArray[np.uint8] = array("faces", "n", 256, 256, 3)
    present: NDArray[np.bool_] = array("faces", "n")


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

    For a picture, m is 1. For a video it is the number of frames of the span, which then is one chunk. A face is pasted
    back only where it is `present`: of a video whose people come and go. `alpha` says how opaque the crops' pixels are,
    if the pair keeps transparency; crops are over white. `picture` is the whole picture, if the engine is to finish the
    frames (`lp_ray.engine.protocol.FinishingEngine`).
    """

    work: PairWork
    start: int
    stop: int
    facts: SourceFacts | None
    crops: NDArray[np.uint8] = array("faces", "m", "S", "S", 3)
    points: NDArray[np.float64] = array("faces", "m", "K", "D")
    to_crop: NDArray[np.float64] = array("faces", "m", 2, 3)
    present: NDArray[np.bool_] = array("faces", "m")
    alpha: NDArray[np.uint8] = bytes_if_any("faces", "m", "S", "S")
    picture: NDArray[np.uint8] = bytes_if_any("one", "H", "W", 3)

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
    """The animated crops of one chunk, and the engine's facts of each frame. `to_crop` and `present` as in SourcedSpan.

    Where a part of a source video is animated, `frames` and facts are of those frames alone, maybe of none.
    `frame_facts` are arrays of faces x n x ... (`lp_ray.engine.protocol.Frames`). `alpha` says how opaque the frames'
    pixels are, if the pair keeps transparency and the engine moves it with the pixels. Where the engine has finished
    the frames, `planes` are they (`lp_ray.engine.protocol.Finished`), and `frames` has none.
    """

    work: PairWork
    index: int
    facts: SourceFacts | None
    frame_facts: Arrays
    frames: NDArray[np.uint8] = array("faces", "n", 512, 512, 3)
    to_crop: NDArray[np.float64] = array("faces", "m", 2, 3)
    present: NDArray[np.bool_] = array("faces", "m")
    alpha: NDArray[np.uint8] = bytes_if_any("faces", "n", 512, 512)
    planes: NDArray[np.uint8] = bytes_if_any("n", "R", "W")

    @property
    def pair_id(self) -> str:
        """The pair that the chunk belongs to."""
        return self.work.pair_id

    @property
    def n_frames(self) -> int:
        """The number of frames of the chunk, animated or not."""
        if len(self.planes):
            return len(self.planes)
        if self.work.part is None:
            return int(self.frames.shape[1])
        first = self.index * self.work.chunk
        return min(self.work.chunk, self.work.n_frames - first)

    @property
    def animated(self) -> range:
        """Which frames of the pair `frames` shows."""
        first = self.index * self.work.chunk
        return self.work.animated_of(first, first + self.n_frames)


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
