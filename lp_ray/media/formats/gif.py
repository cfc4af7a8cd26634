"""Looping GIFs, made from the joined video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from lp_ray.media.facts import MediaFacts
from lp_ray.media.formats.mp4 import Mp4
from lp_ray.media.gif import make_gif
from lp_ray.media.join import AudioCut, join_segments


class Gif(Mp4):
    """Implements `lp_ray.media.formats.protocol.OutputFormat`. Its segments are those of a video."""

    kind = "gif"
    suffix = ".gif"
    has_sound = False
    states_origin = False

    def join(
        self,
        segments: Sequence[Path],
        output: Path,
        fps: Fraction,
        n_frames: int,
        sound: AudioCut | None,
        origin: str | None = None,
    ) -> MediaFacts:
        video = output.with_suffix(".mp4")
        join_segments(segments, video, fps, n_frames)
        return make_gif(video, output, fps)


FORMAT = Gif()
