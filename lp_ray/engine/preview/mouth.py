"""Paint the inside of the mouth, which a portrait with closed lips does not show.

If the source shows the inside of its mouth, that picture goes between the lips. What lies above its bite is fixed to
the upper lip (the upper teeth are fixed to the skull, and the lower lip uncovers them), what lies below it to the lower
lip, which moves with the jaw. Between them a cavity opens with a tongue, and with teeth where the source shows none:
the upper ones under the upper lip, the lower ones behind the lower. All colours come from the portrait's own light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Points
from lp_ray.base.arrays import Plane as ImagePlane
from lp_ray.engine.preview.lips import Lips, Opening, lip_gap, locate_lips
from lp_ray.engine.preview.topology import EYES, INNER_LIPS, LOWER_LIP_ROWS, UPPER_LIP_ROWS
from lp_ray.face.pose import Array

Plane = NDArray[np.floating[Any]]
"""h x w, or h x w x 3 of RGB in 0 to 255."""

ENAMEL = np.array([232.0, 222.0, 202.0])
"""Teeth under white light."""
CHEEKS = (50, 101, 118, 36, 280, 330, 347, 266, 151, 9)
"""Vertices on cheeks and forehead whose colour stands for the skin."""
TEETH_HEIGHT, LOWER_TEETH_HEIGHT = 0.085, 0.042
"""Visible rows of teeth over the distance between the outer eye corners."""
ARCH = 0.25
"""Half width of the row of teeth over the same distance."""
TOOTH_GAPS = np.array([-0.80, -0.56, -0.29, 0.0, 0.29, 0.56, 0.80])
LOWER_TOOTH_GAPS = np.array([-0.78, -0.58, -0.39, -0.20, 0.0, 0.20, 0.39, 0.58, 0.78])
"""Where neighbouring teeth meet, in half widths of the row."""
OPEN_FROM, OPEN_FULL = 0.025, 0.06
"""Lip gap over mouth width: below the first value a source shows no inside of its mouth, above the second it does."""
BLEND_OVER = 0.02
"""Change of the lip gap over mouth width after which the painted inside is fully visible; at rest it is invisible."""


BITE_CONTRAST = 0.75
"""A source's bite is a line across its open mouth that is darker than this share of what lies above and below it."""
BITE_WITHIN = (0.25, 0.85)
"""Where it may lie, as a share of the way from the upper lip to the lower."""


@dataclass(frozen=True)
class MouthLook:
    """How the portrait's mouth looks: gap over mouth width, lips at rest, and colours (3, RGB).

    `bite` is the share of the inside that belongs to the upper jaw, from the upper lip down.
    """

    gap: float
    rest: Lips
    lip: Array
    teeth: Array
    bite: float


@dataclass(frozen=True)
class Canvas:
    """Coordinates of the pixels (h x w) around a mouth.

    `u` runs across the opening from -1 to 1, `arch` across the row of teeth likewise; `depth` is px below the
    upper lip and `space` the height of the opening there; `unit` is the distance of the outer eye corners,
    px, and `spread` half the mouth's width over that of the row of teeth.
    """

    u: Plane
    arch: Plane
    depth: Plane
    space: Plane
    unit: float
    spread: float

    def ramp(self, distance: Plane, over: float) -> Plane:
        """0 to 1 across an edge `over` units wide; `distance` in px past its beginning."""
        share: Plane = np.clip(distance / (over * self.unit), 0, 1)
        return share


def look_at_mouth(image: Image, rest: Array, points: Points) -> MouthLook:
    """Measure a source crop; `rest` is 468 x 2 in its pixels, `points` its landmarks (478 x 3)."""
    rows = [vertex for row in (*LOWER_LIP_ROWS[1:3], *UPPER_LIP_ROWS[1:3]) for vertex in row]
    lip = np.median(_sample(image, rest[rows]), axis=0)
    lips = locate_lips(rest)
    return MouthLook(lip_gap(points), lips, lip, _teeth_colour(image, points), _bite(image, lips))


