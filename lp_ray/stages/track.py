"""Stage `track` (CPU): a driving clip in, its landmarks and face crops out, chunk by chunk.

Two passes over the file keep memory flat in the clip's length: the first finds the face in every frame and
spools the landmarks to disk, the second (only for engines that look at pictures) cuts the crops.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.engine.protocol import CROP_SIZE, Span
from lp_ray.errors import RefusedError
from lp_ray.face.crop import DrivingCrop
from lp_ray.face.factory import create_landmarker
from lp_ray.face.protocol import Image
from lp_ray.face.track import check_missing, fill_gaps, track_clip
from lp_ray.media.clip import Clip, open_clip
from lp_ray.settings import Settings
from lp_ray.stages.rows import Batch, ClipFacts, ClipRow, DrivingRef, Failure, TrackedChunk, empty

STAGE = "track"


@dataclass(frozen=True)
class _Track:
    """Landmarks of a whole clip (on disk), and in which frames there were none."""

    points: NDArray[np.float64]
    missing: tuple[int, ...]


class TrackClips:
    """Ray Data callable: ClipRow -> TrackedChunk, one per chunk, or one with a failure."""

    def __init__(self, settings: Settings, needs_crops: bool) -> None:
        self._settings = settings
        self._needs_crops = needs_crops
        self._landmarker = create_landmarker(settings.landmarker)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for row in ClipRow.from_batch(batch):
            for chunk in self._guarded(row):
                yield chunk.to_batch()

    def _guarded(self, row: ClipRow) -> Iterator[TrackedChunk]:
        """Turn an input's error into its row: nothing another clip does depends on it."""
        try:
            yield from self._track(row)
        except RefusedError:
            raise
        except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
            yield self._failed(row, error)

    def _failed(self, row: ClipRow, error: Exception) -> TrackedChunk:
        none = empty(self._landmarker.n_points, 3, dtype=np.float64)
        crops = empty(CROP_SIZE, CROP_SIZE, 3, dtype=np.uint8)
        return TrackedChunk(row.template_key, 0, None, none, crops, 0.0, Failure.of(STAGE, error))

    def _track(self, row: ClipRow) -> Iterator[TrackedChunk]:
        settings = self._settings
        started = time.perf_counter()
        with storage.local_copy(row.driving.uri, settings.limits) as path, TemporaryDirectory() as spool:
            clip = open_clip(path, settings.limits, row.driving.start_s, row.driving.end_s)
            track = self._find_faces(clip, row.driving, Path(spool))
            check_missing(track.missing, len(track.points), settings.max_missing_fraction)
            span = Span(0, len(track.points), settings.chunk_frames)
            facts = ClipFacts(
                clip.fps.numerator, clip.fps.denominator, span.stop, len(list(span.chunks())), track.missing
            )
            for index, ((start, stop), crops) in enumerate(
                zip(span.chunks(), self._crops(clip, track.points, span), strict=True)
            ):
                seconds = time.perf_counter() - started
                points = np.array(track.points[start:stop])
                yield TrackedChunk(row.template_key, index, facts, points, crops, seconds, None)
                started = time.perf_counter()

    def _find_faces(self, clip: Clip, driving: DrivingRef, spool: Path) -> _Track:
        file = spool / "points.f8"
        missing: list[int] = []
        shape: tuple[int, ...] = ()
        tracked = track_clip(clip.frames(), self._landmarker, driving.face)
        with file.open("wb") as sink:
            for frame in fill_gaps(tracked, missing):
                shape = frame.points.shape
                sink.write(np.ascontiguousarray(frame.points, np.float64).tobytes())
        return _Track(np.memmap(file, np.float64, "r").reshape(-1, *shape), tuple(missing))

    def _crops(self, clip: Clip, points: NDArray[np.float64], span: Span) -> Iterator[NDArray[np.uint8]]:
        """Yield the crops of each chunk, or empty arrays for an engine that reads landmarks alone."""
        if not self._needs_crops:
            for _ in span.chunks():
                yield empty(CROP_SIZE, CROP_SIZE, 3, dtype=np.uint8)
            return
        crop = DrivingCrop.of_clip(points, CROP_SIZE)
        frames = clip.frames()
        for start, stop in span.chunks():
            yield np.stack([crop.cut(frame) for frame in _take(frames, stop - start)])


def _take(frames: Iterator[Image], n: int) -> Iterable[Image]:
    for _ in range(n):
        yield next(frames)
