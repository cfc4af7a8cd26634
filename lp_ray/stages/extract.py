"""Stage `extract` (engine): tracked frames in, their motion into the template store's staging."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.errors import RefusedError
from lp_ray.base.rows import Batch
from lp_ray.contract.failure import Failure
from lp_ray.engine.factory import CreateEngine, create_engine
from lp_ray.motion.template import MotionFrames, pack_part
from lp_ray.plan.settings import Settings
from lp_ray.stages.rows import StagedMotion, TrackedChunk

STAGE = "extract"

TO_CROP = "to_crop"
"""Array of a source video's template: the 2 x 3 matrix from each frame to its crop of 512."""
CROP_POINTS = "crop_points"
"""Array of a source video's template: its landmarks in each crop, K x D."""


class ExtractMotion:
    """Ray Data callable: TrackedChunk -> StagedMotion, one for one."""

    def __init__(self, settings: Settings, create: CreateEngine = create_engine) -> None:
        self._layout = settings.template_layout
        self._engine = create(settings.engine)
        self._device = settings.engine.device

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for chunk in TrackedChunk.from_batch(batch):
            yield self._extract(chunk).to_batch()

    def _extract(self, chunk: TrackedChunk) -> StagedMotion:
        started = time.perf_counter()
        failure = chunk.failure
        if failure is None:
            try:
                motion = self._motion(chunk)
            except RefusedError:
                raise
            except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
                failure = Failure.of(STAGE, error)
            else:
                storage.put_bytes(self._layout.part(chunk.template_key, chunk.index), pack_part(motion))
        spent = time.perf_counter() - started
        metrics.stage_worked(STAGE, spent)
        seconds = chunk.seconds + spent
        return StagedMotion(chunk.template_key, chunk.index, chunk.facts, seconds, failure)

    def _motion(self, chunk: TrackedChunk) -> MotionFrames:
        started = time.perf_counter()
        motion = self._extracted(chunk)
        metrics.engine_busy(STAGE, self._device, time.perf_counter() - started)
        return motion

    def _extracted(self, chunk: TrackedChunk) -> MotionFrames:
        crops = chunk.crops if self._engine.needs_crops else None
        if not len(chunk.to_crop):
            return self._engine.extract(crops, chunk.points)
        motion = self._engine.extract(crops, chunk.points) if self._engine.needs_crops else {}
        own = {TO_CROP: chunk.to_crop.astype(np.float32), CROP_POINTS: chunk.points.astype(np.float32)}
        return {**motion, **own}
