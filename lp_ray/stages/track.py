"""Stage `track` (CPU): takes a driving or a source video and gives its landmarks and face crops, chunk by chunk.

It reads the file twice, so that memory does not grow with the clip. The first pass finds the face in every frame and
writes the landmarks to disk. The second pass, only for engines that need pictures, cuts the crops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.arrays import Box, Image, Matrix, Points
from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.variants import AUTO
from lp_ray.engine.protocol import CROP_SIZE, FRAME_SIZE, Span
from lp_ray.face.animal_track import track_animal, track_box
from lp_ray.face.crop import transform_points
from lp_ray.face.framing import ClipCrop, DrivingFraming, SourceFraming
from lp_ray.face.people import track_people
from lp_ray.face.track import TrackedFrame, check_missing, track_clip
from lp_ray.media.clip import Clip, Footage, Still, open_footage
from lp_ray.plan.devices import Part
from lp_ray.plan.work import ClipRef, ClipRow
from lp_ray.stages.animals import AnimalFinder, refuse_people
from lp_ray.stages.contract import Bench, Share, Stage
from lp_ray.stages.rows import ClipFacts, TrackedChunk
from lp_ray.stages.tracks import Tracks


@dataclass(frozen=True)
class _Piece:
    """The arrays of a chunk: see TrackedChunk."""

    points: NDArray[np.float64]
    to_crop: NDArray[np.float64]
    crops: NDArray[np.uint8]
    present: NDArray[np.bool_]


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

    def crop(self, track: Tracks, size: tuple[int, int]) -> ClipCrop:
        return self.framing.place(track.faces[0], *size, CROP_SIZE)

    def pieces(self, clip: Footage, track: Tracks, span: Span, pictures: bool) -> Iterator[_Piece]:
        crop = self.crop(track, clip.size)
        frames = clip.frames() if pictures else iter(())
        for start, stop in span.chunks():
            crops = [crop.cut(frame) for frame in islice(frames, stop - start)]
            (points,) = track.slice(start, stop)
            yield _Piece(points[None], np.empty((1, 0, 2, 3)), _stack(crops)[None], track.present[:, start:stop])


@dataclass(frozen=True)
class _Source:
    """Tracks a source video: frames of limited size, and a crop for each frame."""

    framing: SourceFraming
    animal: str = ""
    """The subject of an animal; empty: a person."""
    boxed: bool = False
    """Whether the animal is known by its box alone, which is cropped upright."""

    @property
    def tracks(self) -> bool:
        return not self.animal or self.framing.crop

    def frames(self, clip: Footage) -> Iterator[Image]:
        return (self.framing.limit(frame) for frame in clip.frames())

    def box(self, ref: ClipRef, clip: Footage) -> Box | None:
        return None if ref.box is None else self.framing.limit_box(ref.box, *clip.size)

    def crop(self, track: Tracks, size: tuple[int, int]) -> None:
        return None

    def pieces(self, clip: Footage, track: Tracks, span: Span, pictures: bool) -> Iterator[_Piece]:
        frames = self.frames(clip)
        whole = (
            None if self.framing.crop else _stored(self.framing.matrix_of_whole(next(self.frames(clip)), FRAME_SIZE))
        )
        for start, stop in span.chunks():
            faces = track.slice(start, stop)
            matrices = [[self._matrix(points) if whole is None else whole for points in face] for face in faces]
            placed = [[*map(transform_points, *face)] for face in zip(faces, matrices, strict=True)]
            crops = np.empty((len(faces), stop - start if pictures else 0, CROP_SIZE, CROP_SIZE, 3), np.uint8)
            for i, frame in enumerate(islice(frames, crops.shape[1])):
                for crop, face in zip(crops, matrices, strict=True):
                    crop[i] = self.framing.cut(frame, face[i], FRAME_SIZE, CROP_SIZE)
            yield _Piece(np.array(placed), np.array(matrices), crops, track.present[:, start:stop])

    def _matrix(self, points: Points) -> Matrix:
        if self.boxed:
            (x0, y0), (x1, y1) = points.tolist()
            return _stored(self.framing.matrix_of_box((x0, y0, x1, y1), FRAME_SIZE))
        return _stored(self.framing.matrix(points, FRAME_SIZE))


class TrackClips(Stage[ClipRow, TrackedChunk]):
    """One row for each chunk of a clip."""

    name = "track"
    takes, gives = ClipRow, TrackedChunk
    uses = frozenset({Part.DETECTOR, Part.ANIMAL_DETECTOR})
    share = Share(on_cpu=0.9, beside_gpus=1.0)
    sheltered = True

    def __init__(self, bench: Bench) -> None:
        self._settings = bench.settings
        self._needs_crops = bench.engine.needs_crops
        self._landmarker = bench.create_landmarker(bench.settings.landmarker)
        self._animal_finder = AnimalFinder(bench)

    @classmethod
    def input_of(cls, row: ClipRow) -> str:
        return row.template_key

    def work(self, row: ClipRow) -> Iterator[TrackedChunk]:
        settings, ref = self._settings, row.clip
        with storage.local_copy(ref.uri, settings.limits, ref.version) as path, TemporaryDirectory() as spool:
            clip = open_footage(path, settings.limits, ref.start_s, ref.end_s)
            role = _role(row, clip)
            track = self._find_faces(role, clip, ref, Path(spool))
            check_missing(track.missing, track.n_frames, settings.max_missing_fraction)
            span = Span(0, track.n_frames, settings.chunk_frames)
            facts = _facts(clip, track, span, role.crop(track, clip.size))
            for index, piece in enumerate(role.pieces(clip, track, span, self._needs_crops)):
                if index == facts.n_chunks - 1:  # the last chunk completes the template
                    storage.check_version(ref.uri, ref.version)
                placed = piece.points, piece.to_crop, piece.crops, piece.present
                yield TrackedChunk(row.template_key, index, facts, *placed)
                del piece, placed  # else this frame would hold them while the next ones are made

    def _find_faces(self, role: _Driving | _Source, clip: Footage, ref: ClipRef, spool: Path) -> Tracks:
        if not role.tracks:
            return Tracks.of_whole_frames(clip.n_frames)
        if ref.face == ALL_FACES:
            return Tracks.of_all(track_people(role.frames(clip), self._landmarker), spool)
        return Tracks.of_one(self._tracked(role, clip, ref), spool)

    def _tracked(self, role: _Driving | _Source, clip: Footage, ref: ClipRef) -> Iterator[TrackedFrame]:
        """Yield where the one face of a clip is in every frame."""
        box = role.box(ref, clip)
        if isinstance(role, _Driving) or not role.animal:
            return track_clip(role.frames(clip), self._landmarker, ref.face, box)
        if box is not None:
            return track_box(role.frames(clip), box)
        if role.animal == AUTO:
            refuse_people(self._landmarker.detect(next(role.frames(clip))))
        return track_animal(role.frames(clip), self._animal_finder.look, ref.face)


def _facts(clip: Footage, track: Tracks, span: Span, crop: ClipCrop | None) -> ClipFacts:
    return ClipFacts(
        clip.fps.numerator,
        clip.fps.denominator,
        span.stop,
        len(list(span.chunks())),
        track.missing,
        clip.size,
        None if crop is None or crop.matrix is None else tuple(crop.matrix.ravel().tolist()),
        len(track.faces) if track.several else None,
    )


def _role(row: ClipRow, clip: Clip | Still) -> _Driving | _Source:
    if row.driving is not None:
        return _Driving(row.driving)
    if row.source is None:
        raise ValueError("a clip is a driving or a source")
    if isinstance(clip, Still):
        raise UnsupportedError("the source is a picture under a video's name: say media='image' in the manifest")
    return _Source(row.source, row.clip.subject, row.clip.box is not None)


def _stored(matrix: Matrix) -> Matrix:
    """Return a matrix as the template stores it, so that later stages cut exactly the same crop."""
    return matrix.astype(np.float32).astype(np.float64)


def _stack(crops: list[Image]) -> NDArray[np.uint8]:
    return np.stack(crops) if crops else np.empty((0, CROP_SIZE, CROP_SIZE, 3), np.uint8)
