"""How many frames a pair has, and which of them are animated: all, or those of a part of a source video."""

from __future__ import annotations

from collections.abc import Sequence

from lp_ray.contract.options import PairOptions, is_part
from lp_ray.media.timing import cut
from lp_ray.motion.rates import Length, pair_length


def frames_of(
    own: Length | None, drivings: Sequence[Length], options: PairOptions
) -> tuple[Length, tuple[int, int] | None]:
    """Return a pair's frame count and rate, and (first, count) of the part that is animated; None: all of it.

    `own` is the length of a source video; None: a picture, which has no parts. The result of a part is as long as the
    source. The driving starts where the part does; with `driving_length=min` a part ends at the latest when the driving
    does. The count is 0 where the video has no frame between `source_start_s` and `source_end_s`.
    """
    if own is None or not is_part(options):
        return pair_length(own, drivings, options.driving_length), None
    first, count = cut(own.fps, own.n_frames, options.source_start_s, options.source_end_s or None)
    if count:
        count = pair_length(Length(count, own.fps), drivings, options.driving_length).n_frames
    return own, (first, count)
