"""What metrics need of a driving: its tracks, blendshapes and repeated frames. Each driving is measured once.

The answer is kept beside the motion templates (`tracks/<key>.npz`, arrays with one row per frame, never pickled), so
that neither another pair nor another job measures the driving again.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.caching import Cache
from lp_ray.contract.edits import BY_NAME
from lp_ray.contract.media_kinds import is_template
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.track import track_clip
from lp_ray.media.clip import Footage, open_footage
from lp_ray.motion.performed import PREFIX, is_performed
from lp_ray.motion.template import TemplateReader
from lp_ray.plan.keys import tracks_key
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import DrivingRef
from lp_ray.quality.temporal import luma, repeats
from lp_ray.quality.tracks import FaceTracks, face_tracks
from lp_ray.stages.measuring.models import Models

VERSION = 1
"""Raise this with every change that gives other tracks."""

_AT_ONCE = 8
_KEPT = Cache["DrivingTracks"]("tracks", 8)
"""Of this process: tasks that follow each other often share a driving."""


@dataclass(frozen=True)
class DrivingTracks:
    """Tracks of all n frames of a driving, blendshapes n x 52 (NaN without a face), and which frames repeat the one
    before (n)."""

    tracks: FaceTracks
    blendshapes: NDArray[np.float32]
    repeated: NDArray[np.bool_]

    def take(self, frames: NDArray[np.intp]) -> FaceTracks:
        """Return the tracks of frames, in their order."""
        return FaceTracks(*(getattr(self.tracks, field.name)[frames] for field in fields(FaceTracks)))


def repeats_shown(
    repeated: NDArray[np.bool_], frames: NDArray[np.intp], before: int | None, first: int = 0
) -> NDArray[np.bool_]:
    """Return which of the frames shown show nothing new after the one before; `before` precedes the first.

    `repeated` says of each frame from `first` on whether it repeats the one before.
    """
    shown = np.concatenate([[frames[0] if before is None else before], frames]) - first
    news = np.cumsum(~repeated)
    still: NDArray[np.bool_] = news[shown[1:]] == news[shown[:-1]]
    if before is None:
        still[0] = False
    return still


def template_repeats(template: TemplateReader, frames: NDArray[np.intp], before: int | None) -> NDArray[np.bool_]:
    """Return which of a motion template's frames shown ask for nothing new after the one before.

    Curves of a performance may move by a thousandth of their control's range: nobody sees that.
    """
    shown = frames if before is None else np.append(frames, before)
    first, last = int(shown.min()), int(shown.max())
    repeated = np.ones(last + 1 - first, np.bool_)
    for name, rows in template.read(first, last + 1).items():
        control = BY_NAME.get(name.removeprefix(PREFIX)) if is_performed(template) else None
        tolerance = 0.001 * (control.high - control.low) if control else 0.0
        moved = np.abs(np.diff(rows.astype(np.float64), axis=0)) > tolerance
        repeated[1:] &= ~moved.any(axis=tuple(range(1, moved.ndim)))
    return repeats_shown(repeated, frames, before, first)


def driving_tracks(settings: Settings, driving: DrivingRef, models: Models) -> DrivingTracks | None:
    """Return the tracks of a driving, or None for a motion template, which has no pictures. Raises InputError."""
    if is_template(driving.uri):
        return None
    place = settings.template_layout.tracks(tracks_key(driving.key, MediaPipeLandmarker.digest, VERSION))
    return _KEPT.get(place, lambda: _stored(place) or _measure(settings, driving, models, place))


def _stored(place: str) -> DrivingTracks | None:
    if not storage.exists(place):
        return None
    with np.load(io.BytesIO(storage.read_bytes(place)), allow_pickle=False) as arrays:
        tracks = FaceTracks(*(arrays[field.name].astype(np.float64) for field in fields(FaceTracks)))
        return DrivingTracks(tracks, arrays["blendshapes"], arrays["repeated"])


def _measure(settings: Settings, driving: DrivingRef, models: Models, place: str) -> DrivingTracks:
    with storage.local_copy(driving.uri, settings.limits, driving.version) as path:
        footage = open_footage(path, settings.limits, driving.start_s, driving.end_s)
        measured = _of_clip(footage, driving.face, models)
    sink = io.BytesIO()
    small = {name: rows.astype(np.float32) for name, rows in asdict(measured.tracks).items()}
    np.savez_compressed(sink, allow_pickle=False, **small, blendshapes=measured.blendshapes, repeated=measured.repeated)
    storage.put_bytes(place, sink.getvalue())
    return _stored(place) or measured  # as every later reader sees it


def _of_clip(footage: Footage, rule: str, models: Models) -> DrivingTracks:
    """Go over a clip once; one picture, its luma and the one before are in memory."""
    width, height = footage.size
    shown: list[NDArray[np.uint8]] = []
    kept: list[NDArray[np.uint8]] = []
    pieces: list[FaceTracks] = []
    shapes: list[NDArray[np.float32]] = []
    repeated: list[NDArray[np.bool_]] = []

    def watched() -> Iterator[Image]:
        for frame in footage.frames():
            shown.append(luma(frame))
            yield frame

    tracked = track_clip(watched(), models.landmarker, rule)
    while piece := list(islice(tracked, _AT_ONCE)):
        points = np.full((len(piece), models.landmarker.n_points, 3), np.nan)
        for row, frame in zip(points, piece, strict=True):
            if frame.found:
                row[:] = frame.points
        pieces.append(face_tracks(points, width, height))
        shapes.append(models.blendshapes_of(points))
        lumas = np.stack([*kept, *shown])
        boxes = np.concatenate([pieces[-1].boxes[:1], pieces[-1].boxes])[-len(lumas) :]
        again = repeats(lumas, boxes)
        repeated.append(again if kept else np.concatenate([[False], again]))
        kept = [shown[-1]]
        shown.clear()
    whole = FaceTracks(*(np.concatenate([getattr(p, f.name) for p in pieces]) for f in fields(FaceTracks)))
    return DrivingTracks(whole, np.concatenate(shapes), np.concatenate(repeated))
