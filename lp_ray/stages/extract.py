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
PRESENT = "present"
"""Array in the template of a source video with several faces: 1 where a face is seen, 0 where it is not."""


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
        """Return the motion of the chunk: n x ... each, or n x faces x ... if several faces are tracked."""
        faces = [self._of_face(chunk, face) for face in range(len(chunk.points))]
        if chunk.facts is None or chunk.facts.n_faces is None:
            return faces[0]
        motion = {name: np.stack([face[name] for face in faces], 1) for name in faces[0]}
        return {**motion, PRESENT: chunk.present.T.astype(np.float32)}

    def _of_face(self, chunk: TrackedChunk, face: int) -> MotionFrames:
        points, to_crop = chunk.points[face], chunk.to_crop[face]
        crops = chunk.crops[face] if self._engine.needs_crops else None
        if not len(to_crop):
            return self._engine.extract(crops, points)
        shapes = in_proportion(points, aspect(to_crop[0]))
        motion = self._engine.extract(crops, shapes) if self._engine.needs_crops else {}
        return {**motion, TO_CROP: to_crop.astype(np.float32), CROP_POINTS: points.astype(np.float32)}
