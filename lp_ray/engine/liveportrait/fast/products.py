"""Matrix products of float32 on a CPU by weights that never change."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lp_ray.engine.liveportrait.fast.torch_private import packed, packed_product, packs_products

MIN_WEIGHTS = 64 * 64
"""Smaller matrices are faster all at once: each product of its own costs some 10 microseconds to call."""


class Product(nn.Module):
    """... x C times a C x K matrix: ... x K. Made where the matrix is to stay: packed, it cannot be moved or copied."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        exact = matrix.device.type == "cpu" and matrix.dtype == torch.float32
        self.packed = exact and packs_products() and matrix.numel() >= MIN_WEIGHTS
        if self.packed:
            self.matrix = packed(matrix)
        else:
            self.weight = nn.Buffer(matrix)

    def forward(self, pixels: Tensor) -> Tensor:
        if not self.packed:
            return torch.matmul(pixels, self.weight)
        return torch.unflatten(packed_product(pixels.flatten(0, -2), self.matrix), 0, pixels.shape[:-1])


class Products(nn.Module):
    """n products side by side, n x N x C -> n x N x K, summed over taps of depth. Packed, they cannot be copied."""

    def __init__(self, weight: Tensor) -> None:
        """`weight` is kd x n x C x K: for each tap of depth n matrices."""
        super().__init__()
        self.taps, self.count, channels, self.width = weight.shape
        self.packed = packs_products() and channels * self.width >= MIN_WEIGHTS
        if self.packed:
            self.matrices = [[packed(matrix) for matrix in tap] for tap in weight]
        else:
            self.weight = nn.Buffer(weight)

    def forward(self, planes: Tensor) -> list[Tensor]:
        """Return n times D x N x K of n x (D + kd - 1) x N x C: plane d reads planes d to d + kd - 1."""
        rows, size = planes.shape[2], planes.shape[1] - self.taps + 1
        flat = planes.flatten(1, 2)
        parts = [flat[:, tap * rows : (tap + size) * rows] for tap in range(self.taps)]
        products = self._packed(parts) if self.packed else self._together(parts)
        return [product.unflatten(0, (size, rows)) for product in products]

    def _packed(self, parts: list[Tensor]) -> list[Tensor]:
        products = []
        for i in range(self.count):
            summed: Tensor | None = None
            for part, matrices in zip(parts, self.matrices, strict=True):
                summed = packed_product(part[i], matrices[i], summed)
            assert summed is not None
            products.append(summed)
        return products

    def _together(self, parts: list[Tensor]) -> list[Tensor]:
        total = torch.bmm(parts[0], self.weight[0])
        for part, matrices in zip(parts[1:], self.weight[1:], strict=True):
            total.baddbmm_(part, matrices)
        return list(total.unbind())
