"""Every fast form agrees with the plain form that it replaces, in float32; half precision agrees with float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._dynamo.utils import counters
from torch.nn import functional

from lp_ray.engine.liveportrait.config import TINY
from lp_ray.engine.liveportrait.fast import winograd
from lp_ray.engine.liveportrait.fast.enlarged import Enlarged, cells_of_four
from lp_ray.engine.liveportrait.fast.fourier import FourierConv3d
from lp_ray.engine.liveportrait.fast.fused import fuse
from lp_ray.engine.liveportrait.fast.generator import FastSpadeBlock
from lp_ray.engine.liveportrait.fast.heads import Occlusion, WideMask
from lp_ray.engine.liveportrait.fast.motions import heat_maps, moved_volumes
from lp_ray.engine.liveportrait.fast.pixels import PixelConv, biased
from lp_ray.engine.liveportrait.fast.products import Products
from lp_ray.engine.liveportrait.fast.winograd import Winograd
from lp_ray.engine.liveportrait.generator import SpadeBlock
from lp_ray.engine.liveportrait.layers import fold_all
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.warping import candidate_motions, identity_grid, sample
from lp_ray.engine.liveportrait.warping import heat_maps as plain_heat_maps
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    with torch.no_grad():
        yield


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pixels_of(x: Tensor) -> Tensor:
    """B x C x D x H x W -> B x D x H x W x C."""
    return x.permute(0, 2, 3, 4, 1).contiguous()


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize(("taps", "depth", "width"), [(1, 1, 32), (3, 3, 32), (3, 2, 5), (1, 1, 5)])
def test_convolutions_by_tiles_and_direct(taps: int, depth: int, width: int) -> None:
    """Wide ones go through Winograd's tiles, narrow ones through the library; with bias, residual and ReLU."""
    x, weight, bias = noise(2, width, depth, 8, 12), noise(width, width, taps, 3, 3) / 20, noise(width)
    conv = PixelConv(weight, bias, 8, relu=True)
    assert (conv.winograd is not None) == (width >= 32)
    residual = noise(2, width, depth, 8, 12, seed=1)
    expected = functional.conv3d(x, weight, bias, padding=(taps // 2, 1, 1)) + residual
    close(conv(pixels_of(x), pixels_of(residual)), pixels_of(expected.relu()))


def test_tiles_over_cells_of_four() -> None:
    """A convolution over a map whose cells repeat their middles, from the 3 x 3 distinct pixels of each."""
    distinct, weight, bias = noise(2, 9, 6, 8), noise(5, 8, 3, 3) / 9, noise(5)
    out = Winograd(weight[:, :, None], bias, cells=True)(distinct[:, None], biased)
    expected = functional.conv2d(cells_of_four(distinct).permute(0, 3, 1, 2), weight, bias, padding=1)
    close(out[:, 0], expected.permute(0, 2, 3, 1))


@pytest.mark.parametrize(("taps", "width"), [(1, 64), (3, 64), (3, 8)])
def test_products_side_by_side(taps: int, width: int) -> None:
    """Large matrices in oneDNN's layout, small ones at once; each sums its taps of depth."""
    weight, planes = noise(taps, 4, width, width) / 8, noise(4, taps + 2, 6, width)
    products = Products(weight)
    assert products.packed == (width == 64)
    expected = torch.stack(
        [sum(planes[:, d + tap] @ weight[tap] for tap in range(taps)) for d in range(3)],
        1,  # type: ignore[misc]
    )
    close(torch.stack(products(planes)), expected)


def test_pieces_of_a_map_join_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A map too large to be transformed at once: rows of tiles one after the other, of a convolution and beside it."""
    x, weight, bias, residual = noise(1, 1, 24, 8, 32), noise(32, 32, 1, 3, 3) / 17, noise(32), noise(1, 1, 24, 8, 32)
    whole = Winograd(weight, bias)(x, biased, residual)
    monkeypatch.setattr(winograd, "MOST_FLOATS", 2 * 36 * 2 * 64)
    assert len(list(winograd._pieces(6, 2))) == 3
    close(Winograd(weight, bias)(x, biased, residual), whole)


@pytest.mark.parametrize("factor", [2, 4])
def test_convolution_over_an_enlarged_map(factor: int) -> None:
    x, weight = noise(2, 6, 5, 7), noise(4, 6, 3, 3) / 8
    bias = noise(4, seed=1)
    distinct = Enlarged(weight, bias, middle=factor == 4)(x.permute(0, 2, 3, 1))
    ours = cells_of_four(distinct) if factor == 4 else distinct
    expected = functional.conv2d(functional.interpolate(x, scale_factor=factor), weight, bias, padding=1).relu()
    close(ours, expected.permute(0, 2, 3, 1))


def test_translations_axis_by_axis() -> None:
    """Also far outside, where all is zero."""
    volume, x_s = noise(2, 3, 4, 8, 8), 0.4 * noise(2, 21, 3)
    x_d = x_s + 0.7 * noise(2, 21, 3, seed=1)
    grid = identity_grid(4, 8, 8, torch.device("cpu"))
    motions = candidate_motions(x_d, x_s, grid)
    shifts = functional.pad(x_s - x_d, (0, 0, 1, 0))
    expected = torch.stack([sample(volume, motions[:, k]) for k in range(22)], 1)
    close(moved_volumes(volume, shifts), expected)
    close(heat_maps(x_d, 4, 8, 8), plain_heat_maps(x_d, grid))


def test_large_kernels() -> None:
    x, weight, bias = noise(2, 16, 4, 32, 64), noise(17, 16, 7, 7, 7) / 50, noise(17)
    expected = pixels_of(functional.conv3d(x, weight, bias, padding=3))
    close(FourierConv3d(weight, bias)(pixels_of(x)), expected)
    close(WideMask(weight, bias)(pixels_of(x)), expected)


def test_occlusion_with_channels_filled_up() -> None:
    x, weight, bias = noise(2, 6, 4, 8, 8), noise(1, 24, 7, 7) / 30, noise(1)
    filled = functional.pad(pixels_of(x), (0, 10))
    expected = functional.conv2d(x.flatten(1, 2), weight, bias, padding=3)[:, 0]
    close(Occlusion(weight, bias, 4, 16)(filled), expected)


@pytest.mark.parametrize(("dtype", "floor_db"), [(torch.float16, 45.0), (torch.bfloat16, 30.0)])
def test_half_precision_stays_near_float32(
    weights: WeightSet, crops: NDArray[np.uint8], dtype: torch.dtype, floor_db: float
) -> None:
    """Keypoints from float32 for both: what W, G and F lose, as PSNR of the frames."""

    def frames(kind: torch.dtype) -> NDArray[np.float64]:
        predictor = Predictor(load_networks(TINY, weights.states), torch.device("cpu"), kind, batch=1)
        x_d = (0.3 * noise(1, 21, 3)).numpy()
        return predictor.frames(predictor.features(crops[:1]), x_d + 0.05, x_d).astype(np.float64)

    error = np.square(frames(dtype) - frames(torch.float32)).mean()
    assert error > 0, "the precision was not used"
    assert 10 * np.log10(255**2 / error) >= floor_db


@pytest.mark.slow
def test_fused_forms_agree_with_those_by_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled for this CPU: tiles of maps and volumes, tiles over cells with modulation, enlarged maps, norms."""
    monkeypatch.setenv("LP_RAY_CACHE", str(tmp_path))
    block = FastSpadeBlock(_spade_block(), 8, cells=True)
    volume = PixelConv(noise(32, 32, 3, 3, 3) / 29, noise(32), 8, relu=True)
    enlarged = Enlarged(noise(32, 32, 3, 3) / 17, noise(32), middle=True)
    pixels, hidden = noise(1, 1, 8, 8, 64), noise(2, 1, 1, 6, 6, 32)
    given = ((block, (pixels, tuple(hidden))), (volume, (noise(2, 3, 8, 12, 32),)), (enlarged, (noise(1, 4, 4, 32),)))
    torch._dynamo.reset()  # a test before may have compiled the same
    counters.clear()
    with torch.inference_mode():
        eager = [layer(*inputs) for layer, inputs in given]
        for layer, _ in given:
            fuse(layer)
        for (layer, inputs), expected in zip(given, eager, strict=True):
            largest = expected.abs().max()
            close(layer(*inputs) / largest, expected / largest)
    assert counters["stats"]["unique_graphs"] >= len(given), "that was compiled"


def _spade_block() -> SpadeBlock:
    block = SpadeBlock(64, 64, 4, 32)
    for parameter in block.parameters():
        parameter.copy_(noise(*parameter.shape) / max(1, parameter[0].numel()) ** 0.5)
    fold_all(block)
    return block
