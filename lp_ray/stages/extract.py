"""Stage `extract` (engine): takes tracked frames and writes their motion to the template store's staging."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lp_ray import storage
from lp_ray.face.crop import aspect, in_proportion
from lp_ray.motion.template import MotionFrames, pack_part
from lp_ray.plan.devices import Part
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.rows import StagedMotion, TrackedChunk

TO_CROP = "to_crop"
"""Array in a source video's template: the 2 x 3 matrix from each frame to its crop of 512."""
CROP_POINTS = "crop_points"
"""Array in a source video's template: the landmarks in each crop, K x D."""


class ExtractMotion(Stage[TrackedChunk, StagedMotion]):
    """One staged chunk of motion for each tracked chunk."""

    name = "extract"
    takes, gives = TrackedChunk, StagedMotion
    uses = frozenset({Part.ENGINE})
    share = Share(on_cpu=0.1)

    def __init__(self, bench: Bench) -> None:
        self._layout = bench.settings.template_layout
        self._engine = bench.make_engine()

    def work(self, row: TrackedChunk) -> Iterator[StagedMotion]:
        storage.put_bytes(self._layout.part(row.template_key, row.index), pack_part(self._motion(row)))
        yield StagedMotion(row.template_key, row.index, row.facts)

    def _motion(self, chunk: TrackedChunk) -> MotionFrames:
        crops = chunk.crops if self._engine.needs_crops else None
        if not len(chunk.to_crop):
            return self._engine.extract(crops, chunk.points)
        shapes = in_proportion(chunk.points, aspect(chunk.to_crop[0]))
        motion = self._engine.extract(crops, shapes) if self._engine.needs_crops else {}
        own = {TO_CROP: chunk.to_crop.astype(np.float32), CROP_POINTS: chunk.points.astype(np.float32)}
        return {**motion, **own}
