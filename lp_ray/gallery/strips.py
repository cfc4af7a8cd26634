"""The pictures of the page: of each result, source and driving a strip of frames side by side, one JPEG.

A strip has one frame or FRAMES of them, and its shape tells which: see MOVING.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputError, RefusedError, StorageUnreachableError
from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.media.frames_zip import count_frames, read_frames
from lp_ray.media.gather import gather

FRAMES = 8
"""Frames of a strip, some of them twice where the clip has fewer; of a still, one."""
HEIGHT, LEAST_WIDTH, MOST_WIDTH = 144, 40, 256
"""Size of a frame in the strip, pixels."""
MOVING = 2
"""A strip that is wider than so many of its heights is one of FRAMES frames: none of one frame is, all others are."""
QUALITY = 82


@dataclass(frozen=True)
class Wanted:
    """A strip to be made: of the file at `uri`, a kind of result or "" for an input, stored at `to`."""

    uri: str
    kind: str
    to: str


@dataclass(frozen=True)
class Told:
    """What became of a strip: `why` it could not be made ("" if it was), and the store that did not answer, if so."""

    to: str
    why: str = ""
    silent: str = ""


def make_strips(wanted: Sequence[Wanted]) -> list[Told]:
    """Make and store strips. What cannot be read, for whatever reason, is told; an error of writing is raised."""
    told: list[Told] = []
    for each in wanted:
        store = store_of(each.uri)
        if store and store in (before.silent for before in told):
            told.append(not_asked(each))
            continue
        try:
            data = jpeg(strip(list(_frames(each))))
        except (InputError, RefusedError, OSError) as error:
            silent = store if isinstance(error, StorageUnreachableError) else ""
            told.append(Told(each.to, _why(each.uri, error), silent))
            continue
        storage.put_bytes(each.to, data)
        told.append(Told(each.to))
    return told


def _why(uri: str, error: Exception) -> str:
    place, said = storage.display(uri), storage.redact(str(error))
    return said if said.startswith(place) else f"{place}: {said}"


def store_of(uri: str) -> str:
    """Return a URI's scheme and bucket or host; empty for a local file."""
    return "" if storage.is_local(uri) else "/".join(uri.split("/", 3)[:3])


def not_asked(wanted: Wanted) -> Told:
    """Return what is told of a strip whose store did not answer before: another attempt would take minutes, too."""
    return Told(
        wanted.to, f"{storage.display(wanted.uri)}: not asked for, {store_of(wanted.uri)} did not answer before"
    )


def strip(frames: Sequence[Image]) -> Image:
    """Lay frames (one, or FRAMES) side by side, HEIGHT high, all of the first one's size."""
    if not frames:
        raise InputError("no frames")
    height, width = frames[0].shape[:2]
    shown = max(LEAST_WIDTH, min(MOST_WIDTH, round(width * HEIGHT / height))), HEIGHT
    return np.hstack([cv2.resize(frame, shown, interpolation=cv2.INTER_AREA).astype(np.uint8) for frame in frames])


def jpeg(image: Image) -> bytes:
    """Return a picture as JPEG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def _frames(wanted: Wanted) -> Iterator[Image]:
    limits = Limits()
    with storage.local_copy(wanted.uri, limits) as path:
        if wanted.kind == "frames":
            yield from _spread(read_frames(path), count_frames(path))
            return
        clip = open_footage(path, limits)
        yield from gather(clip, _places(clip.n_frames), _shrunk)


def _places(n_frames: int) -> NDArray[np.intp]:
    """Return which frames of a file its strip shows, in order: FRAMES of them, or of a still the only one."""
    return np.linspace(0, max(n_frames - 1, 0), FRAMES if n_frames > 1 else 1).round().astype(np.intp)


def _shrunk(frame: Image) -> Image:
    height, width = frame.shape[:2]
    factor = min(1.0, 2 * HEIGHT / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=True)


def _spread(frames: Iterable[Image], count: int) -> Iterator[Image]:
    times = Counter(_places(count).tolist())
    for number, frame in enumerate(frames):
        if number in times:
            yield from [_shrunk(frame)] * times[number]
