"""Stage `animate` (engine): a span of a pair in, its animated frames out, a chunk at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np

from lp_ray.base import metrics
from lp_ray.base.errors import RefusedError
from lp_ray.base.rows import Batch, empty
from lp_ray.contract.failure import Failure
from lp_ray.contract.options import PairOptions, make_options
from lp_ray.engine.factory import CreateEngine, create_engine
from lp_ray.engine.protocol import FRAME_SIZE, PairMotion, SourceCrops, Span
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.runtime.ahead import ahead
from lp_ray.stages.media import TemplateCache, driving_frames
from lp_ray.stages.rows import AnimatedChunk, SourcedSpan

STAGE = "animate"


class AnimatePairs:
    """Ray Data callable: SourcedSpan -> AnimatedChunk, one per chunk, or one with a failure.

    Rows come ordered by source, so one prepared picture serves its whole block of pairs.
    """

    def __init__(self, settings: Settings, create: CreateEngine = create_engine, is_actor: bool = False) -> None:
        """An actor's engine works in a thread of its own, a chunk ahead of what Ray takes out of the actor: it does not
        wait while a chunk is packed into the object store."""
        self._thread = ThreadPoolExecutor(1, "engine") if is_actor else None
        self._engine = create(settings.engine)
        self._device = settings.engine.device
        self._templates = TemplateCache(settings.templates)
        self._prepared_key: tuple[Any, ...] = ()
        self._prepared: list[Any] = []
        self._directed_key = ""
        self._directed: Any = None

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        # map, unlike a loop's variable, keeps nothing of a chunk while the next one is made
        chunks = map(AnimatedChunk.to_batch, chain.from_iterable(map(self._guarded, SourcedSpan.from_batch(batch))))
        yield from chunks if self._thread is None else ahead(chunks, self._thread)

    def _guarded(self, row: SourcedSpan) -> Iterator[AnimatedChunk]:
        if row.failure is not None:
            yield self._failed(row, row.failure)
            return
        try:
            yield from self._animate(row)
        except RefusedError:
            raise
        except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
            yield self._failed(row, Failure.of(STAGE, error))

    def _failed(self, row: SourcedSpan, failure: Failure) -> AnimatedChunk:
        none = empty(0, FRAME_SIZE, FRAME_SIZE, 3, dtype=np.uint8)
        index = row.start // row.work.chunk
        return AnimatedChunk(row.work, index, none, row.to_crop, row.facts, row.seconds_source, 0.0, failure)

    def _animate(self, row: SourcedSpan) -> Iterator[AnimatedChunk]:
        work, seconds_source = row.work, row.seconds_source
        span = Span(row.start, row.stop, work.chunk)
        started = time.perf_counter()
        direction = self._direct(work)
        waited = time.perf_counter() - started  # for templates, which are read from storage
        faces = [self._engine.animate(prepared, direction, span) for prepared in self._prepare(row)]
        for index, _ in enumerate(span.chunks(), row.start // work.chunk):
            frames = [next(face) for face in faces]
            seconds = time.perf_counter() - started
            metrics.stage_worked(STAGE, seconds)
            metrics.engine_busy(STAGE, self._device, seconds - waited)
            waited = 0.0
            made = np.stack(frames) if len(frames) > 1 else frames[0][np.newaxis]
            yield AnimatedChunk(work, index, made, row.to_crop, row.facts, seconds_source, seconds, None)
            del frames, made
            seconds_source, started = 0.0, time.perf_counter()

    def _prepare(self, row: SourcedSpan) -> list[Any]:
        """Return what is prepared of each face; a picture's is kept for the pairs that follow."""
        if row.work.source.is_video:
            return [self._engine.prepare(SourceCrops(np.array(row.crops), np.array(row.points), is_video=True))]
        key = (row.work.source.key, row.to_crop.tobytes(), row.crops.shape)
        metrics.cache_looked_up("prepared", hit=key == self._prepared_key)
        if key != self._prepared_key:
            rows = range(len(row.crops))
            crops = [SourceCrops(np.array(row.crops[i : i + 1]), np.array(row.points[i : i + 1])) for i in rows]
            self._prepared = [self._engine.prepare(face) for face in crops]
            self._prepared_key = key
        return self._prepared

    def _direct(self, work: PairWork) -> Any:
        """Return the pair's motion; a source video's chunks share it."""
        if work.pair_id != self._directed_key:
            options = make_options(work.options, f"pair {work.pair_id}")
            self._directed = self._engine.direct(self._motion(work, options), options)
            self._directed_key = work.pair_id
        return self._directed

    def _motion(self, work: PairWork, options: PairOptions) -> PairMotion:
        driving, source = self._templates.of_pair(work)
        return PairMotion(driving, driving_frames(work, options, source, driving), source)
