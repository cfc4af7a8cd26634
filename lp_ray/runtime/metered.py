"""An engine wrapper that counts the device's busy seconds, so that the dashboard can show how busy each device is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from lp_ray.base import metrics
from lp_ray.base.arrays import Image
from lp_ray.contract.options import PairOptions
from lp_ray.engine.protocol import Engine, Finished, FinishingEngine, Frames, PairMotion, SourceCrops, Span
from lp_ray.motion.template import MotionFrames

Chunk = TypeVar("Chunk")


class MeteredEngine:
    """Implements `lp_ray.engine.protocol.Engine` by calling another engine. Does not count `direct`: it waits for
    storage."""

    def __init__(self, engine: Engine, stage: str, device: str) -> None:
        self._engine = engine
        self._tags = (stage, device)
        self.name, self.digest = engine.name, engine.digest
        self.needs_crops, self.source_size = engine.needs_crops, engine.source_size

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        started = time.perf_counter()
        motion = self._engine.extract(crops, points)
        self._count(started)
        return motion

    def prepare(self, source: SourceCrops) -> Any:
        started = time.perf_counter()
        prepared = self._engine.prepare(source)
        self._count(started)
        return prepared

    def direct(self, motion: PairMotion, options: PairOptions) -> Any:
        return self._engine.direct(motion, options)

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        chunks = self._engine.animate(source, direction, span)
        while made := self._next(chunks):
            yield made.pop()  # else this frame would hold it while another face's chunk is made

    def finish(
        self,
        sources: Sequence[Any],
        directions: Sequence[Any],
        span: Span,
        picture: Image,
        to_crop: NDArray[np.float64],
    ) -> Iterator[Finished]:
        chunks = cast(FinishingEngine, self._engine).finish(sources, directions, span, picture, to_crop)
        while made := self._next(chunks):
            yield made.pop()

    def _next(self, chunks: Iterator[Chunk]) -> list[Chunk]:
        """Return a list with the next chunk, or an empty list at the end."""
        started = time.perf_counter()
        made = list(islice(chunks, 1))
        self._count(started)
        return made

    def _count(self, started: float) -> None:
        metrics.engine_busy(*self._tags, time.perf_counter() - started)
