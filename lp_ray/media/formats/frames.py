"""Frames as PNG pictures in one zip archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from lp_ray.base.arrays import Image
from lp_ray.media.facts import MediaFacts
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.frames_zip import join_frames, read_frames, write_frames
from lp_ray.media.join import AudioCut


class FramesZip:
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = "frames"
    suffix = segment_suffix = ".zip"
    has_sound = False
    holds_alpha = True

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        write_frames(path, pictures, how.first)

    def join(
        self, segments: Sequence[Path], output: Path, fps: Fraction, n_frames: int, sound: AudioCut | None
    ) -> MediaFacts:
        return join_frames(segments, output, n_frames, fps)

    def pictures(self, path: Path) -> Iterator[Image]:
        return read_frames(path)


FORMAT = FramesZip()
