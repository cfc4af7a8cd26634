"""From a pair's options to how its source is cropped."""

from __future__ import annotations

from lp_ray.contract.options import PairOptions
from lp_ray.face.framing import SourceFraming


def source_framing(options: PairOptions) -> SourceFraming:
    """Return those of a pair's options that say how its source is cropped."""
    return SourceFraming(
        max_dim=options.source_max_dim,
        division=options.source_division,
        crop=options.flag_do_crop,
        rotate=options.flag_do_rot,
        scale=options.crop_scale,
        vx=options.crop_vx,
        vy=options.crop_vy,
    )
