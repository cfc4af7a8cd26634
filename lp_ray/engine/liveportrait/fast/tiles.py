"""What stands before and after the products of Winograd's tiles, for pieces of a map, as matrix products or as sums.

By matrix product a transform is one call for all tiles. As sums it takes a tenth of the operations, but only in one
loop over memory, which torch.compile makes of it: these are the functions that `fused` compiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from operator import add

import torch
from torch import Tensor

TILE = 4
"""m: outputs of a tile along each axis."""

POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))
"""Where the polynomials are evaluated, besides infinity: chosen for their rounding error, which is that of a direct
convolution (Barabasz et al. 2020, arXiv 1803.10986)."""

CELL = (0, 1, 2, 2, 3, 4)
"""Which of its 5 distinct rows a tile's 6 rows are, over a map whose cells of 4 rows hold (first, mid, mid, last)."""

Matrix = tuple[tuple[float, ...], ...]

Finish = Callable[..., Tensor]
"""What is made of a convolution: takes its pixels, ... x K, its bias, and maps of the same size or of one pixel."""


def _transforms() -> tuple[Matrix, Matrix, Matrix]:
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


def _matrix(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(float(value) for value in row) for row in rows)


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of (x - root), lowest first."""
    result = [Fraction(1)]
    for root in roots:
        result = [a - root * b for a, b in zip([Fraction(0), *result], [*result, Fraction(0)], strict=True)]
    return result


INPUTS, WEIGHTS, OUTPUTS = _transforms()
"""The matrices of one axis: input n x n, weight n x 3, output m x n; n = m + 2."""


def spread(padded: Tensor) -> Tensor:
    """Transform the input's tiles: D x (4h + 2) x (4w + 2) x C -> n^2 x D x h x w x C."""
    return _spread(padded, TILE, range(TILE + 2))


def spread_cells(padded: Tensor) -> Tensor:
    """As `spread`, for a map of cells whose middle rows and columns are not repeated: D x (3h + 2) x (3w + 2) x C."""
    return _spread(padded, TILE - 1, CELL)


def _spread(padded: Tensor, stride: int, places: Sequence[int]) -> Tensor:
    rows, columns = ((side - 2) // stride * stride for side in padded.shape[1:3])
    window = [[padded[:, u : u + rows : stride, v : v + columns : stride] for v in places] for u in places]
    by_row = [[_sum(row, [line[v] for line in window]) for v in range(len(places))] for row in INPUTS]
    return torch.stack([_sum(column, line) for line in by_row for column in INPUTS])


def joined(products: Sequence[Tensor]) -> Tensor:
    """Transform products to the output's pixels: n^2 of D x h x w x K -> D x 4h x 4w x K."""
    n = TILE + 2
    by_row = [[_sum(row, products[v::n]) for v in range(n)] for row in OUTPUTS]
    rows = [torch.stack([_sum(column, line) for column in OUTPUTS], 3) for line in by_row]
    return torch.stack(rows, 2).flatten(3, 4).flatten(1, 2)


def _sum(factors: Sequence[float], terms: Sequence[Tensor]) -> Tensor:
    scaled = [term if factor == 1 else term * factor for factor, term in zip(factors, terms, strict=True) if factor]
    return reduce(add, scaled)
