"""Videos for editing: ProRes 4444 in QuickTime's mov, with sound, and with transparency where the pair keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from lp_ray.base.arrays import Image
from lp_ray.media.encode import container, feed_segment, to_bt709
from lp_ray.media.formats.mp4 import Mp4
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.join import MOV

# The vendor of Apple's own encoder: some editors take no other for ProRes.
_CODEC = ("-c:v", "prores_ks", "-profile:v", "4444", "-vendor", "apl0", "-threads", "1")


class Mov(Mp4):
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = "mov"
    suffix = segment_suffix = ".mov"
    container = MOV
    holds_alpha = True

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        feed_segment(path, pictures, how.fps, lambda alpha: _coding(path, how.fps, alpha), channels=(3, 4))


def _coding(path: Path, fps: Fraction, alpha: bool) -> list[str]:
    """Return ffmpeg's arguments after the input."""
    return [*to_bt709("yuva444p10le" if alpha else "yuv444p10le"), *_CODEC, *container(fps, path, MOV.muxer)]


FORMAT = Mov()
