"""Refuse options that an engine or a subject does not have, or that exclude each other."""

from __future__ import annotations

from dataclasses import fields

from lp_ray.base.errors import RefusedError
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.formats import FORMATS, holds_alpha
from lp_ray.contract.options import KEEP, PairOptions


def check_options(options: PairOptions, engine: str, variant: str, where: str) -> None:
    """Raise RefusedError for options that would have no effect with this engine, or that exclude each other."""
    for option in fields(PairOptions):
        value, only = getattr(options, option.name), option.metadata["only"]
        if value == option.default:
            continue
        if only not in (None, engine):
            raise RefusedError(f"{where}: {option.name}={value!r} has no effect with engine={engine}; it needs {only}")
        if variant == "animal" and option.metadata["humans"]:
            raise RefusedError(f"{where}: {option.name}={value!r} has no effect on animals; leave it out")
    if variant == "animal":
        _check_animals(options, where)
    if options.alpha == KEEP and not holds_alpha(options.format):
        others = ", ".join(name for name in FORMATS.names() if holds_alpha(name))
        raise RefusedError(f"{where}: format={options.format!r} cannot hold alpha='keep': use one of {others}")
    if 0 < options.source_end_s <= options.source_start_s:
        raise RefusedError(
            f"{where}: source_end_s={options.source_end_s:g} is not after source_start_s={options.source_start_s:g}: "
            "make it later, or 0 for the end"
        )
    if options.paste_back and not (options.flag_stitching and options.flag_do_crop):
        lacking = "flag_stitching" if options.flag_do_crop else "flag_do_crop"
        raise RefusedError(f"{where}: paste_back needs {lacking}=true: set paste_back=false for the crop alone")


def _check_animals(options: PairOptions, where: str) -> None:
    """Raise RefusedError for options that have no effect on animals, alone or without another option."""
    placing = ("driving_crop_scale", "driving_crop_vx", "driving_crop_vy")
    for option in (option for option in fields(PairOptions) if option.name in placing):
        value = getattr(options, option.name)
        if value != option.default and not options.flag_crop_driving_video:
            raise RefusedError(
                f"{where}: {option.name}={value!r} has no effect on animals, whose drivings are taken whole, without "
                "flag_crop_driving_video=true"
            )


def check_faces(face: str, options: PairOptions, where: str) -> None:
    """Raise RefusedError for `face: all` without paste-back, because there is no picture to put the faces back into."""
    if face == ALL_FACES and not options.paste_back:
        raise RefusedError(f"{where}: face={ALL_FACES!r} needs paste_back=true: each face goes back into the picture")
