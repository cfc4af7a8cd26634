"""Pictures with transparency, in two forms.

*Straight*: colours as they are, then how opaque each pixel is (0: not at all, 255: wholly). Files hold pictures so.
*On white*: colours as they look over white, then how opaque. Pictures are resized, cropped, warped and blended in this
form: in it, all channels of a mixture are the same mixture, and its colours are those of a picture that is laid over
white from the start. So what is animated looks the same, whether its transparency is kept or not.
"""

from __future__ import annotations

import numpy as np

from lp_ray.base.arrays import AlphaImage, Image, Plane

OPAQUE = 255


def over_white(picture: AlphaImage) -> Image:
    """Return a straight picture (H x W x 4) laid over white: H x W x 3, rounded."""
    alpha = picture[..., 3:].astype(np.uint16)  # 255 x 255 + 127 just fits
    shown: Image = ((picture[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return shown


def on_white(picture: AlphaImage) -> AlphaImage:
    """Return a straight picture (H x W x 4) on white, H x W x 4."""
    return joined(over_white(picture), picture[..., 3])


def straight(picture: AlphaImage) -> AlphaImage:
    """Return a picture on white (H x W x 4) as a straight one, H x W x 4: what `on_white` does, undone.

    Laid over white again, it shows the colours that it had, or the nearest there are: where more white shines through
    than the colour has, as a sharpening filter can leave it. A pixel that is not opaque at all is white.
    """
    alpha = picture[..., 3]
    plain = picture.copy()
    plain[alpha == 0, :3] = 255
    soft = (alpha > 0) & (alpha < OPAQUE)
    if soft.any():
        opaque = alpha[soft].astype(np.int32)[:, None]
        colour = picture[soft, :3].astype(np.int32) - (255 - opaque)
        plain[soft, :3] = np.clip((255 * np.maximum(colour, 0) + opaque // 2) // opaque, 0, 255)
    return plain


def opaque(picture: Image) -> AlphaImage:
    """Return a picture without transparency (H x W x 3) with it, H x W x 4: opaque everywhere."""
    return joined(picture, np.full(picture.shape[:2], OPAQUE, np.uint8))


def joined(colours: Image, alpha: Plane) -> AlphaImage:
    """Return colours (H x W x 3) and how opaque they are (H x W) as one array, H x W x 4."""
    return np.concatenate([colours, alpha[..., None]], axis=-1)
