"""The pictures of the page: of each result, source and driving a strip of frames side by side, one JPEG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputError
from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.media.frames_zip import count_frames, read_frames
from lp_ray.media.gather import gather

FRAMES = 8
"""Frames of a strip; of a still, one."""
HEIGHT = 144
MOST_WIDTH = 256
"""Size of a frame in the strip, pixels."""
QUALITY = 82


@dataclass(frozen=True)
class Wanted:
    """A strip to be made: of the file at `uri`, a kind of result or "" for an input, stored at `to`."""

    uri: str
    kind: str
    to: str


def make_strips(wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
    """Make and store strips. Return where each was to go, and why it could not be made ("" if it was)."""
    told = []
    for each in wanted:
        try:
            data = jpeg(strip(list(_frames(each))))
        except (InputError, OSError) as error:
            told.append((each.to, f"{storage.display(each.uri)}: {storage.redact(str(error))}"))
            continue
        storage.put_bytes(each.to, data)
        told.append((each.to, ""))
    return told


def strip(frames: Sequence[Image]) -> Image:
    """Lay frames side by side, HEIGHT high, all of the first one's size."""
    if not frames:
        raise InputError("no frames")
    height, width = frames[0].shape[:2]
    shown = max(16, min(MOST_WIDTH, round(width * HEIGHT / height))), HEIGHT
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
        at = np.unique(np.linspace(0, clip.n_frames - 1, FRAMES).round().astype(np.intp))
        yield from gather(clip, at, _shrunk)


def _shrunk(frame: Image) -> Image:
    height, width = frame.shape[:2]
    factor = min(1.0, 2 * HEIGHT / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=True)


def _spread(frames: Iterable[Image], count: int) -> Iterator[Image]:
    at = set(np.linspace(0, max(count - 1, 0), FRAMES).round().astype(int).tolist())
    for number, frame in enumerate(frames):
        if number in at:
            yield _shrunk(frame)
