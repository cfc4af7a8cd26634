"""What a sidecar is to the rest of the package: a format whose input is the facts of frames."""

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
    """Facts of consecutive frames of a pair: arrays of faces x n x ..., the number of the first frame, and the rate."""

    facts: Arrays
    first: int
    n_frames: int
    fps: Fraction


class Sidecar(Protocol):
    """One kind of file. Its methods must give the same bytes for the same facts: parts may be written twice."""

    suffix: str
    """Ending of its name; it lies in the output's folder of the sidecar's name, under the pair's key."""

    def write_part(self, path: Path, chunk: ChunkFacts) -> None:
        """Write what is to be kept of a chunk."""
        ...

    def join(self, parts: Sequence[Path], output: Path, n_frames: int, fps: Fraction) -> None:
        """Make one file of a pair's parts, in order.

        Raises EngineOutputError for parts that are not `n_frames` long together.
        """
        ...


SIDECARS: Registry[Sidecar] = Registry(
    "sidecars", "lp_ray.sidecars", {"motion": "lp_ray.output.sidecars.motion:SIDECAR"}
)
