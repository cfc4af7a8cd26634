"""Distributions as one picture: small histograms side by side, the same bytes for the same values."""

from __future__ import annotations

import io
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, ACROSS = 300, 170, 3
BINS = 30
_INK, _PALE, _BAR, _LINE = (32, 32, 40), (110, 110, 125), (70, 110, 190), (210, 210, 220)
_MARK = (200, 60, 50)
_NONE = np.zeros(0)
_LEFT, _TOP, _RIGHT, _BOTTOM = 14, 34, 14, 24


def histograms(
    numbers: Mapping[str, NDArray[np.float64]], marks: Mapping[str, NDArray[np.float64]] = MappingProxyType({})
) -> bytes:
    """Return a PNG with a histogram for each column that has values. `marks` are lines at other values, by column."""
    shown = {name: values for name, values in numbers.items() if len(values)}
    down = max(1, -(-len(shown) // ACROSS))
    picture = Image.new("RGB", (WIDTH * ACROSS, HEIGHT * down), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    for place, (name, values) in enumerate(shown.items()):
        row, column = divmod(place, ACROSS)
        _draw(draw, column * WIDTH, row * HEIGHT, name, values, marks.get(name, _NONE))
    sink = io.BytesIO()
    picture.save(sink, "PNG", optimize=False)
    return sink.getvalue()


def _draw(
    draw: ImageDraw.ImageDraw, x: int, y: int, name: str, values: NDArray[np.float64], marks: NDArray[np.float64]
) -> None:
    title, small = ImageFont.load_default(14), ImageFont.load_default(11)
    low, high = (float(end(np.concatenate([values, marks]))) for end in (np.min, np.max))
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(values, BINS, (low, high))
    draw.text((x + _LEFT, y + 8), name, _INK, title)
    said = f"median {np.median(values):.4g}   n {len(values)}"
    draw.text((x + WIDTH - _RIGHT - draw.textlength(said, small), y + 11), said, _PALE, small)
    base, tall = y + HEIGHT - _BOTTOM, HEIGHT - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / BINS
    for n, count in enumerate(counts.tolist()):
        if count:
            left = x + _LEFT + n * step
            top = base - max(1, round(tall * count / int(counts.max())))
            draw.rectangle((round(left), top, round(left + step) - 2, base), _BAR)
    for mark in marks.tolist():
        at = x + _LEFT + (mark - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)
        draw.line((at, y + _TOP, at, base), _MARK, 2)
    draw.line((x + _LEFT, base + 1, x + WIDTH - _RIGHT, base + 1), _LINE)
    draw.text((x + _LEFT, base + 6), f"{low:.4g}", _PALE, small)
    said = f"{high:.4g}"
    draw.text((x + WIDTH - _RIGHT - draw.textlength(said, small), base + 6), said, _PALE, small)
