"""A store that writes every segment slowly."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lp_ray.stages.rows import AnimatedChunk, StagedSegment
from lp_ray.stages.write import WriteSegments

SECONDS = 0.4
"""For a segment of 32 frames, which the engine makes in a fraction of it."""


class SlowWriter(WriteSegments):
    """The real writer, behind a slow store."""

    def work(self, row: AnimatedChunk) -> Iterator[StagedSegment]:
        time.sleep(SECONDS)
        yield from super().work(row)
