"""The interface of a sidecar: a format whose input is the facts of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from lp_ray.base.registry import Registry
from lp_ray.contract.rows import Arrays


@dataclass(frozen=True)
class ChunkFacts:
    """Facts of consecutive frames of a pair (arrays of faces x n x ...), the number of the first frame, and the frame
    rate."""

    facts: Arrays
    first: int
    n_frames: int
    fps: Fraction


class Sidecar(Protocol):
    """One kind of sidecar. Its methods must give the same bytes for the same facts, because a part may be written
    twice."""

    suffix: str
    """Suffix of the file. The file lies in the output folder named after the sidecar; its name is the pair key."""

    def write_part(self, path: Path, chunk: ChunkFacts) -> None:
        """Write the facts of a chunk that the sidecar keeps."""
        ...

    def join(self, parts: Sequence[Path], output: Path, n_frames: int, fps: Fraction) -> None:
        """Join a pair's parts, in order, into one file.

        Raises EngineOutputError if the parts do not have `n_frames` frames together.
        """
        ...


SIDECARS: Registry[Sidecar] = Registry(
    "sidecars", "lp_ray.sidecars", {"motion": "lp_ray.output.sidecars.motion:SIDECAR"}
)
