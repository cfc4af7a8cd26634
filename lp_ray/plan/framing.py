"""From a pair's options to how its source and its driving are cropped."""

from __future__ import annotations

from lp_ray.contract.options import PairOptions
from lp_ray.face.framing import DrivingFraming, SourceFraming


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


def driving_framing(options: PairOptions, variant: str) -> DrivingFraming:
    """Return those of a pair's options that say which part of its driving is looked at, for people or animals."""
    return DrivingFraming(
        track=variant == "human" or options.flag_crop_driving_video,
        crop_square=options.flag_crop_driving_video,
        scale=options.driving_crop_scale,
        vx=options.driving_crop_vx,
        vy=options.driving_crop_vy,
    )
