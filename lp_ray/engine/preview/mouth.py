"""Paint the inside of the mouth, which a portrait with closed lips does not show.

If the source shows the inside of its mouth, that picture goes between the lips, fixed to the upper lip (the upper teeth
are fixed to the skull, and the lower lip uncovers them). Where it ends, a dark cavity follows with a tongue, lower
teeth that move with the jaw and, if the source shows none, upper teeth. All colours are taken from the portrait's own
light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Points
from lp_ray.engine.preview.lips import Lips, Opening, lip_gap, locate_lips
from lp_ray.engine.preview.topology import EYES, INNER_LIPS, LOWER_LIP_ROWS, UPPER_LIP_ROWS
from lp_ray.face.pose import Array

Plane = NDArray[np.floating[Any]]
"""h x w, or h x w x 3 of RGB in 0 to 255."""

ENAMEL = np.array([232.0, 222.0, 202.0])
"""Teeth under white light."""
CHEEKS = (50, 101, 118, 36, 280, 330, 347, 266, 151, 9)
"""Vertices on cheeks and forehead whose colour stands for the skin."""
TEETH_HEIGHT, LOWER_TEETH_HEIGHT = 0.085, 0.06
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


@dataclass(frozen=True)
class MouthLook:
    """How the portrait's mouth looks: gap over mouth width, lips at rest, and colours (3, RGB)."""

    gap: float
    rest: Lips
    lip: Array
    teeth: Array


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
    return MouthLook(lip_gap(points), locate_lips(rest), lip, _teeth_colour(image, points))


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


def paint_mouth(frame: Image, image: Image, look: MouthLook, positions: Array, opening: Opening) -> None:
    """Fill the mouth opening of `frame` in place.

    `image` is the source crop, `positions` the target vertices (468 x 2 or longer, px). If the lip gap is the one at
    rest, nothing is painted, because the warp already shows the mouth.
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
    alpha = cv2.GaussianBlur(mask, (3, 3), 0) * (strength / 255)
    inside = _inside(image, look, _canvas(positions, x0, y0, x1, y1), opening)
    part = frame[y0:y1, x0:x1]
    part[:] = np.clip(np.rint(_over(part.astype(np.float64), inside, alpha)), 0, 255).astype(np.uint8)


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
    picture, extent = _own_inside(image, look.rest, canvas, opening.zoom)
    cover, edge, shade = _upper_teeth(canvas)
    bite = edge * (1 - own) + np.maximum(edge, extent) * own + opening.jaw * canvas.unit
    colour = _over(_cavity(look, canvas), *_lower_teeth(look, canvas, bite))
    colour = _over(colour, look.teeth * shade[..., None], cover * (1 - own))
    rim = canvas.ramp(np.minimum(canvas.depth, canvas.space - canvas.depth), 0.03)
    colour = colour * (0.68 + 0.32 * rim)[..., None]
    own_cover = own * np.clip((extent + 3 - canvas.depth) / 3, 0, 1) * np.clip(extent / 2, 0, 1)
    return _over(colour, picture, own_cover)


def _over(below: Plane, above: Plane, cover: Plane) -> Plane:
    """Blend one colour (h x w x 3) over another by its cover (h x w)."""
    return below * (1 - cover[..., None]) + above * cover[..., None]


def _cavity(look: MouthLook, canvas: Canvas) -> Plane:
    """The dark and the tongue."""
    dark = look.lip * 0.20 + np.array([14.0, 2.0, 3.0])
    colour = dark * (0.55 + 0.45 * np.clip(canvas.depth / canvas.space, 0, 1))[..., None]
    tongue = canvas.ramp(canvas.depth - canvas.space * 0.62, 0.10)
    tongue = tongue * np.clip((canvas.space / canvas.unit - 0.08) * 8, 0, 1)
    tongue = tongue * 0.75 * np.clip(1.15 - np.abs(canvas.u) * 1.1, 0, 1)
    flesh = look.lip * 0.66 * np.array([1.0, 0.86, 0.88])
    return _over(colour, np.broadcast_to(flesh, colour.shape), tongue)


def _upper_teeth(canvas: Canvas) -> tuple[Plane, Plane, Plane]:
    """Cover (0 to 1), lower edge (px below the lip) and shading of the row of upper teeth.

    It slides from under the lip as the mouth opens.
    """
    openness = canvas.space / canvas.unit
    seam = np.abs(canvas.arch[..., None] - TOOTH_GAPS).min(-1)
    hidden = 0.035 * np.clip(1 - (openness - 0.02) * 7, 0, 1)
    height = TEETH_HEIGHT * (1 - 0.5 * canvas.u**2) * (1 - 0.16 * np.exp(-((seam / 0.035) ** 2)))
    edge = np.maximum(height * np.clip(canvas.spread, 0.55, 1) - hidden, 0) * canvas.unit
    cover = canvas.ramp(edge - canvas.depth + 0.009 * canvas.unit, 0.018) * _corner_fade(canvas.u)
    under_lip = 0.62 + 0.38 * canvas.ramp(canvas.depth + hidden * canvas.unit, 0.05)
    return cover, edge, under_lip * np.clip(0.66 + openness * 2.4, 0, 1) * _row_shade(canvas, seam)


def _lower_teeth(look: MouthLook, canvas: Canvas, bite: Plane) -> tuple[Plane, Plane]:
    """Colour and cover of the row of lower teeth, whose tips stand at `bite` px below the upper lip."""
    seam = np.abs(canvas.arch[..., None] - LOWER_TOOTH_GAPS).min(-1)
    row = LOWER_TEETH_HEIGHT * canvas.unit * (1 - 0.4 * canvas.u**2)
    tips = np.maximum(bite + 0.012 * canvas.unit, canvas.space - row)
    cover = canvas.ramp(canvas.depth - tips + 0.009 * canvas.unit, 0.018) * _corner_fade(canvas.u)
    cover = cover * canvas.ramp(canvas.space - tips, 0.02)
    return look.teeth * (0.92 * _row_shade(canvas, seam))[..., None], cover


def _corner_fade(u: Plane) -> Plane:
    share: Plane = np.clip(1.2 - np.abs(u) * 1.15, 0, 1)
    return share


def _row_shade(canvas: Canvas, seam: Plane) -> Plane:
    """Light on a row of teeth: it curves away at the sides and has a line between neighbours."""
    away = np.maximum(np.abs(canvas.u), np.abs(canvas.arch))
    shade: Plane = (1 - 0.45 * away**2) * (1 - 0.16 * np.exp(-((seam / 0.022) ** 2)))
    return shade


def _own_inside(image: Image, rest: Lips, canvas: Canvas, zoom: float) -> tuple[Plane, Plane]:
    """Return the source's mouth, fixed to the upper lip (h x w x 3), and how far down it reaches (h x w, px)."""
    top = np.interp(canvas.u, *rest.upper.T)
    extent = np.maximum(np.interp(canvas.u, *rest.lower.T) - top, 0)
    down = top + np.minimum(canvas.depth / zoom, extent + 3)
    x = rest.centre[0] + canvas.u * rest.half * rest.across[0] + down * rest.down[0]
    y = rest.centre[1] + canvas.u * rest.half * rest.across[1] + down * rest.down[1]
    x, y = x.astype(np.float32), y.astype(np.float32)
    picture = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return picture.astype(np.float64), extent * zoom
