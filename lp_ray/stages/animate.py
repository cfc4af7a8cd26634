"""Stage `animate` (engine): a span of a pair in, its animated frames out, a chunk at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from lp_ray import storage
from lp_ray.engine.factory import create_engine
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrop, Span
from lp_ray.errors import RefusedError
from lp_ray.layout import TemplateLayout
from lp_ray.limits import OURS
from lp_ray.motion.template import TemplateReader
from lp_ray.options import make_options
from lp_ray.settings import Settings
from lp_ray.stages.rows import AnimatedChunk, Batch, Failure, SourcedSpan, empty

STAGE = "animate"
TEMPLATE_CACHE = 8


class AnimatePairs:
    """Ray Data callable: SourcedSpan -> AnimatedChunk, one per chunk, or one with a failure.

    Rows come ordered by source, so one prepared source serves its whole block of pairs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = TemplateLayout(settings.templates)
        self._engine = create_engine(settings.engine)
        self._prepared_key: tuple[Any, ...] = ()
        self._prepared: Any = None
        self._template = lru_cache(TEMPLATE_CACHE)(self._fetch_template)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for row in SourcedSpan.from_batch(batch):
            for chunk in self._guarded(row):
                yield chunk.to_batch()

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
        none = empty(FRAME_SIZE, FRAME_SIZE, 3, dtype=np.uint8)
        index = row.start // self._settings.chunk_frames
        return AnimatedChunk(row.work, index, none, row.to_crop, row.seconds_source, 0.0, failure)

    def _animate(self, row: SourcedSpan) -> Iterator[AnimatedChunk]:
        work, seconds_source = row.work, row.seconds_source
        span = Span(row.start, row.stop, self._settings.chunk_frames)
        started = time.perf_counter()
        options = make_options(work.options, f"pair {work.pair_id}")
        template = self._template(work.template_key)
        chunks = self._engine.animate(self._prepare(row), template, options, span)
        for index, frames in enumerate(chunks, row.start // span.chunk):
            seconds = time.perf_counter() - started
            yield AnimatedChunk(work, index, frames, row.to_crop, seconds_source, seconds, None)
            seconds_source, started = 0.0, time.perf_counter()

    def _prepare(self, row: SourcedSpan) -> Any:
        key = (row.work.source.key, row.to_crop.tobytes())
        if key != self._prepared_key:
            self._prepared = self._engine.prepare(SourceCrop(np.array(row.crop), np.array(row.points)))
            self._prepared_key = key
        return self._prepared

    def _fetch_template(self, key: str) -> TemplateReader:
        """Keep the template's bytes in a file of this actor's own: the store may be remote, reads are ranges."""
        with TemporaryDirectory(prefix="lp_ray-template-") as folder:
            path = Path(folder) / "template.npz"
            storage.fetch(self._layout.template(key), path, OURS)
            return TemplateReader(path)  # it maps the bytes: the name may go, and the space with the cache's entry
