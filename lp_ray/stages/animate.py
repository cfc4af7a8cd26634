"""Stage `animate` (engine): takes a span of a pair and gives its animated frames, one chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.caching import Cache
from lp_ray.contract.rows import Arrays
from lp_ray.engine.protocol import Frames, PairMotion, SourceCrops, Span
from lp_ray.face.crop import aspect
from lp_ray.plan.devices import Part
from lp_ray.plan.work import PairWork
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.media import TemplateCache, driving_frames
from lp_ray.stages.rows import AnimatedChunk, SourcedSpan


class AnimatePairs(Stage[SourcedSpan, AnimatedChunk]):
    """One row for each chunk of a span.

    Rows come ordered by source, so one prepared picture serves its whole block of pairs.
    """

    name = "animate"
    takes, gives = SourcedSpan, AnimatedChunk
    uses = frozenset({Part.ENGINE})
    share = Share(on_cpu=0.5)
    looks_ahead = True

    def __init__(self, bench: Bench) -> None:
        self._engine = bench.make_engine()
        self._templates = TemplateCache(bench.settings.templates)
        self._pictures = Cache[list[Any]]("prepared", 1)
        self._directed_key = ""
        self._directed: Any = None

    def work(self, row: SourcedSpan) -> Iterator[AnimatedChunk]:
        work, span = row.work, Span(row.start, row.stop, row.work.chunk)
        direction = self._direct(work)
        faces = [self._engine.animate(prepared, direction, span) for prepared in self._prepare(row)]
        for index, _ in enumerate(span.chunks(), row.index):
            made = [next(face) for face in faces]
            chunk = AnimatedChunk(work, index, row.facts, _stack_facts(made), _stack_images(made), row.to_crop)
            del made
            yield chunk
            del chunk  # else this function would hold it while the next one is made

    def _prepare(self, row: SourcedSpan) -> list[Any]:
        """Return the prepared faces of a source. Those of a picture are kept for the following pairs."""
        if row.work.source.is_video:
            return [self._engine.prepare(SourceCrops(np.array(row.crops), np.array(row.points), is_video=True))]
        key = (row.work.source.key, row.to_crop.tobytes(), row.crops.shape)
        return self._pictures.get(key, lambda: self._prepare_faces(row))

    def _prepare_faces(self, row: SourcedSpan) -> list[Any]:
        each = zip(row.crops, row.points, row.to_crop, strict=True)
        faces = [SourceCrops(crop[None].copy(), points[None].copy(), aspect=aspect(to)) for crop, points, to in each]
        return [self._engine.prepare(face) for face in faces]

    def _direct(self, work: PairWork) -> Any:
        """Return the pair's motion. It is kept, because a source video comes as many rows of the same pair."""
        if work.pair_id != self._directed_key:
            self._directed = self._engine.direct(self._motion(work), work.options)
            self._directed_key = work.pair_id
        return self._directed

    def _motion(self, work: PairWork) -> PairMotion:
        driving, source = self._templates.of_pair(work)
        return PairMotion(driving, driving_frames(work, source, driving), source)


def _stack_images(faces: Sequence[Frames]) -> NDArray[np.uint8]:
    return np.stack([face.images for face in faces]) if len(faces) > 1 else faces[0].images[np.newaxis]


def _stack_facts(faces: Sequence[Frames]) -> Arrays:
    return {name: np.stack([face.facts[name] for face in faces]) for name in faces[0].facts}
