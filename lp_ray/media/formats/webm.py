"""Videos for pages: VP9 in WebM, with sound, and with transparency where the pair keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lp_ray.base.arrays import Image
from lp_ray.media import ffmpeg
from lp_ray.media.encode import feed_segment, to_bt709
from lp_ray.media.formats.mp4 import Mp4
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.join import WEBM

EFFORTS = {
    "ultrafast": 5,
    "superfast": 5,
    "veryfast": 4,
    "faster": 3,
    "fast": 2,
    "medium": 2,
    "slow": 1,
    "slower": 0,
}
"""x264's presets -> libvpx's `cpu-used`, both from fast to thorough."""

_WORST, _WORST_OF_X264 = 63, 51
_KEY_EVERY = 64
_ONE_THREAD = ("-threads", "1", "-row-mt", "0")


class WebM(Mp4):
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = "webm"
    suffix = segment_suffix = ".webm"
    container = WEBM
    holds_alpha = True

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        feed_segment(path, pictures, how.fps, lambda alpha: _coding(path, how, alpha), channels=(3, 4))


def quality(crf: int) -> int:
    """Return VP9's crf (0 to 63) for x264's (0 to 51): the ends of both scales meet."""
    return round(crf * _WORST / _WORST_OF_X264)


def _coding(path: Path, how: Encoding, alpha: bool) -> list[str]:
    """Return ffmpeg's arguments after the input.

    Transparency is a second VP9 stream, which must start anew wherever the first one does: key frames stand at fixed
    places, and there are no frames that are decoded and not shown.
    """
    effort = ["-deadline", "good", "-cpu-used", str(EFFORTS[how.preset]), *_ONE_THREAD]
    keys = ["-auto-alt-ref", "0", "-lag-in-frames", "0", "-g", str(_KEY_EVERY), "-keyint_min", str(_KEY_EVERY)]
    codec = ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", str(quality(how.crf)), *effort, *keys]
    same = ["-fflags", "+bitexact", "-fps_mode", "passthrough"]
    written = ["-f", "webm", "-y", ffmpeg.file_url(path)]
    return [*to_bt709("yuva420p" if alpha else "yuv420p"), *codec, *same, *written]


FORMAT = WebM()
