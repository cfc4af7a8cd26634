"""Stage `write` (CPU): pastes animated crops back, encodes the frames and writes them to the output's staging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import AlphaImage, Image, Matrix, Plane
from lp_ray.base.caching import Cache
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.media_kinds import is_template
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.compare import fit, side_by_side
from lp_ray.face.crop import invert
from lp_ray.face.framing import SourceFraming, crop_of
from lp_ray.face.paste_back import PasteBack
from lp_ray.face.paste_changes import PasteChanges
from lp_ray.media.alpha import joined, straight
from lp_ray.media.formats.protocol import Encoding, takes_planes
from lp_ray.media.gather import gather
from lp_ray.output.sidecars.protocol import SIDECARS, ChunkFacts
from lp_ray.plan.devices import Part
from lp_ray.plan.framing import source_framing
from lp_ray.plan.work import PairWork, SourceRef
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.measuring.asked import write_asked
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, driving_frames, limited, read_picture
from lp_ray.stages.rows import AnimatedChunk, StagedSegment

_NO_ALPHA = np.empty((0, 0), np.uint8)


@dataclass(frozen=True)
class _Job:
    """A chunk and the options of its pair."""

    chunk: AnimatedChunk
    framing: SourceFraming

    @property
    def work(self) -> PairWork:
        return self.chunk.work

    @property
    def first(self) -> int:
        """The output frame that the chunk starts with."""
        return self.chunk.index * self.work.chunk

    def shown(self, frame: int) -> int | None:
        """Return which of the animated frames a frame of the chunk is; None: none, it is the source's own."""
        animated, number = self.chunk.animated, self.first + frame
        return number - animated.start if number in animated else None

    @property
    def moves_alpha(self) -> bool:
        """Whether the engine has moved the source's transparency with its pixels."""
        return bool(len(self.chunk.alpha))

    @property
    def encoding(self) -> Encoding:
        options = self.work.options
        return Encoding(self.work.fps, self.first, options.crf, options.preset, options.encoder)


