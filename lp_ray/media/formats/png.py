"""A single picture: the result of a picture driven by a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from lp_ray.base.arrays import Image
from lp_ray.base.errors import UnsupportedError
from lp_ray.base.limits import OURS
from lp_ray.contract.formats import STILL_KIND
from lp_ray.media.facts import MediaFacts, still_facts
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.images import read_image, write_image
from lp_ray.media.join import AudioCut


class Png:
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = STILL_KIND
    suffix = segment_suffix = ".png"
    has_sound = False
    holds_alpha = True

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        write_image(path, next(pictures))

    def join(
        self, segments: Sequence[Path], output: Path, fps: Fraction, n_frames: int, sound: AudioCut | None
    ) -> MediaFacts:
        if n_frames != 1:
            raise UnsupportedError(f"format=png holds one frame, the pair has {n_frames}: use format=mp4 or frames")
        segments[0].rename(output)
        return still_facts(output)

    def pictures(self, path: Path) -> Iterator[Image]:
        yield read_image(path, OURS)


FORMAT = Png()