def _bite(image: Image, rest: Lips) -> float:
    """Return where a source's upper row of teeth ends and the lower begins: see `MouthLook`. 1 if it shows one row."""
    u, share = np.meshgrid(np.linspace(-0.5, 0.5, 21), np.linspace(0, 1, 41))
    top, bottom = np.interp(u, *rest.upper.T), np.interp(u, *rest.lower.T)
    down = top + share * (bottom - top)
    places = rest.centre + (u * rest.half)[..., None] * rest.across + down[..., None] * rest.down
    light = _sample(image, places.reshape(-1, 2)).mean(1).reshape(u.shape).mean(1)
    first, last = (round(edge * (len(light) - 1)) for edge in BITE_WITHIN)
    at = first + int(light[first : last + 1].argmin())
    if light[at] > BITE_CONTRAST * min(light[:at].max(), light[at:].max()):
        return 1.0
    return at / (len(light) - 1)


def _sample(image: Image, positions: Array) -> Array:
    """Colours (k x 3) at pixel positions (k x 2), clamped to the picture."""
    x, y = np.clip(np.rint(positions), 0, np.array(image.shape[1::-1]) - 1).astype(int).T
    colours: Array = image[y, x].astype(np.float64)
    return colours


def _teeth_colour(image: Image, points: Points) -> Array:
    """Colour of teeth in the portrait's light.

    The whites of the eyes are the nearest thing to a grey card; the skin says how warm and how bright the
    picture is where eyes are shut or tiny.
    """
    skin = np.median(_sample(image, points[list(CHEEKS), :2]), axis=0)
    white = _eye_white(image, points)
    light = 0.5 * white / max(white.max(), 1.0) + 0.5 * (0.45 * skin / max(skin.max(), 1.0) + 0.55)
    tinted = ENAMEL * light / light.max()
    level = np.clip(1.08 * max(skin.mean(), 0.8 * white.mean()), 60.0, 215.0)
    teeth: Array = np.clip(tinted * level / tinted.mean(), 0, 245)
    return teeth


def _eye_white(image: Image, points: Points) -> Array:
    """Median colour of the brighter half of what lies between each iris and the corners of its eye."""
    steps = np.linspace(0.45, 0.8, 5)[:, None]
    colours = np.concatenate(
        [
            _sample(image, points[eye.iris, :2] * (1 - steps) + points[corner, :2] * steps)
            for eye in EYES
            for corner in eye.corners
        ]
    )
    bright = colours[colours.mean(1) >= np.median(colours.mean(1))]
    return np.asarray(np.median(bright, axis=0))


