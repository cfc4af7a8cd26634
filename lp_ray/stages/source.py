"""Stage `source` (CPU): the source of each span, found and cropped once however many pairs share it.

Of a picture one row with a crop for each face; of a video a row for each chunk of the span, its frames cropped as
the source's own template says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lp_ray.base import metrics
from lp_ray.base.arrays import Box, Image
from lp_ray.base.errors import NoFaceError, RefusedError, UnsupportedError
from lp_ray.base.rows import Batch, empty
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.failure import Failure
from lp_ray.contract.options import make_options
from lp_ray.contract.variants import AUTO
from lp_ray.engine.protocol import FRAME_SIZE, Span
from lp_ray.face.factory import create_landmarker
from lp_ray.face.framing import SourceFraming
from lp_ray.face.portrait import Portrait, crop_box, crop_face, crop_portrait, crop_portraits, crop_whole
from lp_ray.face.select import select_face
from lp_ray.plan.framing import source_framing
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork, SourceFacts, SourceRef
from lp_ray.stages.animals import AnimalFinder
from lp_ray.stages.extract import CROP_POINTS, TO_CROP
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, read_picture
from lp_ray.stages.rows import SourcedSpan, SpanRow

STAGE = "source"


@dataclass(frozen=True)
class _Crops:
    """See SourcedSpan."""

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    facts: SourceFacts


class CropSources:
    """Ray Data callable: SpanRow -> SourcedSpan, one for one, or one per chunk of a source video."""

    def __init__(self, settings: Settings, source_size: int) -> None:
        """`source_size` is the side of the crops that the engine reads."""
        self._settings = settings
        self._size = source_size
        self._variant = settings.engine.variant
        self._landmarker = create_landmarker(settings.landmarker)
        self._animal_finder = AnimalFinder(settings)
        self._portraits = lru_cache(settings.source_cache)(self._find_portraits)
        self._clips = OpenClips(settings.limits)
        self._templates = TemplateCache(settings.templates)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for row in SpanRow.from_batch(batch):
            for sourced in self._source(row):
                yield sourced.to_batch()

    def _source(self, row: SpanRow) -> Iterator[SourcedSpan]:
        work = row.work
        framing = source_framing(make_options(work.options, f"pair {work.pair_id}"))
        if work.source.is_video:
            yield from self._video(row, framing)
            return
        started = time.perf_counter()
        hits = self._portraits.cache_info().hits
        found = self._portraits(work.source, framing)
        metrics.cache_looked_up("source", hit=self._portraits.cache_info().hits > hits)
        yield self._sourced(work, row.start, row.stop, found, time.perf_counter() - started)

    def _video(self, row: SpanRow, framing: SourceFraming) -> Iterator[SourcedSpan]:
        """Go through the span's frames once, a chunk at a time; the first error ends it."""
        work, started = row.work, time.perf_counter()
        start, stop = row.start, row.stop
        try:
            for (start, stop), crops in self._video_crops(work, framing, Span(row.start, row.stop, work.chunk)):
                yield self._sourced(work, start, stop, crops, time.perf_counter() - started)
                started = time.perf_counter()
        except RefusedError:
            raise
        except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
            yield self._sourced(work, start, stop, Failure.of(STAGE, error), time.perf_counter() - started)

    def _video_crops(
        self, work: PairWork, framing: SourceFraming, span: Span
    ) -> Iterator[tuple[tuple[int, int], _Crops]]:
        clip = self._clips.video(work.source.uri, work.source.version)
        template = self._templates.get(work.source_template)
        frames = clip.frames(span.start, span.stop - span.start)
        facts = SourceFacts(*clip.size)
        for start, stop in span.chunks():
            kept = template.read(start, stop, (TO_CROP, CROP_POINTS))
            matrices = kept[TO_CROP].astype(np.float64)
            images = [framing.cut(framing.limit(next(frames)), matrix, FRAME_SIZE, self._size) for matrix in matrices]
            yield (start, stop), _Crops(np.stack(images), kept[CROP_POINTS].astype(np.float64), matrices, facts)
        frames.close()

    def _sourced(self, work: PairWork, start: int, stop: int, found: _Crops | Failure, seconds: float) -> SourcedSpan:
        metrics.stage_worked(STAGE, seconds)
        if isinstance(found, Failure):
            return failed_span(work, start, stop, self._size, seconds, found)
        return SourcedSpan(work, start, stop, found.images, found.points, found.to_crop, found.facts, seconds, None)

    def _find_portraits(self, source: SourceRef, framing: SourceFraming) -> _Crops | Failure:
        """A failure is an answer too: it is cached, so a bad picture is read once, not once per pair."""
        try:
            picture = read_picture(source.uri, framing, self._settings.limits, source.version)
            portraits = self._faces(picture, source, framing)
        except RefusedError:
            raise
        except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
            return Failure.of(STAGE, error)
        return _Crops(
            np.stack([portrait.crop for portrait in portraits]),
            np.stack([portrait.points for portrait in portraits]),
            np.stack([portrait.to_crop for portrait in portraits]),
            picture.facts,
        )

    def _faces(self, picture: Picture, source: SourceRef, framing: SourceFraming) -> list[Portrait]:
        image, facts = picture.image, picture.facts
        box = None if source.box is None else framing.limit_box(source.box, facts.width, facts.height)
        if self._variant == "animal":
            return self._animals(image, source, box, framing)
        if source.face == ALL_FACES:
            return crop_portraits(image, self._landmarker.detect(image), framing, self._size)
        try:
            return [crop_portrait(image, self._landmarker, source.face, box, framing, self._size)]
        except NoFaceError as error:
            if source.subject == AUTO:
                raise NoFaceError(f"{error}; an animal needs engine=liveportrait engine.variant=animal") from error
            raise

    def _animals(self, image: Image, source: SourceRef, box: Box | None, framing: SourceFraming) -> list[Portrait]:
        """A box is taken at its word, and a picture that is a crop already needs no face."""
        if not framing.crop:
            return [crop_whole(image, framing, self._size)]
        if box is not None:
            return [crop_box(image, box, framing, self._size)]
        if source.subject == AUTO and (people := self._landmarker.detect(image)):
            raise UnsupportedError(
                f"subject=auto: a person's face was found (score {max(face.score for face in people):.2f}), and this "
                "job animates animals: use engine.variant=human for it, or say subject=animal if it is one"
            )
        faces = self._animal_finder.find(image, source, framing)
        if source.face == ALL_FACES:
            return crop_portraits(image, faces, framing, self._size)
        return [crop_face(image, select_face(faces, source.face), framing, self._size)]


def failed_span(work: PairWork, start: int, stop: int, size: int, seconds: float, failure: Failure) -> SourcedSpan:
    """Return the row of a span whose source cannot be had; `size` is the side of the crops that it lacks."""
    images = empty(size, size, 3, dtype=np.uint8)
    nothing = empty(0, 3, dtype=np.float64), empty(2, 3, dtype=np.float64)
    return SourcedSpan(work, start, stop, images, *nothing, None, seconds, failure)
