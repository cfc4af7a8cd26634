"""Stage `write` (CPU): animated crops in, pasted back and encoded into the output's staging."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lp_ray import storage
from lp_ray.errors import RefusedError
from lp_ray.face.crop import invert
from lp_ray.face.paste_back import PasteBack
from lp_ray.face.protocol import Image
from lp_ray.layout import OutputLayout
from lp_ray.media.encode import encode_segment
from lp_ray.options import PairOptions, make_options
from lp_ray.settings import Settings
from lp_ray.stages.media import read_source
from lp_ray.stages.rows import AnimatedChunk, Batch, Failure, SourceRef, StagedSegment

STAGE = "write"


class WriteSegments:
    """Ray Data callable: AnimatedChunk -> StagedSegment, one for one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = OutputLayout(settings.output)
        self._paste_back = lru_cache(settings.source_cache)(self._make_paste_back)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for chunk in AnimatedChunk.from_batch(batch):
            yield self._write(chunk).to_batch()

    def _write(self, chunk: AnimatedChunk) -> StagedSegment:
        started = time.perf_counter()
        failure = chunk.failure
        if failure is None:
            try:
                self._stage(chunk)
            except RefusedError:
                raise
            except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
                failure = Failure.of(STAGE, error)
        return StagedSegment(
            chunk.work.pair_id,
            chunk.index,
            len(chunk.frames),
            chunk.seconds_source,
            chunk.seconds_animate,
            time.perf_counter() - started,
            failure,
        )

    def _stage(self, chunk: AnimatedChunk) -> None:
        options = make_options(chunk.work.options, f"pair {chunk.work.pair_id}")
        with TemporaryDirectory(prefix="lp_ray-segment-") as folder:
            path = Path(folder) / "segment.mp4"
            encode_segment(path, self._pictures(chunk, options), chunk.work.fps, options.crf, options.preset)
            storage.put_file(path, self._layout.segment(chunk.work.pair_id, chunk.index))

    def _pictures(self, chunk: AnimatedChunk, options: PairOptions) -> Iterator[Image]:
        """Yield finished pictures one by one: a chunk of pasted-back frames would be many times its crops."""
        if not options.paste_back:
            yield from chunk.frames
            return
        matrix = tuple(chunk.to_crop.ravel().tolist())
        paste, original = self._paste_back(chunk.work.source, options.source_max_dim, matrix)
        for frame in chunk.frames:
            picture = original.copy()
            paste.blend(frame, picture)
            yield picture

    def _make_paste_back(self, source: SourceRef, max_dim: int, to_crop: tuple[float, ...]) -> tuple[PasteBack, Image]:
        picture = read_source(source, max_dim, self._settings.limits)
        height, width = picture.shape[:2]
        return PasteBack((height, width), invert(np.reshape(to_crop, (2, 3)))), picture
