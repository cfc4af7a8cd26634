"""Stage `source` (CPU): finds and crops the source of each span, once for all pairs that share it.

For a picture it gives one row per span, with a crop of each face. For a video it gives one row per chunk of the span;
the frames are cropped as the source's own template says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Box, Image
from lp_ray.base.caching import Cache
from lp_ray.base.errors import NoFaceError, UnsupportedError
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.variants import AUTO
from lp_ray.engine.protocol import FRAME_SIZE, Span
from lp_ray.face.factory import create_landmarker
from lp_ray.face.framing import SourceFraming
from lp_ray.face.portrait import Portrait, crop_box, crop_face, crop_portrait, crop_portraits, crop_whole
from lp_ray.face.select import select_face
from lp_ray.plan.devices import Part
from lp_ray.plan.framing import source_framing
from lp_ray.plan.work import PairWork, SourceFacts, SourceRef, SpanRow
from lp_ray.stages.animals import AnimalFinder
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.extract import CROP_POINTS, TO_CROP
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, read_picture
from lp_ray.stages.rows import SourcedSpan


@dataclass(frozen=True)
class _Crops:
    """The arrays and facts of a SourcedSpan."""

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    facts: SourceFacts


class CropSources(Stage[SpanRow, SourcedSpan]):
    """One row for each span, or one for each chunk of a source video."""

    name = "source"
    takes, gives = SpanRow, SourcedSpan
    uses = frozenset({Part.DETECTOR, Part.ANIMAL_DETECTOR})
    share = Share(on_cpu=0.1, beside_gpus=0.25)
    sheltered = True

    def __init__(self, bench: Bench) -> None:
        settings = bench.settings
        self._limits = settings.limits
        self._size = bench.engine.source_size
        self._repeat_border = bench.engine.keeps_pixels
        self._variant = settings.engine.variant
        self._landmarker = create_landmarker(settings.landmarker)
        self._animal_finder = AnimalFinder(settings)
        self._portraits = Cache[_Crops]("source", settings.source_cache)
        self._clips = OpenClips(settings.limits)
        self._templates = TemplateCache(settings.templates)

    @classmethod
    def input_of(cls, row: SpanRow) -> str:
        return row.work.source.key

    def work(self, row: SpanRow) -> Iterator[SourcedSpan]:
        framing = source_framing(row.work.options, self._repeat_border)
        if row.work.source.is_video:
            yield from self._video(row, framing)
            return
        source = row.work.source
        found = self._portraits.get((source, framing), lambda: self._find_portraits(source, framing))
        yield _sourced(row.work, row.start, row.stop, found)

    def _video(self, row: SpanRow, framing: SourceFraming) -> Iterator[SourcedSpan]:
        """Read the span's frames once, one chunk at a time, and crop them as the source's own template says."""
        work, span = row.work, Span(row.start, row.stop, row.work.chunk)
        clip = self._clips.video(work.source.uri, work.source.version)
        template = self._templates.get(work.source_template)
        frames = clip.frames(span.start, span.stop - span.start)
        facts = SourceFacts(*clip.size)
        for start, stop in span.chunks():
            kept = template.read(start, stop, (TO_CROP, CROP_POINTS))
            matrices = kept[TO_CROP].astype(np.float64)
            images = [framing.cut(framing.limit(next(frames)), matrix, FRAME_SIZE, self._size) for matrix in matrices]
            crops = _Crops(np.stack(images), kept[CROP_POINTS].astype(np.float64), matrices, facts)
            yield _sourced(work, start, stop, crops)
        frames.close()

    def _find_portraits(self, source: SourceRef, framing: SourceFraming) -> _Crops:
        picture = read_picture(source.uri, framing, self._limits, source.version, source.stated)
        portraits = self._faces(picture, source, framing)
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
        """Return the animals in a picture. A box is trusted, and an uncropped picture (`crop` off) needs no face."""
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


def _sourced(work: PairWork, start: int, stop: int, found: _Crops) -> SourcedSpan:
    return SourcedSpan(work, start, stop, found.facts, found.images, found.points, found.to_crop)
