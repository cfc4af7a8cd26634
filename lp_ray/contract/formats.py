"""The registry of output formats: the values of the option `format`, besides `auto`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lp_ray.base.registry import Registry

if TYPE_CHECKING:
    from lp_ray.media.formats.protocol import OutputFormat

FORMATS: Registry[OutputFormat] = Registry(
    "format",
    "lp_ray.formats",
    {
        "mp4": "lp_ray.media.formats.mp4:FORMAT",
        "gif": "lp_ray.media.formats.gif:FORMAT",
        "frames": "lp_ray.media.formats.frames:FORMAT",
        "png": "lp_ray.media.formats.png:FORMAT",
        "webm": "lp_ray.media.formats.webm:FORMAT",
        "mov": "lp_ray.media.formats.mov:FORMAT",
    },
)

AUTO = "auto"
"""As an option: `MOVING`, or `STILL` for a picture driven by a picture."""
MOVING, STILL = "mp4", "png"
"""The formats that `auto` stands for; comparisons are written in them too."""
MOVING_ALPHA = "webm"
"""What `auto` stands for in place of `MOVING` where transparency is kept."""

STILL_KIND = "image"
"""The `kind` of formats that hold one picture."""


def resolve(name: str, is_still: bool, keeps_alpha: bool = False) -> str:
    """Return the format that an option value means for a pair.

    `is_still` says whether its result is one picture, `keeps_alpha` whether it keeps its transparency.
    """
    if name != AUTO:
        return name
    if is_still:
        return STILL
    return MOVING_ALPHA if keeps_alpha else MOVING


def holds_alpha(name: str) -> bool:
    """Return whether files of a format (`auto` included) can be transparent. Plugins need not say so."""
    return name == AUTO or bool(getattr(FORMATS.get(name), "holds_alpha", False))
