"""Stage `animate` (engine): takes a span of a pair and gives its animated frames, one chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.caching import Cache
from lp_ray.engine.protocol import FRAME_SIZE, FinishingEngine, Frames, PairMotion, SourceCrops, Span
from lp_ray.face.crop import aspect
from lp_ray.motion.performed import of_faces
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
        self._directed: list[Any] = []

    def work(self, row: SourcedSpan) -> Iterator[AnimatedChunk]:
        work, span = row.work, Span(row.start, row.stop, row.work.chunk)
        if work.part is not None:
            yield self._part(row)
            return
        if len(row.picture):
            yield from self._finished(row, span)
            return
        faces = self._animate(row, span)
        for index, _ in enumerate(span.chunks(), row.index):
            made = [next(face) for face in faces]
            chunk = _chunk(row, index, made)
            del made
            yield chunk
            del chunk  # else this frame would hold it while the next one is made

    def _finished(self, row: SourcedSpan, span: Span) -> Iterator[AnimatedChunk]:
        """Yield chunks of frames that the engine finishes: whole pictures leave it, no crops."""
        engine, prepared = cast(FinishingEngine, self._engine), self._prepare(row)
        directions = self._direct(row.work, len(prepared))
        made = engine.finish(prepared, directions, span, np.array(row.picture[0]), row.to_crop[:, 0])
        nothing = np.empty((len(prepared), 0, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
        for index, _ in enumerate(span.chunks(), row.index):
            done = next(made)
            facts, placed = of_faces(done.facts), (row.to_crop, row.present)
            yield AnimatedChunk(row.work, index, row.facts, facts, nothing, *placed, planes=done.planes)
            del done  # else this frame would hold it while the next one is made

    def _part(self, row: SourcedSpan) -> AnimatedChunk:
        """Return a chunk of a source video of which only a part is animated. The engine knows no other frames."""
        work, shown = row.work, row.work.animated_of(row.start, row.stop)
        if not shown:
            nothing = np.empty((len(row.crops), 0, FRAME_SIZE, FRAME_SIZE, 3), np.uint8)
            return AnimatedChunk(work, row.index, row.facts, {}, nothing, row.to_crop, row.present)
        inside = slice(shown.start - row.start, shown.stop - row.start)
        alpha = row.alpha[:, inside] if len(row.alpha) else row.alpha
        cropped = replace(row, crops=row.crops[:, inside], points=row.points[:, inside], alpha=alpha)
        first = work.animated.start
        made = [
            next(face) for face in self._animate(cropped, Span(shown.start - first, shown.stop - first, len(shown)))
        ]
        return _chunk(row, row.index, made)

    def _animate(self, row: SourcedSpan, span: Span) -> list[Iterator[Frames]]:
        """Return the frames of each face of a source, chunk by chunk."""
        prepared = self._prepare(row)
        directed = zip(prepared, self._direct(row.work, len(prepared)), strict=True)
        return [self._engine.animate(face, direction, span) for face, direction in directed]

    def _prepare(self, row: SourcedSpan) -> list[Any]:
        """Return the prepared faces of a source. Those of a picture are kept for the following pairs."""
        if row.work.source.is_video:
            alpha = row.alpha if len(row.alpha) else [None] * len(row.crops)
            each = zip(row.crops, row.points, alpha, strict=True)
            faces = [SourceCrops(np.array(c), np.array(p), is_video=True, alpha=_copied(a)) for c, p, a in each]
            return [self._engine.prepare(face) for face in faces]
        key = (row.work.source.key, row.to_crop.tobytes(), row.crops.shape, row.alpha.shape)
        return self._pictures.get(key, lambda: self._prepare_faces(row))

    def _prepare_faces(self, row: SourcedSpan) -> list[Any]:
        each = zip(row.crops, row.points, row.to_crop, strict=True)
        faces = [SourceCrops(crop.copy(), points.copy(), aspect=aspect(to[0])) for crop, points, to in each]
        if len(row.alpha):
            faces = [replace(face, alpha=alpha.copy()) for face, alpha in zip(faces, row.alpha, strict=True)]
        return [self._engine.prepare(face) for face in faces]

    def _direct(self, work: PairWork, n_faces: int) -> list[Any]:
        """Return the motion of each face. It is kept, because a source video comes as many rows of the same pair."""
        if work.pair_id != self._directed_key:
            self._directed = [self._engine.direct(motion, work.options) for motion in self._motions(work, n_faces)]
            self._directed_key = work.pair_id
        return self._directed

    def _motions(self, work: PairWork, n_faces: int) -> list[PairMotion]:
        motions = []
        for place in range(n_faces):
            driving, source = self._templates.of_pair(work.of_role(place))
            own = None if source is None else source.face(work.face_of(place))
            motions.append(PairMotion(driving, driving_frames(work, source, driving), own))
        return motions


def _stack_images(faces: Sequence[Frames]) -> NDArray[np.uint8]:
    return np.stack([face.images for face in faces]) if len(faces) > 1 else faces[0].images[np.newaxis]


def _chunk(row: SourcedSpan, index: int, faces: Sequence[Frames]) -> AnimatedChunk:
    """Return what was made of a chunk, with how opaque the frames are, if the engine tells."""
    placed = row.to_crop, row.present
    facts = of_faces([face.facts for face in faces])
    chunk = AnimatedChunk(row.work, index, row.facts, facts, _stack_images(faces), *placed)
    alpha = [face.alpha for face in faces if face.alpha is not None]
    return replace(chunk, alpha=np.stack(alpha)) if alpha else chunk


def _copied(plane: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    return None if plane is None else np.array(plane)
