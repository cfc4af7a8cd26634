"""Output formats by name: what the option `format` may say, besides `auto`."""

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
    },
)

AUTO = "auto"
"""As an option: `MOVING`, or `STILL` for a picture driven by a picture."""
MOVING, STILL = "mp4", "png"
"""What `auto` stands for, and what comparisons are written as."""


def resolve(name: str, is_still: bool) -> str:
    """Return the format that an option means for a pair that is one still picture, or is not."""
    if name == AUTO:
        return STILL if is_still else MOVING
    return name
