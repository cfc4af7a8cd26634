"""A 3 x 3 convolution over a map enlarged by nearest neighbour, computed at the map's own resolution.

Each tap of the kernel is applied once to every pixel of the small map, as one matrix product. The rest are sums of
these products, because a neighbour on the large map is the same small pixel or the next one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.fused import Fusible
from lp_ray.engine.liveportrait.fast.products import Product


class Enlarged(Fusible):
    """The convolution with its bias and a ReLU: N x H x W x C -> the distinct pixels of its result, as `kinds`."""

    def __init__(self, weight: Tensor, bias: Tensor, middle: bool) -> None:
        """`weight` is K x C x 3 x 3."""
        super().__init__()
        self.taps = Product(tap_matrix(weight))
        self.bias = nn.Buffer(bias)
        self.middle = middle

    def forward(self, pixels: Tensor) -> Tensor:
        products = self.taps(pixels).unflatten(-1, (3, 3, -1))
        return self.loop(rectified_kinds)(products, self.bias, self.middle)


def rectified_kinds(products: Tensor, bias: Tensor, middle: bool) -> Tensor:
    """Return `kinds` with the bias, after a ReLU."""
    return (kinds(products, middle) + bias).relu()


def tap_matrix(weight: Tensor) -> Tensor:
    """Return K x C x 3 x 3 as C x (9 K), taps before K."""
    return weight.permute(1, 2, 3, 0).flatten(1)


def kinds(products: Tensor, middle: bool) -> Tensor:
    """Sum products N x H x W x 3 x 3 x K to the distinct pixels of the enlarged map's convolution.

    Per cell and axis these are the first, with `middle` those that see one small pixel only, and the last:
    N x (2 or 3) H x (2 or 3) W x K.
    """
    return _along(_along(products, 1, middle), 2, middle)


def _along(products: Tensor, axis: int, middle: bool) -> Tensor:
    before, here, after = products.unbind(3)
    first = _shifted(before, axis, 1) + here + after
    last = before + here + _shifted(after, axis, -1)
    parts = [first, before + here + after, last] if middle else [first, last]
    return torch.stack(parts, axis + 1).flatten(axis, axis + 1)


def _shifted(x: Tensor, axis: int, by: int) -> Tensor:
    """Shift x along an axis by one; zeros come in."""
    pad = [0, 0] * (x.dim() - 1 - axis) + ([1, 0] if by > 0 else [0, 1])
    return functional.pad(x.narrow(axis, 0 if by > 0 else 1, x.shape[axis] - 1), pad)


def cells_of_four(distinct: Tensor) -> Tensor:
    """Return N x 3H x 3W x K of `kinds` with the middles repeated: N x 4H x 4W x K."""
    for axis in (1, 2):
        first, middle, last = distinct.unflatten(axis, (-1, 3)).unbind(axis + 1)
        distinct = torch.stack([first, middle, middle, last], axis + 1).flatten(axis, axis + 1)
    return distinct
