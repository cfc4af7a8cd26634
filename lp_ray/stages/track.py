"""Stage `track` (CPU): takes a driving or a source video and gives its landmarks and face crops, chunk by chunk.

It reads the file twice, so that memory does not grow with the clip. The first pass finds the face in every frame and
writes the landmarks to disk. The second pass, only for engines that need pictures, cuts the crops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.arrays import Box, Image, Matrix
from lp_ray.base.errors import UnsupportedError
from lp_ray.engine.protocol import CROP_SIZE, FRAME_SIZE, Span
from lp_ray.face.crop import PointsOfClip, transform_points
from lp_ray.face.factory import create_landmarker
from lp_ray.face.framing import ClipCrop, DrivingFraming, SourceFraming
from lp_ray.face.track import check_missing, fill_gaps, track_clip
from lp_ray.media.clip import Clip, Footage, Still, open_footage
from lp_ray.plan.devices import Part
from lp_ray.plan.work import ClipRef, ClipRow
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.rows import ClipFacts, TrackedChunk


@dataclass(frozen=True)
class _Piece:
    """The arrays of a chunk: see TrackedChunk."""

    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    crops: NDArray[np.uint8]


@dataclass(frozen=True)
class _Driving:
    """Tracks a driving: frames in their own size, and one crop for the whole clip."""

    framing: DrivingFraming

    @property
    def tracks(self) -> bool:
        return self.framing.track

    def frames(self, clip: Footage) -> Iterator[Image]:
        return clip.frames()

    def box(self, ref: ClipRef, clip: Footage) -> Box | None:
        return ref.box

    def crop(self, points: PointsOfClip, size: tuple[int, int]) -> ClipCrop:
        return self.framing.place(points, *size, CROP_SIZE)

    def pieces(self, clip: Footage, points: PointsOfClip, span: Span, pictures: bool) -> Iterator[_Piece]:
        crop = self.crop(points, clip.size)
        frames = clip.frames() if pictures else iter(())
        for start, stop in span.chunks():
            crops = [crop.cut(frame) for frame in islice(frames, stop - start)]
            yield _Piece(points[start:stop], np.empty((0, 2, 3)), _stack(crops))


@dataclass(frozen=True)
class _Source:
    """Tracks a source video: frames of limited size, and a crop for each frame."""

    framing: SourceFraming
    tracks: bool = True

    def frames(self, clip: Footage) -> Iterator[Image]:
        return (self.framing.limit(frame) for frame in clip.frames())

    def box(self, ref: ClipRef, clip: Footage) -> Box | None:
        return None if ref.box is None else self.framing.limit_box(ref.box, *clip.size)

    def crop(self, points: PointsOfClip, size: tuple[int, int]) -> None:
        return None

    def pieces(self, clip: Footage, points: PointsOfClip, span: Span, pictures: bool) -> Iterator[_Piece]:
        frames = self.frames(clip)
        whole = (
            None if self.framing.crop else _stored(self.framing.matrix_of_whole(next(self.frames(clip)), FRAME_SIZE))
        )
        for start, stop in span.chunks():
            shown = points[start:stop]
            matrices = [_stored(self.framing.matrix(face, FRAME_SIZE)) if whole is None else whole for face in shown]
            seen = zip(islice(frames, len(shown)), matrices, strict=True) if pictures else ()
            crops = [self.framing.cut(frame, matrix, FRAME_SIZE, CROP_SIZE) for frame, matrix in seen]
            placed = [transform_points(face, matrix) for face, matrix in zip(shown, matrices, strict=True)]
            yield _Piece(np.stack(placed), np.stack(matrices), _stack(crops))


class _Spool:
    """Landmarks of a whole clip on disk, read by slices. A memory map would not do: its pages stay in memory."""

    def __init__(self, file: Path, shape: tuple[int, ...]) -> None:
        self._file, self._shape = file, shape
        self._count = math.prod(shape)

    def __len__(self) -> int:
        return self._file.stat().st_size // (8 * self._count) if self._count else 0

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        start, stop, _ = rows.indices(len(self))
        count = max(stop - start, 0) * self._count
        read = np.fromfile(self._file, np.float64, count, offset=8 * start * self._count)
        return read.reshape(-1, *self._shape)


@dataclass(frozen=True)
class _Track:
    """Landmarks of a whole clip, and the frames in which no face was found."""

    points: PointsOfClip
    missing: tuple[int, ...]


class TrackClips(Stage[ClipRow, TrackedChunk]):
    """One row for each chunk of a clip."""

    name = "track"
    takes, gives = ClipRow, TrackedChunk
    uses = frozenset({Part.DETECTOR})
    share = Share(on_cpu=0.9, beside_gpus=1.0)
    sheltered = True

    def __init__(self, bench: Bench) -> None:
        self._settings = bench.settings
        self._needs_crops = bench.engine.needs_crops
        self._landmarker = create_landmarker(bench.settings.landmarker)

    @classmethod
    def input_of(cls, row: ClipRow) -> str:
        return row.template_key

    def work(self, row: ClipRow) -> Iterator[TrackedChunk]:
        settings, ref = self._settings, row.clip
        with storage.local_copy(ref.uri, settings.limits, ref.version) as path, TemporaryDirectory() as spool:
            clip = open_footage(path, settings.limits, ref.start_s, ref.end_s)
            role = _role(row, clip)
            track = self._find_faces(role, clip, ref, Path(spool))
            check_missing(track.missing, len(track.points), settings.max_missing_fraction)
            span = Span(0, len(track.points), settings.chunk_frames)
            facts = _facts(clip, track, span, role.crop(track.points, clip.size))
            for index, piece in enumerate(role.pieces(clip, track.points, span, self._needs_crops)):
                if index == facts.n_chunks - 1:  # the last chunk completes the template
                    storage.check_version(ref.uri, ref.version)
                yield TrackedChunk(row.template_key, index, facts, piece.points, piece.to_crop, piece.crops)
                del piece  # else this function would hold it while the next one is made

    def _find_faces(self, role: _Driving | _Source, clip: Footage, ref: ClipRef, spool: Path) -> _Track:
        if not role.tracks:
            return _Track(np.empty((clip.n_frames, 0, 3)), ())
        file = spool / "points.f8"
        missing: list[int] = []
        shape: tuple[int, ...] = ()
        tracked = track_clip(role.frames(clip), self._landmarker, ref.face, role.box(ref, clip))
        with file.open("wb") as sink:
            for frame in fill_gaps(tracked, missing):
                shape = frame.points.shape
                sink.write(np.ascontiguousarray(frame.points, np.float64).tobytes())
        return _Track(_Spool(file, shape), tuple(missing))


def _facts(clip: Footage, track: _Track, span: Span, crop: ClipCrop | None) -> ClipFacts:
    return ClipFacts(
        clip.fps.numerator,
        clip.fps.denominator,
        span.stop,
        len(list(span.chunks())),
        track.missing,
        clip.size,
        None if crop is None or crop.matrix is None else tuple(crop.matrix.ravel().tolist()),
    )


def _role(row: ClipRow, clip: Clip | Still) -> _Driving | _Source:
    if row.driving is not None:
        return _Driving(row.driving)
    if row.source is None:
        raise ValueError("a clip is a driving or a source")
    if isinstance(clip, Still):
        raise UnsupportedError("the source is a picture under a video's name: say media='image' in the manifest")
    return _Source(row.source)


def _stored(matrix: Matrix) -> Matrix:
    """Return a matrix as the template stores it, so that later stages cut exactly the same crop."""
    return matrix.astype(np.float32).astype(np.float64)


def _stack(crops: list[Image]) -> NDArray[np.uint8]:
    return np.stack(crops) if crops else np.empty((0, CROP_SIZE, CROP_SIZE, 3), np.uint8)
