"""Stage `write` (CPU): animated crops in, pasted back and encoded into the output's staging."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.rows import Batch
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.options import PairOptions, make_options
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.compare import fit, side_by_side
from lp_ray.face.crop import invert
from lp_ray.face.framing import SourceFraming, crop_of
from lp_ray.face.paste_back import PasteBack
from lp_ray.media.encode import encode_segment
from lp_ray.media.frames_zip import write_frames
from lp_ray.media.gather import gather
from lp_ray.media.images import write_image
from lp_ray.plan.framing import source_framing
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork, SourceRef
from lp_ray.stages.media import OpenClips, Picture, TemplateCache, driving_frames, read_picture
from lp_ray.stages.rows import AnimatedChunk, StagedSegment

STAGE = "write"


@dataclass(frozen=True)
class _Job:
    """A chunk with what its pair's options say."""

    chunk: AnimatedChunk
    options: PairOptions
    framing: SourceFraming

    @property
    def work(self) -> PairWork:
        return self.chunk.work

    @property
    def first(self) -> int:
        """Output frame that the chunk begins with."""
        return self.chunk.index * self.work.chunk


class WriteSegments:
    """Ray Data callable: AnimatedChunk -> StagedSegment, one for one."""

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.limits
        self._layout = settings.output_layout
        self._templates = TemplateCache(settings.templates)
        self._clips = OpenClips(settings.limits)
        self._picture = lru_cache(settings.source_cache)(self._read_picture)
        self._paste_back = lru_cache(4 * settings.source_cache)(_make_paste_back)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for chunk in AnimatedChunk.from_batch(batch):
            yield self._write(chunk).to_batch()

    def _write(self, chunk: AnimatedChunk) -> StagedSegment:
        started = time.perf_counter()
        failure = chunk.failure
        if failure is None:
            try:
                self._stage(chunk)
            except RefusedError:
                raise
            except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
                failure = Failure.of(STAGE, error)
        seconds = time.perf_counter() - started
        metrics.stage_worked(STAGE, seconds)
        return StagedSegment(
            chunk.work.pair_id,
            chunk.index,
            chunk.n_frames,
            chunk.facts,
            chunk.seconds_source,
            chunk.seconds_animate,
            seconds,
            failure,
        )

    def _stage(self, chunk: AnimatedChunk) -> None:
        options = make_options(chunk.work.options, f"pair {chunk.work.pair_id}")
        job = _Job(chunk, options, source_framing(options))
        work = job.work
        self._put(self._layout.segment(work.pair_id, chunk.index, work.kind), self._pictures(job), job)
        if options.comparison:
            self._put(self._layout.compared_segment(work.pair_id, chunk.index, work.kind), self._comparisons(job), job)

    def _put(self, uri: str, pictures: Iterator[Image], job: _Job) -> None:
        """Write pictures as the ending of `uri` says, and put them there."""
        with TemporaryDirectory(prefix="lp_ray-segment-") as folder:
            path = Path(folder) / uri.rpartition("/")[2]
            _WRITERS[path.suffix](path, pictures, job)
            storage.put_file(path, uri)

    def _pictures(self, job: _Job) -> Iterator[Image]:
        """Yield finished pictures one by one: a chunk of pasted-back frames would be many times its crops."""
        if not job.options.paste_back:
            yield from job.chunk.frames[0]
            return
        for i, picture in enumerate(self._sources(job)):
            for frame, paste in zip(job.chunk.frames[:, i], self._pastes(job, i, picture), strict=True):
                paste.blend(frame, picture)
            yield picture

    def _sources(self, job: _Job) -> Iterator[Image]:
        """Yield the source's picture of every frame of the chunk, each an array of its own."""
        work, n_frames = job.work, job.chunk.n_frames
        if work.source.is_video:
            for frame in self._clips.video(work.source.uri, work.source.version).frames(job.first, n_frames):
                yield job.framing.limit(frame).copy()
            return
        picture = self._picture(work.source, job.framing).image
        for _ in range(n_frames):
            yield picture.copy()

    def _pastes(self, job: _Job, frame: int, picture: Image) -> list[PasteBack]:
        """Return what pastes each face of a frame: of a picture the same for all frames."""
        shape = (picture.shape[0], picture.shape[1])
        if job.work.source.is_video:
            return [PasteBack(shape, invert(job.chunk.to_crop[frame]))]
        if frame == 0:
            hits = self._paste_back.cache_info().hits
            self._paste_back(shape, tuple(job.chunk.to_crop[0].ravel().tolist()))
            metrics.cache_looked_up("paste_back", hit=self._paste_back.cache_info().hits > hits)
        return [self._paste_back(shape, tuple(matrix.ravel().tolist())) for matrix in job.chunk.to_crop]

    def _read_picture(self, source: SourceRef, framing: SourceFraming) -> Picture:
        return read_picture(source.uri, framing, self._limits, source.version)

    def _comparisons(self, job: _Job) -> Iterator[Image]:
        """Yield driving, source and result side by side; a motion template has no picture to show."""
        drivings = self._driving_pictures(job)
        for i, (source, result) in enumerate(self._source_and_result(job)):
            panels = [source, result] if drivings is None else [drivings[i], source, result]
            yield side_by_side(panels, FRAME_SIZE)

    def _source_and_result(self, job: _Job) -> Iterator[tuple[Image, Image]]:
        """Yield the crops of source and result, or the whole pictures where several faces move."""
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
        shown = driving_frames(work, job.options, source, driving)[job.first :][: job.chunk.n_frames]
        driven = work.driving
        clip = self._clips.get(driven.uri, driven.start_s, driven.end_s, driven.version)
        return gather(clip, shown, crop_of(driving.header.matrix, FRAME_SIZE).cut)


def _make_paste_back(shape: tuple[int, int], to_crop: tuple[float, ...]) -> PasteBack:
    return PasteBack(shape, invert(np.reshape(to_crop, (2, 3))))


def _write_video(path: Path, pictures: Iterator[Image], job: _Job) -> None:
    options = job.options
    encode_segment(path, pictures, job.work.fps, options.crf, options.preset, encoder=options.encoder)


def _write_frames(path: Path, pictures: Iterator[Image], job: _Job) -> None:
    write_frames(path, pictures, job.first)


def _write_image(path: Path, pictures: Iterator[Image], job: _Job) -> None:
    write_image(path, next(pictures))


_WRITERS: dict[str, Callable[[Path, Iterator[Image], _Job], None]] = {
    ".mp4": _write_video,
    ".zip": _write_frames,
    ".png": _write_image,
}