def paint_mouth(
    frame: Image, image: Image, look: MouthLook, positions: Array, opening: Opening, alpha: ImagePlane | None = None
) -> None:
    """Fill the mouth opening of `frame` in place.

    `alpha` says how opaque the frame's pixels are, and becomes opaque there. `image` is the source crop, `positions`
    the target vertices (468 x 2 or longer, px). If the lip gap is the one at rest, nothing is painted, because the warp
    already shows the mouth.
    """
    strength = min(abs(opening.gap - look.gap) / BLEND_OVER, 1.0)
    rim = positions[list(INNER_LIPS)]
    height, width = frame.shape[:2]
    x0, y0 = np.clip(np.floor(rim.min(0) - 3), 0, [width, height]).astype(int)
    x1, y1 = np.clip(np.ceil(rim.max(0) + 4), 0, [width, height]).astype(int)
    if strength <= 0 or x1 - x0 < 3 or y1 - y0 < 3:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask, [np.rint((rim - [x0, y0]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = cv2.GaussianBlur(mask, (3, 3), 0) * (strength / 255)
    inside = _inside(image, look, _canvas(positions, x0, y0, x1, y1), opening)
    part = frame[y0:y1, x0:x1]
    part[:] = np.clip(np.rint(_over(part.astype(np.float64), inside, share)), 0, 255).astype(np.uint8)
    if alpha is not None:
        under = alpha[y0:y1, x0:x1]
        under[:] = np.rint(under * (1 - share) + 255 * share).astype(np.uint8)


def _canvas(positions: Array, x0: int, y0: int, x1: int, y1: int) -> Canvas:
    lips = locate_lips(positions)
    unit = max(float(np.linalg.norm(positions[EYES[0].corners[0]] - positions[EYES[1].corners[0]])), 1.0)
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float64)
    dx, dy = x - lips.centre[0], y - lips.centre[1]
    across = dx * lips.across[0] + dy * lips.across[1]
    u = np.clip(across / lips.half, -1, 1)
    top = np.interp(u, *lips.upper.T)
    space = np.maximum(np.interp(u, *lips.lower.T) - top, 1e-3)
    depth = dx * lips.down[0] + dy * lips.down[1] - top
    return Canvas(u, np.clip(across / (ARCH * unit), -1, 1), depth, space, unit, lips.half / (ARCH * unit))


def _inside(image: Image, look: MouthLook, canvas: Canvas, opening: Opening) -> Plane:
    """Colour of the mouth's inside, h x w x 3."""
    own = float(np.clip((look.gap - OPEN_FROM) / (OPEN_FULL - OPEN_FROM), 0, 1))
    cover, shade = _upper_teeth(canvas)
    lower, lower_cover = _lower_teeth(look, canvas)
    colour = _over(_cavity(look, canvas), lower, lower_cover * (1 - own * (look.bite < 1)))
    colour = _over(colour, look.teeth * shade[..., None], cover * (1 - own))
    rim = canvas.ramp(np.minimum(canvas.depth, canvas.space - canvas.depth), 0.03)
    colour = colour * (0.68 + 0.32 * rim)[..., None]
    if own > 0:
        for picture, own_cover in _own_inside(image, look, canvas, opening.zoom):
            colour = _over(colour, picture, own * own_cover)
    return colour


def _over(below: Plane, above: Plane, cover: Plane) -> Plane:
    """Blend one colour (h x w x 3) over another by its cover (h x w)."""
    return below * (1 - cover[..., None]) + above * cover[..., None]


def _cavity(look: MouthLook, canvas: Canvas) -> Plane:
    """The throat, darkest in its middle and lit towards the lips, and the tongue, which lies on the lower jaw."""
    wide = np.clip((canvas.space / canvas.unit - 0.04) * 9, 0, 1)
    share = np.clip(canvas.depth / canvas.space, 0, 1)
    depth = (1 - canvas.u**2) * (1 - (2 * share - 0.9) ** 2).clip(0, 1)
    dark = look.lip * 0.17 + np.array([12.0, 1.0, 2.0])
    wall = look.lip * np.array([0.46, 0.34, 0.34])
    colour = _over(
        np.broadcast_to(dark, (*share.shape, 3)), np.broadcast_to(wall, (*share.shape, 3)), wide * (1 - depth)
    )
    below = share - (0.46 + 0.22 * canvas.u**2)
    light = 0.66 + 0.34 * np.clip(below / 0.3, 0, 1) * (1 - 0.5 * canvas.u**2)
    light = light * (1 - 0.10 * np.exp(-((canvas.u / 0.07) ** 2)))
    flesh = look.lip * np.array([0.92, 0.72, 0.74])
    cover = np.clip(below / 0.14, 0, 1) * wide * np.clip(1.4 - np.abs(canvas.u) * 1.4, 0, 1)
    return _over(colour, flesh * light[..., None], 0.94 * cover)


def _upper_teeth(canvas: Canvas) -> tuple[Plane, Plane]:
    """Cover (0 to 1) and shading of the row of upper teeth.

    It slides from under the lip as the mouth opens.
    """
    openness = canvas.space / canvas.unit
    seam = np.abs(canvas.arch[..., None] - TOOTH_GAPS).min(-1)
    hidden = 0.035 * np.clip(1 - (openness - 0.02) * 7, 0, 1)
    height = TEETH_HEIGHT * (1 - 0.5 * canvas.u**2) * (1 - 0.16 * np.exp(-((seam / 0.035) ** 2)))
    edge = np.maximum(height * np.clip(canvas.spread, 0.55, 1) - hidden, 0) * canvas.unit
    cover = canvas.ramp(edge - canvas.depth + 0.009 * canvas.unit, 0.018) * _corner_fade(canvas.u)
    under_lip = 0.62 + 0.38 * canvas.ramp(canvas.depth + hidden * canvas.unit, 0.05)
    return cover, under_lip * np.clip(0.66 + openness * 2.4, 0, 1) * _row_shade(canvas, seam)


def _lower_teeth(look: MouthLook, canvas: Canvas) -> tuple[Plane, Plane]:
    """Colour and cover of the row of lower teeth. The lower lip hides them until the mouth is well open, and they go
    down with it."""
    seam = np.abs(canvas.arch[..., None] - LOWER_TOOTH_GAPS).min(-1)
    openness = canvas.space / canvas.unit
    shown = LOWER_TEETH_HEIGHT * np.clip((openness - 0.10) * 5, 0, 1) * (1 - 0.7 * canvas.u**2)
    tips = canvas.space - shown * canvas.unit
    cover = canvas.ramp(canvas.depth - tips + 0.009 * canvas.unit, 0.018) * _corner_fade(canvas.u)
    cover = cover * canvas.ramp(canvas.space - tips, 0.02)
    return look.teeth * (0.80 * _row_shade(canvas, seam))[..., None], cover


def _corner_fade(u: Plane) -> Plane:
    share: Plane = np.clip(1.2 - np.abs(u) * 1.15, 0, 1)
    return share


def _row_shade(canvas: Canvas, seam: Plane) -> Plane:
    """Light on a row of teeth: it curves away at the sides and has a line between neighbours."""
    away = np.maximum(np.abs(canvas.u), np.abs(canvas.arch))
    shade: Plane = (1 - 0.45 * away**2) * (1 - 0.16 * np.exp(-((seam / 0.022) ** 2)))
    return shade


def _own_inside(image: Image, look: MouthLook, canvas: Canvas, zoom: float) -> list[tuple[Plane, Plane]]:
    """Return the parts of the source's mouth, each with its cover: first the one on the lower jaw, if the source shows
    any, then the one on the upper."""
    rest = look.rest
    top, bottom = np.interp(canvas.u, *rest.upper.T), np.interp(canvas.u, *rest.lower.T)
    extent = np.maximum(bottom - top, 0)
    shows = np.clip(extent * zoom / 2, 0, 1)
    parts: list[tuple[Plane, Plane]] = []
    if look.bite < 1:
        above, reach = (canvas.space - canvas.depth) / zoom, (1 - look.bite) * extent
        cover = np.clip((reach + 1 - above) * zoom / 2, 0, 1) * shows
        parts.append((_part_of(image, rest, canvas, bottom - np.clip(above, 0, reach + 1)), cover))
    below, reach = canvas.depth / zoom, look.bite * extent
    cover = (
        np.clip((reach + 3 - below) * zoom / 3, 0, 1)
        if look.bite == 1
        else np.clip((reach + 1 - below) * zoom / 2, 0, 1)
    )
    parts.append((_part_of(image, rest, canvas, top + np.minimum(below, reach + 3)), cover * shows))
    return parts


def _part_of(image: Image, rest: Lips, canvas: Canvas, down: Plane) -> Plane:
    """Sample the source's mouth at `down` px below its centre."""
    x = rest.centre[0] + canvas.u * rest.half * rest.across[0] + down * rest.down[0]
    y = rest.centre[1] + canvas.u * rest.half * rest.across[1] + down * rest.down[1]
    x, y = x.astype(np.float32), y.astype(np.float32)
    picture = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture.astype(np.float64)