class WriteSegments(Stage[AnimatedChunk, StagedSegment]):
    """One staged segment for each chunk, with its part of the comparison and of every sidecar."""

    name = "write"
    takes, gives = AnimatedChunk, StagedSegment
    uses = frozenset({Part.ENCODER})
    share = Share(on_cpu=0.4, beside_gpus=0.75)

    def __init__(self, bench: Bench) -> None:
        settings = bench.settings
        self._limits = settings.limits
        self._layout = settings.output_layout
        self._sidecars = {name: SIDECARS.get(name) for name in settings.sidecars}
        self._keeps_asked = settings.measuring.keeps_asked
        self._templates = TemplateCache(settings.templates)
        self._clips = OpenClips(settings.limits)
        self._picture = lru_cache(settings.source_cache)(self._read_picture)
        self._keeps_pixels = bench.engine.keeps_pixels
        self._paste_back = Cache[PasteBack | PasteChanges]("paste_back", 4 * settings.source_cache)

    def work(self, row: AnimatedChunk) -> Iterator[StagedSegment]:
        job = _Job(row, source_framing(row.work.options, self._keeps_pixels))
        work, layout = job.work, self._layout
        made = FORMATS.get(work.format)
        with _staging(layout.segment(work.pair_id, row.index, made.segment_suffix)) as path:
            if len(row.planes) and takes_planes(made):
                made.write_planes(path, row.planes, job.encoding)
            else:
                made.write_segment(path, self._pictures(job), job.encoding)
        if work.options.comparison:
            shown = FORMATS.get(work.comparison_format)
            with _staging(layout.compared_segment(work.pair_id, row.index, shown.segment_suffix)) as path:
                shown.write_segment(path, self._comparisons(job), job.encoding)
        facts = ChunkFacts(row.frame_facts, row.animated.start, len(row.animated), work.fps)
        for name, sidecar in self._sidecars.items() if row.animated else ():
            with _staging(layout.sidecar_part(name, work.pair_id, row.index, sidecar.suffix)) as path:
                sidecar.write_part(path, facts)
        if self._keeps_asked:
            with _staging(layout.asked_part(work.pair_id, row.index)) as path:
                write_asked(path, row)
        yield StagedSegment(work.pair_id, row.index, row.n_frames, row.facts)

    def pictures(self, row: AnimatedChunk) -> Iterator[Image]:
        """Yield a chunk's finished pictures one by one, as they are encoded: straight ones if alpha is kept.

        Raises ValueError for a chunk that the engine has finished: its pictures are planes by now.
        """
        if len(row.planes):
            raise ValueError("these frames are yuv420p: use engine.finishing=cpu for pictures")
        return self._pictures(_Job(row, source_framing(row.work.options, self._keeps_pixels)))

    def _pictures(self, job: _Job) -> Iterator[Image | AlphaImage]:
        """Yield finished pictures one by one: a whole chunk of pasted-back pictures takes many times the memory of its
        crops."""
        return map(straight, self._on_white(job)) if job.work.keeps_alpha else self._over_white(job)

    def _over_white(self, job: _Job) -> Iterator[Image]:
        """Yield finished pictures without transparency."""
        if not job.work.options.paste_back and job.work.part is None:
            yield from job.chunk.frames[0]
            return
        for i, (picture, _) in enumerate(self._sources(job)):
            at = job.shown(i)
            if not job.work.options.paste_back:
                yield self._source_crop(job, picture, i) if at is None else job.chunk.frames[0, at]
                continue
            if at is not None:
                for face, paste in self._pastes(job, i, picture).items():
                    paste.blend(job.chunk.frames[face, at], picture)
            yield picture

    def _source_crop(self, job: _Job, picture: Image, frame: int) -> Image:
        """Return the source's crop, as large as an animated one."""
        matrix = job.chunk.to_crop[0, frame if job.work.source.is_video else 0]
        return job.framing.cut(picture, matrix, FRAME_SIZE, FRAME_SIZE)

    def _on_white(self, job: _Job) -> Iterator[AlphaImage]:
        """Yield finished pictures with how opaque they are, on white (`lp_ray.media.alpha`).

        Where the engine moves transparency, it is pasted back with the colours that moved with it. Else the source's
        stays where it is, in the crop too.
        """
        for i, (picture, alpha) in enumerate(self._sources(job)):
            at = job.shown(i)
            if not job.work.options.paste_back:
                crop = self._source_crop(job, picture, i) if at is None else job.chunk.frames[0, at]
                moved = at is not None and job.moves_alpha
                yield joined(crop, job.chunk.alpha[0, at] if moved else self._crop_alpha(job, alpha, i))
                continue
            shown = joined(picture, alpha) if job.moves_alpha else picture
            for face, paste in self._pastes(job, i, shown).items() if at is not None else ():
                frame = job.chunk.frames[face, at]
                paste.blend(joined(frame, job.chunk.alpha[face, at]) if job.moves_alpha else frame, shown)
            yield shown if job.moves_alpha else joined(shown, alpha)

    def _crop_alpha(self, job: _Job, alpha: Plane, frame: int) -> Plane:
        """Return how opaque the source's crop is."""
        matrix = job.chunk.to_crop[0, frame if job.work.source.is_video else 0]
        return job.framing.cut_alpha(alpha, matrix, FRAME_SIZE, FRAME_SIZE)

    def _sources(self, job: _Job) -> Iterator[tuple[Image, Plane]]:
        """Yield the source's picture over white for every frame of the chunk, and how opaque it is (nothing unless
        that is kept); each is a separate array."""
        work, n_frames = job.work, job.chunk.n_frames
        if work.source.is_video:
            clip = self._clips.video(work.source.uri, work.source.version)
            for frame in clip.frames(job.first, n_frames, alpha=work.keeps_alpha):
                image, alpha = limited(frame, job.framing)
                yield image.copy(), _NO_ALPHA if alpha is None else alpha
            return
        picture = self._picture(work.source, job.framing, work.keeps_alpha)
        for _ in range(n_frames):
            yield picture.image.copy(), _NO_ALPHA if picture.alpha is None else picture.alpha.copy()

    def _pastes(self, job: _Job, frame: int, picture: Image | AlphaImage) -> dict[int, PasteBack | PasteChanges]:
        """Return the paste-back of each face that is there in a frame. For a picture it is the same in all frames."""
        at = frame if job.work.source.is_video else 0
        there = np.flatnonzero(job.chunk.present[:, at]).tolist()
        paste = self._paste if job.work.source.is_video else self._paste_of
        return {face: paste(job, picture, job.chunk.to_crop[face, at]) for face in there}

    def _paste_of(self, job: _Job, picture: Image | AlphaImage, to_crop: Matrix) -> PasteBack | PasteChanges:
        shown = (job.work.source, job.framing, picture.shape[2]) if self._keeps_pixels else picture.shape
        return self._paste_back.get((shown, to_crop.tobytes()), lambda: self._paste(job, picture, to_crop))

    def _paste(self, job: _Job, picture: Image | AlphaImage, to_crop: Matrix) -> PasteBack | PasteChanges:
        """`picture` shows no result yet."""
        height, width, channels = picture.shape
        if not self._keeps_pixels:
            return PasteBack((height, width), invert(to_crop), channels)
        crop = job.framing.cut(np.ascontiguousarray(picture[..., :3]), to_crop, FRAME_SIZE, FRAME_SIZE)
        if channels == 4:
            alpha = np.ascontiguousarray(picture[..., 3])
            crop = joined(crop, job.framing.cut_alpha(alpha, to_crop, FRAME_SIZE, FRAME_SIZE))
        return PasteChanges(crop, to_crop)

    def _read_picture(self, source: SourceRef, framing: SourceFraming, alpha: bool) -> Picture:
        return read_picture(source.uri, framing, self._limits, source.version, source.stated, alpha)

    def _comparisons(self, job: _Job) -> Iterator[Image]:
        """Yield driving, source and result side by side. A motion template has no picture, so its panel is left out."""
        drivings = self._driving_pictures(job)
        for i, (source, result) in enumerate(self._source_and_result(job)):
            panels = [source, result] if drivings is None else [drivings[i], source, result]
            yield side_by_side(panels, FRAME_SIZE)

    def _source_and_result(self, job: _Job) -> Iterator[tuple[Image, Image]]:
        """Yield the crops of source and result, or the whole pictures if several faces are animated."""
        if job.work.source.face == ALL_FACES:
            for (source, _), result in zip(self._sources(job), self._over_white(job), strict=True):
                yield fit(source, FRAME_SIZE), fit(result, FRAME_SIZE)
            return
        for i, (source, _) in enumerate(self._sources(job)):
            crop, at = self._source_crop(job, source, i), job.shown(i)
            yield crop, crop if at is None else job.chunk.frames[0, at]

    def _driving_pictures(self, job: _Job) -> list[Image] | None:
        work = job.work
        if is_template(work.driving.uri):
            return None
        driving, source = self._templates.of_pair(work)
        followed = driving_frames(work, source, driving)
        places = np.arange(job.first, job.first + job.chunk.n_frames) - work.animated.start
        shown = followed[np.clip(places, 0, len(followed) - 1)]  # beside a part, the driving stands still
        driven = work.driving
        clip = self._clips.get(driven.uri, driven.start_s, driven.end_s, driven.version)
        return gather(clip, shown, crop_of(driving.header.matrix, FRAME_SIZE).cut)


@contextmanager
def _staging(uri: str) -> Iterator[Path]:
    """Yield a path to write to; at the end, store that file at `uri`."""
    with TemporaryDirectory(prefix="lp_ray-segment-") as folder:
        path = Path(folder) / uri.rpartition("/")[2]
        yield path
        storage.put_file(path, uri)
