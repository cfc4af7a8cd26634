"""RGB pictures to yuv420p with torch: what ffmpeg does before it encodes, for pictures that lie on a GPU.

Limited range BT.709, chroma sited between its four pixels, within 1 of what `lp_ray.media.encode.to_bt709` makes
ffmpeg give (swscale, `accurate_rnd+full_chroma_inp`). Half as many bytes then leave the device as for RGB.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional

from lp_ray.media.encode import LEAST_SIDE

_RED, _BLUE = 0.2126, 0.0722  # ITU-R BT.709-6, 3.2
_GREEN = 1 - _RED - _BLUE
_LUMA, _CHROMA = 219 / 255, 224 / 255  # limited range, 8 bits
_BLACK, _NO_COLOUR = 16, 128

_TAPS = 8
"""Pixels of a row or column that a chroma value is made of: half a bicubic filter's four pixels, at half the size."""


def to_yuv420p(pictures: Tensor) -> Tensor:
    """Return n x (3 h w / 2) uint8, each row the planes Y, U and V of one picture, as `-pix_fmt yuv420p` has them.

    `pictures` is n x H x W x 3 RGB uint8. Odd sides lose a row or column: h and w are even. Raises ValueError for
    another shape or type, or for sides under LEAST_SIDE.
    """
    if pictures.dim() != 4 or pictures.shape[3] != 3 or pictures.dtype != torch.uint8:
        raise ValueError(f"yuv420p is made of uint8, n x H x W x 3, not {pictures.dtype}, {tuple(pictures.shape)}")
    height, width = (side - side % 2 for side in pictures.shape[1:3])
    if min(height, width) < LEAST_SIDE:
        raise ValueError(f"pictures of {width} x {height} pixels; the least side is {LEAST_SIDE}")
    colours = pictures[:, :height, :width].to(torch.float32)
    red, green, blue = colours.unbind(3)
    mixed = [red * r + green * g + blue * b for r, g, b in _weights()]
    chroma = torch.stack(mixed[1:], 1).flatten(0, 1)[:, None]  # 2n x 1 x h x w
    u, v = _halved(chroma).unflatten(0, (-1, 2)).unbind(1)
    planes = (_levels(mixed[0], _BLACK), _levels(u, _NO_COLOUR), _levels(v, _NO_COLOUR))
    return torch.cat([plane.flatten(1) for plane in planes], 1)


def _weights() -> tuple[tuple[float, float, float], ...]:
    """Return the shares of red, green and blue in Y, U and V."""
    own = (_RED, _GREEN, _BLUE)
    to_blue = [_CHROMA * (float(i == 2) - share) / (2 * (1 - _BLUE)) for i, share in enumerate(own)]
    to_red = [_CHROMA * (float(i == 0) - share) / (2 * (1 - _RED)) for i, share in enumerate(own)]
    return (_LUMA * _RED, _LUMA * _GREEN, _LUMA * _BLUE), _three(to_blue), _three(to_red)


def _three(values: list[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third


def _halved(planes: Tensor) -> Tensor:
    """Return planes (m x 1 x h x w) at half the size, by the bicubic filter; their borders are repeated."""
    reach = _TAPS // 2 - 1
    for axis, pad in ((3, (reach, reach, 0, 0)), (2, (0, 0, reach, reach))):
        padded, half = functional.pad(planes, pad, mode="replicate"), planes.shape[axis] // 2
        # Products and sums, not a convolution: cuDNN may compute that in TF32, which has 10 bits.
        planes = padded.new_zeros([half if i == axis else side for i, side in enumerate(planes.shape)])
        for i, tap in enumerate(_taps()):
            pixels = torch.arange(i, i + 2 * half, 2, device=padded.device)
            planes += padded.index_select(axis, pixels).mul_(tap)
    return planes[:, 0]


@functools.cache
def _taps() -> tuple[float, ...]:
    """Return the filter's taps: Keys' cubic with a = -0.6 (swscale's default), sampled at quarters of its own pixel."""
    places = [abs(i - (_TAPS - 1) / 2) / 2 for i in range(_TAPS)]
    return tuple(_cubic(x) / 2 for x in places)


def _cubic(x: float) -> float:
    """Return the weight of a pixel at a distance of x pixels, 0 <= x <= 2."""
    return 1.4 * x**3 - 2.4 * x**2 + 1 if x < 1 else -0.6 * x**3 + 3 * x**2 - 4.8 * x + 2.4


def _levels(values: Tensor, offset: int) -> Tensor:
    return (values + (offset + 0.5)).floor_().clamp_(0, 255).to(torch.uint8)
