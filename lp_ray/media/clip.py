"""A cut of a video file, or one picture, as a clip that can be read any number of times."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from lp_ray.base.arrays import Image
from lp_ray.base.errors import UnsupportedError
from lp_ray.base.limits import Limits
from lp_ray.media.decode import cut_frames, frames
from lp_ray.media.isolated import probe_image, read_image
from lp_ray.media.probe import VideoInfo, probe_video
from lp_ray.media.sniff import is_video

STILL_FPS = Fraction(25)
"""The frame rate of a single picture; the result has it too if nothing else sets a rate."""


class Footage(Protocol):
    """Frames that can be read in order, any number of times."""

    @property
    def fps(self) -> Fraction: ...

    @property
    def n_frames(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        ...

    @property
    def has_audio(self) -> bool: ...

    def frames(self, first: int = 0, count: int | None = None) -> Generator[Image, None, None]:
        """Stream all frames, or `count` of them from index `first`."""
        ...


@dataclass(frozen=True)
class Clip:
    """Frames `first` to `first + n_frames` of a local video, at the exact rate `fps`."""

    path: Path
    info: VideoInfo
    limits: Limits
    first: int
    n_frames: int

    @property
    def fps(self) -> Fraction:
        """Exact frame rate."""
        return self.info.fps

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        return self.info.width, self.info.height

    @property
    def has_audio(self) -> bool:
        """Whether the file has sound."""
        return self.info.has_audio

    def frames(
        self, first: int = 0, count: int | None = None, max_dim: int | None = None, alpha: bool = False
    ) -> Generator[Image, None, None]:
        """Stream the cut's frames, or `count` of them from index `first`; see `media.decode.frames`."""
        count = self.n_frames - first if count is None else count
        start = self.first + first
        return frames(self.path, self.info, self.limits, max_dim=max_dim, first=start, count=count, alpha=alpha)


@dataclass(frozen=True)
class Still:
    """A picture as a clip of one frame."""

    path: Path
    limits: Limits
    size: tuple[int, int]
    fps: Fraction = STILL_FPS
    n_frames: int = 1
    has_audio: bool = False

    def frames(self, first: int = 0, count: int | None = None) -> Generator[Image, None, None]:
        """Yield the picture, unless the range excludes it."""
        if first == 0 and count != 0:
            yield read_image(self.path, self.limits)


def open_clip(path: Path, limits: Limits, start_s: float | None = None, end_s: float | None = None) -> Clip:
    """Probe a local video and cut it to the frames with start_s <= time < end_s.

    Raises what `probe_video` and `cut_frames` raise. The limits on frames and seconds apply to the cut.
    """
    info = probe_video(path, limits)
    first, n_frames = cut_frames(info, limits, start_s, end_s)
    return Clip(path, info, limits, first, n_frames)


def open_footage(path: Path, limits: Limits, start_s: float | None = None, end_s: float | None = None) -> Clip | Still:
    """Open a video as `open_clip` does, or a picture. The content decides which it is.

    Raises UnsupportedError if a picture is to be cut in time, and what `probe_image` raises.
    """
    if is_video(path):
        return open_clip(path, limits, start_s, end_s)
    info = probe_image(path, limits)
    if start_s or end_s is not None:
        raise UnsupportedError(f"{path.name} is a picture: start_s and end_s cut clips, leave them out")
    return Still(path, limits, (info.width, info.height))
