"""A convolution with a large kernel, computed by Fourier transforms of tiles (overlap-save); for CPUs.

A kernel of 7 x 7 over H and W becomes one complex product per frequency. Its depth taps stay sums.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TILE = 32
"""Side of the part of the result that one transform gives."""

TRANSFORM = 40
"""Side of the transform: at least TILE + kernel - 1, and a product of small primes."""


class FourierConv3d(nn.Module):
    """A k x k x k convolution of the same size, B x D x H x W x C -> B x D x H x W x K; H and W multiples of TILE."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """`weight` is K x C x k x k x k, float32, k odd and at most TRANSFORM - TILE + 1."""
        super().__init__()
        self.taps = weight.shape[-1]
        spectrum = torch.fft.rfft2(weight.double(), s=(TRANSFORM, TRANSFORM)).conj()  # correlation, not convolution
        matrices = spectrum.permute(3, 4, 1, 2, 0).flatten(3).flatten(0, 1)  # frequencies x C x (kd K)
        self.weight = nn.Buffer(matrices.to(torch.complex64).contiguous())
        self.bias = nn.Buffer(bias)

    def forward(self, pixels: Tensor) -> Tensor:
        batch, depth, height, width, _ = pixels.shape
        edge, window = self.taps // 2, TILE + self.taps - 1
        padded = functional.pad(pixels, (0, 0, edge, edge, edge, edge))
        tiles = padded.unfold(2, window, TILE).unfold(3, window, TILE)  # B x D x h x w x C x window x window
        tiles = tiles.permute(1, 0, 2, 3, 4, 5, 6)  # depth first, for its sums
        spectrum = torch.fft.rfft2(tiles.contiguous(), s=(TRANSFORM, TRANSFORM))
        spectrum = spectrum.flatten(-2).flatten(0, 3).permute(2, 0, 1).contiguous()  # frequencies x DBhw x C
        products = torch.bmm(spectrum, self.weight).unflatten(1, (depth, -1)).unflatten(-1, (self.taps, -1))
        total = self._summed(products)  # frequencies x D x Bhw x K
        spectrum = total.permute(1, 2, 3, 0).unflatten(-1, (TRANSFORM, TRANSFORM // 2 + 1))
        tiles = torch.fft.irfft2(spectrum.contiguous(), s=(TRANSFORM, TRANSFORM))[..., :TILE, :TILE]
        grid = (batch, height // TILE, width // TILE)
        tiles = tiles.unflatten(1, grid).permute(1, 0, 2, 5, 3, 6, 4)  # B x D x h x TILE x w x TILE x K
        result: Tensor = tiles.reshape(batch, depth, height, width, -1) + self.bias
        return result

    def _summed(self, products: Tensor) -> Tensor:
        """Sum frequencies x D x N x kd x K over taps of depth."""
        depth, edge = products.shape[1], self.taps // 2
        total = products[..., edge, :].clone()
        for tap in range(self.taps):
            by = tap - edge  # result[d] takes products[d + by]
            if by and abs(by) < depth:
                low, high = max(0, -by), depth - max(0, by)
                total[:, low:high] += products[:, low + by : high + by, :, tap]
        return total


def suits_fourier(weight: Tensor, side: int) -> bool:
    """Return whether this method suits a convolution: on a CPU in float32, with a large kernel over maps of whole
    tiles."""
    exact = weight.device.type == "cpu" and weight.dtype == torch.float32
    fits = 5 <= weight.shape[-1] <= TRANSFORM - TILE + 1 and side % TILE == 0
    return exact and fits and min(weight.shape[:2]) >= 16
