"""The interface of an output format.

The write stage encodes a chunk of pictures into a segment. The finalize task joins a pair's segments into the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.media.encode import Encoder
from lp_ray.media.facts import MediaFacts
from lp_ray.media.join import AudioCut


@dataclass(frozen=True)
class Encoding:
    """How to write pictures: rate, number of the first one in the pair, and the pair's options."""

    fps: Fraction
    first: int
    crf: int
    preset: str
    encoder: Encoder


class TakesPlanes(Protocol):
    """A format that can encode pictures which are yuv420p already."""

    def write_planes(self, path: Path, planes: NDArray[np.uint8], how: Encoding) -> None:
        """As `OutputFormat.write_segment`, of n x (3 h / 2) x w uint8: Y, below it U and V, limited-range BT.709."""
        ...


class OutputFormat(Protocol):
    """One format. Its methods must give the same bytes for the same pictures: a segment may be written twice."""

    kind: str
    """The value of the column `kind` in the results table."""
    suffix: str
    """Suffix of the result's name."""
    segment_suffix: str
    """Suffix of a segment's name."""
    has_sound: bool
    """Whether `join` takes a sound track."""

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        """Write a chunk of pictures, H x W x 3 RGB uint8 each.

        A format whose files can hold transparency has an attribute `holds_alpha`, which is true. Where a pair keeps
        its transparency, it gets straight pictures (`lp_ray.media.alpha`), H x W x 4 each.
        """
        ...

    def join(
        self, segments: Sequence[Path], output: Path, fps: Fraction, n_frames: int, sound: AudioCut | None
    ) -> MediaFacts:
        """Join the segments of a pair, in order, and return the facts of the written file.

        Raises EngineOutputError if the segments do not have `n_frames` frames. A format whose files can say that they
        are synthetic has an attribute `states_origin`, which is true, and takes `origin` by name: the digital source
        type (`lp_ray.contract.origin`).
        """
        ...

    def pictures(self, path: Path) -> Iterator[Image]:
        """Stream the pictures of a finished file, H x W x 3 RGB uint8 each, transparent ones over white: what
        labels and metrics are measured on.

        A format of another package may lack this method; labels=full and metrics are then refused.
        """
        ...


def takes_planes(made: OutputFormat) -> TypeGuard[TakesPlanes]:
    """Return whether a format can encode pictures which are yuv420p already.

    It must say so itself: one that is derived from another encodes otherwise.
    """
    return "write_planes" in vars(type(made))
