"""Stage `source` (CPU): finds and crops the source of each span, once for all pairs that share it.

For a picture it gives one row per span, with a crop of each face. For a video it gives one row per chunk of the span;
the frames are cropped as the source's own template says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Box, Image
from lp_ray.base.caching import Cache
from lp_ray.base.errors import NoFaceError
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.variants import AUTO
from lp_ray.engine.protocol import FRAME_SIZE, Span
from lp_ray.face.framing import SourceFraming
from lp_ray.face.portrait import Portrait, crop_box, crop_face, crop_portrait, crop_portraits, crop_whole
from lp_ray.face.select import select_face
from lp_ray.media.encode import LEAST_SIDE
from lp_ray.media.formats.protocol import takes_planes
from lp_ray.motion.template import TemplateReader
from lp_ray.plan.devices import Part
from lp_ray.plan.framing import source_framing
from lp_ray.plan.work import PairWork, SourceFacts, SourceRef, SpanRow
from lp_ray.stages.animals import AnimalFinder, refuse_people
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.extract import CROP_POINTS, PRESENT, TO_CROP
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, limited, read_picture
from lp_ray.stages.rows import SourcedSpan


@dataclass(frozen=True)
class _Crops:
    """The arrays and facts of a SourcedSpan."""

    images: NDArray[np.uint8]
    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    present: NDArray[np.bool_]
    facts: SourceFacts
    alpha: NDArray[np.uint8] | None
    picture: Image | None = None
    """The whole picture, if the engine may finish frames."""

    def take(self, faces: list[int]) -> _Crops:
        """Return those of some of the faces."""
        if faces == [*range(len(self.images))]:
            return self
        alpha = None if self.alpha is None else self.alpha[faces]
        each = self.images[faces], self.points[faces], self.to_crop[faces], self.present[faces]
        return _Crops(*each, self.facts, alpha, self.picture)


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
        self._engine_finishes = bench.engine.finishes
        self._variant = settings.engine.variant
        self._landmarker = bench.create_landmarker(settings.landmarker)
        self._animal_finder = AnimalFinder(bench)
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
        source, alpha = row.work.source, row.work.keeps_alpha
        found = self._portraits.get((source, framing, alpha), lambda: self._find_portraits(source, framing, alpha))
        found = found.take(_animated(row.work, len(found.images)))
        sourced = _sourced(row.work, row.start, row.stop, found)
        finished = found.picture is not None and finished_by_engine(row.work, found.picture)
        yield replace(sourced, picture=found.picture[None]) if found.picture is not None and finished else sourced

    def _video(self, row: SpanRow, framing: SourceFraming) -> Iterator[SourcedSpan]:
        """Read the span's frames once, one chunk at a time, and crop them as the source's own template says."""
        work, span = row.work, Span(row.start, row.stop, row.work.chunk)
        clip = self._clips.video(work.source.uri, work.source.version)
        template = self._templates.get(work.source_template)
        frames = clip.frames(span.start, span.stop - span.start, alpha=work.keeps_alpha)
        facts = SourceFacts(*clip.size)
        chosen = _animated(work, template.header.n_faces or 1)
        for start, stop in span.chunks():
            points, matrices, present = _placed(template, start, stop, chosen)
            images = np.empty((*present.shape, self._size, self._size, 3), np.uint8)
            opacity = np.empty(images.shape[:-1], np.uint8) if work.keeps_alpha else None
            for i in range(stop - start):
                frame, alpha = limited(next(frames), framing)
                for face, matrix in enumerate(matrices[:, i]):
                    images[face, i] = framing.cut(frame, matrix, FRAME_SIZE, self._size)
                    if opacity is not None and alpha is not None:
                        opacity[face, i] = framing.cut_alpha(alpha, matrix, FRAME_SIZE, self._size)
            yield _sourced(work, start, stop, _Crops(images, points, matrices, present, facts, opacity))
        frames.close()

    def _find_portraits(self, source: SourceRef, framing: SourceFraming, keeps_alpha: bool) -> _Crops:
        picture = read_picture(source.uri, framing, self._limits, source.version, source.stated, keeps_alpha)
        portraits = self._faces(picture, source, framing)
        alpha = picture.alpha
        return _Crops(
            np.stack([portrait.crop[None] for portrait in portraits]),
            np.stack([portrait.points[None] for portrait in portraits]),
            np.stack([portrait.to_crop[None] for portrait in portraits]),
            np.ones((len(portraits), 1), np.bool_),
            picture.facts,
            None
            if alpha is None
            else np.stack([framing.cut_alpha(alpha, each.to_crop, FRAME_SIZE, self._size)[None] for each in portraits]),
            picture.image if self._engine_finishes else None,
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
        if source.subject == AUTO:
            refuse_people(self._landmarker.detect(image))
        faces = self._animal_finder.find(image, source, framing)
        if source.face == ALL_FACES:
            return crop_portraits(image, faces, framing, self._size)
        return [crop_face(image, select_face(faces, source.face), framing, self._size)]


def finished_by_engine(work: PairWork, picture: Image) -> bool:
    """Return whether an engine that finishes frames does so for this pair of a picture.

    Not where the crops themselves are wanted (no paste-back, a comparison), where transparency goes through, or where
    the format does not take planes.
    """
    options = work.options
    plain = options.paste_back and not options.comparison and not work.keeps_alpha
    return plain and takes_planes(FORMATS.get(work.format)) and min(picture.shape[:2]) >= LEAST_SIDE


def _sourced(work: PairWork, start: int, stop: int, found: _Crops) -> SourcedSpan:
    span = SourcedSpan(work, start, stop, found.facts, found.images, found.points, found.to_crop, found.present)
    return span if found.alpha is None else replace(span, alpha=found.alpha)


def _animated(work: PairWork, n_faces: int) -> list[int]:
    """Return which of a source's faces are animated. Raises NoFaceError if it shows fewer than have a driving."""
    faces = [role.face for role in work.roles] or [*range(n_faces)]
    if faces[-1] >= n_faces:
        found = "1 face was" if n_faces == 1 else f"{n_faces} faces were"
        raise NoFaceError(f"drivings names a driving for face {faces[-1]} (counting from 0), but {found} found")
    return faces


def _placed(
    template: TemplateReader, start: int, stop: int, faces: list[int]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return landmarks, faces x n x K x D, matrices, faces x n x 2 x 3, and presence, faces x n, of some faces in a
    source video's frames."""
    kept = template.read(start, stop, (TO_CROP, CROP_POINTS))
    if template.header.n_faces is None:
        points, matrices = kept[CROP_POINTS][None], kept[TO_CROP][None]
        present = np.ones(matrices.shape[:2], np.bool_)
    else:
        points, matrices = kept[CROP_POINTS].swapaxes(0, 1), kept[TO_CROP].swapaxes(0, 1)
        present = template.read(start, stop, (PRESENT,))[PRESENT].T > 0
    return points[faces].astype(np.float64), matrices[faces].astype(np.float64), present[faces]
