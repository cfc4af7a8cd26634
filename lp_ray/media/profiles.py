"""Convert the colours of pictures from their embedded profile to sRGB, which this package uses everywhere."""

from __future__ import annotations

import functools
import io

import numpy as np
import PIL.Image
from PIL import ImageCms

from lp_ray.base.errors import InputTooLargeError

MAX_BYTES = 16 << 20
"""Maximum size of an embedded profile. Printers' CMYK profiles have up to 3 MB."""
SAME_LEVELS = 2
"""A profile that changes no colour by more than so many levels counts as sRGB: the pixels stay as they are."""

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_MODES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}  # ICC.1:2022, 7.2.6 -> Pillow's


def to_srgb(picture: PIL.Image.Image, name: str) -> PIL.Image.Image:
    """Convert an L, RGB, RGBA or CMYK picture to sRGB by its ICC profile.

    The conversion is relative colorimetric with black point compensation. A picture without a profile, or with one that
    is damaged or for another type of pixels, is returned unchanged, as browsers show it. Transparency stays. Raises
    InputTooLargeError for a profile above MAX_BYTES.
    """
    profile = picture.info.get("icc_profile") or b""
    if len(profile) > MAX_BYTES:
        raise InputTooLargeError(f"{name}: a colour profile of {len(profile):,} bytes; at most {MAX_BYTES:,} are read")
    if not profile:
        return picture
    transform = _transform(profile, picture.mode)
    return picture if transform is None else _applied(transform, picture)


def _applied(transform: ImageCms.ImageCmsTransform, picture: PIL.Image.Image) -> PIL.Image.Image:
    changed = transform.apply(picture)
    changed.info.pop("icc_profile", None)
    return changed


@functools.lru_cache(8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from pixels of a mode to sRGB; None if none is needed, or if the profile cannot be used."""
    try:
        opened = ImageCms.getOpenProfile(io.BytesIO(profile))
        if mode not in _MODES.get(opened.profile.xcolor_space.strip(), ()):
            return None
        to = mode if mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(opened, _srgb(), mode, to, _INTENT, _FLAGS)
        return None if mode != "CMYK" and _changes_nothing(transform, mode, to) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str, to: str) -> bool:
    levels = np.arange(0, 256, 15).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(len(levels), -1, 3)
    colours = PIL.Image.fromarray(cube)
    asked = colours.convert(mode)
    change = np.asarray(transform.apply(asked), np.int16) - np.asarray(asked.convert(to), np.int16)
    return bool(np.abs(change).max() <= SAME_LEVELS)


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
