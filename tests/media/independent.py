"""What readers that share nothing with ours but the codecs say of a clip: PyAV, and Pillow for pictures that move."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import PIL.Image

from .cards import Pixels

_PICTURES = {".webp", ".avif", ".apng", ".png"}


def count(path: Path) -> int:
    """Number of frames that decode and are to be shown: none before time 0."""
    if path.suffix in _PICTURES:
        with PIL.Image.open(path) as picture:
            return int(getattr(picture, "n_frames", 1))
    times = [pts for pts, _ in _decoded(path)]
    if path.suffix in (".mkv", ".webm") and any(pts is not None and pts >= 0 for pts in times):
        times = [pts for pts in times if pts is not None and pts >= 0]
    return len(times)


def rate(path: Path) -> Fraction | None:
    """The rate that the container, or the stream's headers, state; None where they do not."""
    with av.open(str(path)) as container:
        stated = _stream(container).average_rate
        return None if stated is None else Fraction(stated)


def pictures(path: Path) -> list[Pixels]:
    """The decoded frames in RGB, each at its own size."""
    return [frame.to_ndarray(format="rgb24") for _, frame in _decoded(path)]


def _decoded(path: Path) -> Iterator[tuple[int | None, av.VideoFrame]]:
    with av.open(str(path)) as container:
        for packet in container.demux(_stream(container)):
            try:
                for frame in packet.decode():
                    yield frame.pts, frame
            except av.error.InvalidDataError:
                continue


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    """Return the first video stream that is not a cover picture."""
    covers = [s for s in container.streams.video if s.disposition & av.stream.Disposition.attached_pic]
    return next(stream for stream in container.streams.video if stream not in covers)
