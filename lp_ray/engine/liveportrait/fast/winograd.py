"""Convolutions of 3 x 3 with fewer multiplications: Winograd's F(m x m, 3 x 3) (Lavin and Gray 2015, arXiv 1509.09308).

An m x m tile of the output is computed from (m+2) x (m+2) of the input: both are transformed, and between the
transforms stand (m+2)^2 matrix products, so that each output takes ((m+2)/m)^2 multiplications in place of 9: 2.25 for
m = 4. The transforms are matrix products as well, over some rows of tiles at a time, which stay in cache.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 4
"""m: outputs of a tile along each axis."""

CACHED_FLOATS = 1 << 21
"""Transformed input and output of the tiles in work at a time (8 MiB)."""

POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))
"""Where the polynomials are evaluated, besides infinity: chosen for their rounding error, which is that of a direct
convolution (Barabasz et al. 2020, arXiv 1803.10986)."""

CELL = (0, 1, 2, 2, 3, 4)
"""Which of its 5 distinct rows a tile's 6 rows are, over a map whose cells of 4 rows hold (first, mid, mid, last)."""

Select = Callable[[Tensor], Tensor]
"""From B x H x W x C to the pixels in work, as m x m x r x columns x C, a view."""

Finish = Callable[[Tensor, Select], None]
"""Takes m x m x r x columns x K of a convolution, and puts what is made of it where it belongs."""


@cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices of one axis: input n x n, weight n x 3, output m x n, float64; n = m + 2."""
    n = TILE + 2
    inputs = [[*_product([q for q in POINTS if q != p]), Fraction(0)] for p in POINTS]
    weights, outputs = [], [[Fraction(0)] * n for _ in range(TILE)]
    for i, p in enumerate(POINTS):
        scale = Fraction(1)
        for q in POINTS:
            scale *= p - q if q != p else 1
        weights.append([p**j / scale for j in range(3)])
        for j in range(TILE):
            outputs[j][i] = p**j
    inputs.append(_product(list(POINTS)))
    weights.append([Fraction(0), Fraction(0), Fraction(1)])
    outputs[-1][-1] = Fraction(1)
    return _matrix(inputs), _matrix(weights), _matrix(outputs)


def _matrix(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of (x - root), lowest first."""
    result = [Fraction(1)]
    for root in roots:
        result = [a - root * b for a, b in zip([Fraction(0), *result], [*result, Fraction(0)], strict=True)]
    return result


class Winograd(nn.Module):
    """A 3 x 3 convolution padded by 1, without bias, of B x D x H x W x C pixels; H and W are multiples of 4.

    The kernel has 1 or 3 taps of depth. With `cells` the input is a map of cells of 4 x 4 pixels, of which the middle
    two rows and columns are the same, given without the repeats: 3 x 3 per cell.
    """

    def __init__(self, weight: Tensor, cells: bool = False) -> None:
        """`weight` is K x C x kd x 3 x 3, float32 on the CPU."""
        super().__init__()
        rows, weights, outputs = transforms()
        if cells:
            rows = torch.zeros(TILE + 2, 5, dtype=rows.dtype).index_add_(1, torch.tensor(CELL), rows)
        self.window, self.stride = rows.shape[1], 3 if cells else TILE
        spread = torch.einsum("iu,jv,kcduv->dijck", weights, weights, weight.double())
        self.weight = nn.Buffer(spread.flatten(1, 2).float().contiguous())  # kd x n^2 x C x K
        self.inputs = nn.Buffer(torch.kron(rows, rows).float())  # n^2 x window^2
        self.outputs = nn.Buffer(torch.kron(outputs, outputs).float())  # m^2 x n^2

    def forward(self, pixels: Tensor, finish: Finish) -> None:
        """Hand every piece of the result to `finish`."""
        around = len(self.weight) // 2
        tiles = functional.pad(pixels, (0, 0, 1, 1, 1, 1, around, around))
        tiles = tiles.unfold(2, self.window, self.stride).unfold(3, self.window, self.stride)
        batch, planes, rows, columns, channels = tiles.shape[:5]
        n2, width = len(self.inputs), self.weight.shape[-1]
        step = max(1, CACHED_FLOATS // (n2 * planes * columns * (channels + width)))
        for b in range(batch):
            for start in range(0, rows, step):
                part = tiles[b, :, start : start + step]  # planes x r x columns x C x window x window
                gathered = part.permute(4, 5, 0, 1, 2, 3).reshape(self.window**2, -1)
                inside = torch.mm(self.inputs, gathered).view(n2, -1, channels)
                done = torch.mm(self.outputs, self._products(inside, planes).view(n2, -1))
                block = done.view(TILE, TILE, -1, columns, width)  # depth and rows together
                finish(block, _selection(b, start, start + step, columns))

    def _products(self, inside: Tensor, planes: int) -> Tensor:
        """Multiply n^2 x (planes of tiles) x C by the weights, summed over taps of depth."""
        per_plane, taps = inside.shape[1] // planes, len(self.weight)
        size = (planes - taps + 1) * per_plane
        total = torch.bmm(inside[:, :size], self.weight[0])
        for tap in range(1, taps):
            start = tap * per_plane
            total.baddbmm_(inside[:, start : start + size], self.weight[tap])
        return total


def _selection(b: int, start: int, stop: int, columns: int) -> Select:
    def select(pixels: Tensor) -> Tensor:
        tiled = pixels[b].unflatten(2, (columns, TILE)).unflatten(1, (-1, TILE))  # D x rows x m x columns x m x C
        piece: Tensor = tiled[:, start:stop].permute(2, 4, 0, 1, 3, 5)
        return piece

    return select
