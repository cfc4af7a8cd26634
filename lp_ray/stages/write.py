"""Stage `write` (CPU): pastes animated crops back, encodes the frames and writes them to the output's staging."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray import storage
from lp_ray.base.arrays import Image, Matrix
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
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.gather import gather
from lp_ray.output.sidecars.protocol import SIDECARS, ChunkFacts
from lp_ray.plan.devices import Part
from lp_ray.plan.framing import source_framing
from lp_ray.plan.work import PairWork, SourceRef
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.measuring.asked import write_asked
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, driving_frames, read_picture
from lp_ray.stages.rows import AnimatedChunk, StagedSegment


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
            made.write_segment(path, self._pictures(job), job.encoding)
        if work.options.comparison:
            shown = FORMATS.get(work.comparison_format)
            with _staging(layout.compared_segment(work.pair_id, row.index, shown.segment_suffix)) as path:
                shown.write_segment(path, self._comparisons(job), job.encoding)
        facts = ChunkFacts(row.frame_facts, job.first, row.n_frames, work.fps)
        for name, sidecar in self._sidecars.items():
            with _staging(layout.sidecar_part(name, work.pair_id, row.index, sidecar.suffix)) as path:
                sidecar.write_part(path, facts)
        if self._keeps_asked:
            with _staging(layout.asked_part(work.pair_id, row.index)) as path:
                write_asked(path, row)
        yield StagedSegment(work.pair_id, row.index, row.n_frames, row.facts)

    def _pictures(self, job: _Job) -> Iterator[Image]:
        """Yield finished pictures one by one: a whole chunk of pasted-back pictures takes many times the memory of its
        crops."""
        if not job.work.options.paste_back:
            yield from job.chunk.frames[0]
            return
        for i, picture in enumerate(self._sources(job)):
            for frame, paste in zip(job.chunk.frames[:, i], self._pastes(job, i, picture), strict=True):
                paste.blend(frame, picture)
            yield picture

    def _sources(self, job: _Job) -> Iterator[Image]:
        """Yield the source's picture for every frame of the chunk; each is a separate array."""
        work, n_frames = job.work, job.chunk.n_frames
        if work.source.is_video:
            for frame in self._clips.video(work.source.uri, work.source.version).frames(job.first, n_frames):
                yield job.framing.limit(frame).copy()
            return
        picture = self._picture(work.source, job.framing).image
        for _ in range(n_frames):
            yield picture.copy()

    def _pastes(self, job: _Job, frame: int, picture: Image) -> list[PasteBack | PasteChanges]:
        """Return the paste-back of each face in a frame. For a picture it is the same in all frames."""
        if job.work.source.is_video:
            return [self._paste(job.framing, picture, job.chunk.to_crop[frame])]
        return [self._paste_of(job, picture, matrix) for matrix in job.chunk.to_crop]

    def _paste_of(self, job: _Job, picture: Image, to_crop: Matrix) -> PasteBack | PasteChanges:
        shown = (job.work.source, job.framing) if self._keeps_pixels else picture.shape
        return self._paste_back.get((shown, to_crop.tobytes()), lambda: self._paste(job.framing, picture, to_crop))

    def _paste(self, framing: SourceFraming, picture: Image, to_crop: Matrix) -> PasteBack | PasteChanges:
        """`picture` shows no result yet."""
        if self._keeps_pixels:
            return PasteChanges(framing.cut(picture, to_crop, FRAME_SIZE, FRAME_SIZE), to_crop)
        return PasteBack((picture.shape[0], picture.shape[1]), invert(to_crop))

    def _read_picture(self, source: SourceRef, framing: SourceFraming) -> Picture:
        return read_picture(source.uri, framing, self._limits, source.version, source.stated)

    def _comparisons(self, job: _Job) -> Iterator[Image]:
        """Yield driving, source and result side by side. A motion template has no picture, so its panel is left out."""
        drivings = self._driving_pictures(job)
        for i, (source, result) in enumerate(self._source_and_result(job)):
            panels = [source, result] if drivings is None else [drivings[i], source, result]
            yield side_by_side(panels, FRAME_SIZE)

    def _source_and_result(self, job: _Job) -> Iterator[tuple[Image, Image]]:
        """Yield the crops of source and result, or the whole pictures if several faces are animated."""
        if job.work.source.face == ALL_FACES:
            for source, result in zip(self._sources(job), self._pictures(job), strict=True):
                yield fit(source, FRAME_SIZE), fit(result, FRAME_SIZE)
            return
        for i, source in enumerate(self._sources(job)):
            matrix = job.chunk.to_crop[i if job.work.source.is_video else 0]
            yield job.framing.cut(source, matrix, FRAME_SIZE, FRAME_SIZE), job.chunk.frames[0, i]

    def _driving_pictures(self, job: _Job) -> list[Image] | None:
        work = job.work
        if is_template(work.driving.uri):
            return None
        driving, source = self._templates.of_pair(work)
        shown = driving_frames(work, source, driving)[job.first :][: job.chunk.n_frames]
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
