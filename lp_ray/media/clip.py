"""A cut of a video file, ready to be read as often as needed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lp_ray.face.protocol import Image
from lp_ray.limits import Limits
from lp_ray.media.decode import cut_frames, frames
from lp_ray.media.probe import VideoInfo, probe_video


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
    def has_audio(self) -> bool:
        """Whether the file has sound."""
        return self.info.has_audio

    def frames(
        self, first: int = 0, count: int | None = None, max_dim: int | None = None
    ) -> Generator[Image, None, None]:
        """Stream the cut's frames, or `count` of them from index `first`; see `media.decode.frames`."""
        count = self.n_frames - first if count is None else count
        start = self.first + first
        return frames(self.path, self.info, self.limits, max_dim=max_dim, first=start, count=count)


def open_clip(path: Path, limits: Limits, start_s: float | None = None, end_s: float | None = None) -> Clip:
    """Probe a local video and cut it to the frames with start_s <= time < end_s.

    Raises what `probe_video` and `cut_frames` raise; the limits on frames and seconds hold for the cut.
    """
    info = probe_video(path, limits)
    first, n_frames = cut_frames(info, limits, start_s, end_s)
    return Clip(path, info, limits, first, n_frames)
