"""Turn a pair's options into the framing of its source and of its driving."""

from __future__ import annotations

from lp_ray.contract.options import PairOptions
from lp_ray.face.framing import DrivingFraming, SourceFraming


def source_framing(options: PairOptions, repeat_border: bool = False) -> SourceFraming:
    """Return the source framing that a pair's options ask for, and the border that its engine asks for."""
    return SourceFraming(
        max_dim=options.source_max_dim,
        division=options.source_division,
        crop=options.flag_do_crop,
        rotate=options.flag_do_rot,
        scale=options.crop_scale,
        vx=options.crop_vx,
        vy=options.crop_vy,
        repeat_border=repeat_border,
    )


def driving_framing(options: PairOptions, variant: str) -> DrivingFraming:
    """Return the driving framing that a pair's options ask for, for a variant (human or animal)."""
    return DrivingFraming(
        track=variant == "human" or options.flag_crop_driving_video,
        crop_square=options.flag_crop_driving_video,
        scale=options.driving_crop_scale,
        vx=options.driving_crop_vx,
        vy=options.driving_crop_vy,
    )
