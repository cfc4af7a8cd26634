"""Videos: H.264 in mp4, with sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.limits import OURS
from lp_ray.media.clip import open_clip
from lp_ray.media.encode import encode_planes, encode_segment
from lp_ray.media.facts import MediaFacts
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.join import MP4, AudioCut, join_segments


class Mp4:
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = "video"
    suffix = segment_suffix = ".mp4"
    container = MP4
    has_sound = True
    states_origin = True

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        encode_segment(path, pictures, how.fps, how.crf, how.preset, encoder=how.encoder)

    def write_planes(self, path: Path, planes: NDArray[np.uint8], how: Encoding) -> None:
        encode_planes(path, planes, how.fps, how.crf, how.preset, how.encoder)

    def join(
        self,
        segments: Sequence[Path],
        output: Path,
        fps: Fraction,
        n_frames: int,
        sound: AudioCut | None,
        origin: str | None = None,
    ) -> MediaFacts:
        return join_segments(segments, output, fps, n_frames, sound, origin, self.container)

    def pictures(self, path: Path) -> Iterator[Image]:
        return open_clip(path, OURS).frames()


FORMAT = Mp4()
