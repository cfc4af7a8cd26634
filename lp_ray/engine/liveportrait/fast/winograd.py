"""Convolutions of 3 x 3 with fewer multiplications: Winograd's F(m x m, 3 x 3) (Lavin and Gray 2015, arXiv 1509.09308).

An m x m tile of the output is computed from (m+2) x (m+2) of the input: both are transformed, and between the
transforms stand (m+2)^2 matrix products, so that each output takes ((m+2)/m)^2 multiplications in place of 9: 2.25 for
m = 4. This goes over some rows of tiles at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.fast.fused import Fusible, fused, fused_finish
from lp_ray.engine.liveportrait.fast.products import Products
from lp_ray.engine.liveportrait.fast.tiles import CELL, INPUTS, OUTPUTS, TILE, WEIGHTS, Finish, spread, spread_cells

MOST_FLOATS = 16 << 20
"""Transformed input and output of the tiles in work at a time (64 MiB): more leave the cache, fewer make the products
small."""


class Winograd(Fusible):
    """A 3 x 3 convolution padded by 1, of B x D x H x W x C pixels; H and W are multiples of 4.

    The kernel has 1 or 3 taps of depth. With `cells` the input is a map of cells of 4 x 4 pixels, of which the middle
    two rows and columns are the same, given without the repeats: 3 x 3 per cell.
    """

    def __init__(self, weight: Tensor, bias: Tensor, cells: bool = False) -> None:
        """`weight` is K x C x kd x 3 x 3, float32 on the CPU."""
        super().__init__()
        rows, weights, outputs = (torch.tensor(matrix, dtype=torch.float64) for matrix in (INPUTS, WEIGHTS, OUTPUTS))
        if cells:
            rows = torch.zeros(TILE + 2, 5, dtype=rows.dtype).index_add_(1, torch.tensor(CELL), rows)
        self.cells = cells
        self.window, self.stride = rows.shape[1], 3 if cells else TILE
        self.taps, self.width, self.channels = weight.shape[2], *weight.shape[:2]
        products = torch.einsum("iu,jv,kcduv->dijck", weights, weights, weight.double())
        self.products = Products(products.flatten(1, 2).float().contiguous())
        self.bias = nn.Buffer(bias)
        self.inputs = nn.Buffer(torch.kron(rows, rows).float())  # n^2 x window^2
        self.outputs = nn.Buffer(torch.kron(outputs, outputs).float())  # m^2 x n^2

    def forward(self, pixels: Tensor, finish: Finish, *beside: Tensor) -> Tensor:
        """Return what `finish` makes of the convolution without its bias, of the bias and of the maps in `beside`.

        These are B x D x H x W x ... or B x 1 x 1 x 1 x ...; the result has the convolution's size.
        """
        around = self.taps // 2
        padded = functional.pad(pixels, (0, 0, 1, 1, 1, 1, around, around))
        work = self._fused if self.fused else self._by_products
        done = [work(picture, finish, maps) for picture, *maps in zip(padded, *beside, strict=True)]
        return done[0][None] if len(done) == 1 else torch.stack(done)

    def _by_products(self, padded: Tensor, finish: Finish, beside: list[Tensor]) -> Tensor:
        tiles = padded.unfold(1, self.window, self.stride).unfold(2, self.window, self.stride)
        planes, rows, columns = tiles.shape[:3]
        size = planes - self.taps + 1, TILE * rows, TILE * columns
        maps = [_tiled(each.expand(*size, -1)) for each in beside]
        out: Tensor | None = None
        cost = len(self.inputs) * planes * columns * (self.channels + self.width)
        for start, stop in _pieces(rows, MOST_FLOATS // cost):
            part = tiles[:, start:stop]  # planes x r x columns x C x window x window
            gathered = part.permute(4, 5, 0, 1, 2, 3).reshape(self.window**2, -1)
            inside = torch.mm(self.inputs, gathered).view(len(self.inputs), planes, -1, self.channels)
            products = torch.stack(self.products(inside)).view(len(self.inputs), -1)
            block = torch.mm(self.outputs, products).view(TILE, TILE, size[0], -1, columns, self.width)
            made = finish(block, self.bias, *(each[:, :, :, start:stop] for each in maps))
            out = padded.new_empty(*size, made.shape[-1]) if out is None else out
            _tiled(out)[:, :, :, start:stop] = made
        assert out is not None
        return out

    def _fused(self, padded: Tensor, finish: Finish, beside: list[Tensor]) -> Tensor:
        planes, rows, columns = len(padded), *((side - 2) // self.stride for side in padded.shape[1:3])
        spreads, finishes = fused(spread_cells if self.cells else spread), fused_finish(finish)
        cost = len(self.inputs) * planes * columns * (self.channels + self.width)
        parts = []
        for start, stop in _pieces(rows, MOST_FLOATS // cost):
            inside = spreads(padded[:, self.stride * start : self.stride * stop + 2])
            products = [made.unflatten(1, (stop - start, columns)) for made in self.products(inside.flatten(2, 3))]
            maps = (each if each.shape[1] == 1 else each[:, TILE * start : TILE * stop] for each in beside)
            parts.append(finishes(products, self.bias, *maps))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _pieces(rows: int, fit: int) -> Iterator[tuple[int, int]]:
    """Cut rows of tiles into pieces of one size, as large as fits."""
    step = next(size for size in range(min(rows, max(1, fit)), 0, -1) if rows % size == 0)
    for start in range(0, rows, step):
        yield start, start + step


def _tiled(pixels: Tensor) -> Tensor:
    """Return D x H x W x C as m x m x D x rows x columns x C, a view."""
    tiled: Tensor = pixels.unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE))
    return tiled.permute(2, 4, 0, 1, 3, 5)
