"""The reference formulation of the LivePortrait engine, plainly: what ours is measured against.

One frame at a time, nothing kept of a source but its volume, norms and spectral norms computed as they stand in the
checkpoint, gamma and beta by convolutions of their own, all 22 candidate motions sampled by one 5-D `grid_sample` over
22 copies of the volume, channels first, and pictures carried to and from the device as uint8 for each frame. It is
written from the papers' descriptions on the modules of `lp_ray.engine.liveportrait`, unfolded: the weights are shared.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lp_ray.engine.liveportrait.generator import SLOPE, Generator, Spade, SpadeBlock
from lp_ray.engine.liveportrait.motion import MotionHeads
from lp_ray.engine.liveportrait.networks import Networks
from lp_ray.engine.liveportrait.warping import (
    DenseMotion,
    Motion,
    WarpingNetwork,
    candidate_motions,
    heat_maps,
    identity_grid,
)


def sampled(volume: Tensor, motions: Tensor) -> Tensor:
    """Return B x C x D x H x W sampled along B x K x D x H x W x 3 motions, K copies of it: B x K x C x D x H x W."""
    count = motions.shape[1]
    copies = volume[:, None].repeat(1, count, 1, 1, 1, 1).flatten(0, 1)
    moved = functional.grid_sample(copies, motions.flatten(0, 1), align_corners=False)
    return torch.unflatten(moved, 0, (-1, count))


def dense_motion(net: DenseMotion, volume: Tensor, x_d: Tensor, x_s: Tensor) -> Motion:
    """Return the motion of one frame; the volume is compressed again for each."""
    compressed = functional.relu(net.norm(net.compress(volume)))
    grid = identity_grid(*compressed.shape[2:], compressed.device)  # type: ignore[call-arg]
    motions = candidate_motions(x_d, x_s, grid)
    moved = sampled(compressed, motions)
    heat = heat_maps(x_d, grid) - heat_maps(x_s, grid)
    heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], 1)[:, :, None]
    hidden = net.hourglass(torch.cat([heat, moved], 2).flatten(1, 2))
    mask = functional.softmax(net.mask(hidden), 1)[:, :, None]  # B x 22 x 1 x D x H x W
    deformation = (motions.permute(0, 1, 5, 2, 3, 4) * mask).sum(1).permute(0, 2, 3, 4, 1)
    return Motion(deformation, torch.sigmoid(net.occlusion(hidden.flatten(1, 2))))


def warp(net: WarpingNetwork, volume: Tensor, x_d: Tensor, x_s: Tensor) -> Tensor:
    """Return the feature map of one frame, 1 x F x 64 x 64."""
    motion = dense_motion(net.dense_motion_network, volume, x_d, x_s)
    moved = functional.grid_sample(volume, motion.deformation, align_corners=False).flatten(1, 2)
    feature: Tensor = net.fourth(net.third(moved))
    return feature * motion.occlusion


def spade(net: Spade, x: Tensor, seg: Tensor) -> Tensor:
    """Return x normalised and modulated; the seg map is enlarged for every layer."""
    normalised = functional.instance_norm(x)
    hidden = net.mlp_shared(functional.interpolate(seg, x.shape[2:]))
    result: Tensor = normalised * (1 + net.mlp_gamma(hidden)) + net.mlp_beta(hidden)
    return result


def spade_block(net: SpadeBlock, x: Tensor, seg: Tensor) -> Tensor:
    """Return the block's output, each of its SPADE layers on its own."""
    shortcut = net.conv_s(spade(net.norm_s, x, seg)) if net.widens else x
    hidden = net.conv_0(functional.leaky_relu(spade(net.norm_0, x, seg), SLOPE))
    result: Tensor = net.conv_1(functional.leaky_relu(spade(net.norm_1, hidden, seg), SLOPE))
    return shortcut + result


def generate(net: Generator, seg: Tensor) -> Tensor:
    """Return the picture, 1 x 3 x 512 x 512 in [0, 1]."""
    x = net.fc(seg)
    for i in range(net.n_middle):
        x = spade_block(net.get_submodule(f"G_middle_{i}"), x, seg)  # type: ignore[arg-type]
    for block in (net.up_0, net.up_1):
        x = spade_block(block, functional.interpolate(x, scale_factor=2), seg)
    return torch.sigmoid(net.conv_img(functional.leaky_relu(x, SLOPE)))


@dataclass(frozen=True)
class Reference:
    """The reference formulation on a device: float32, or float16 under autocast as the published code runs."""

    networks: Networks
    device: torch.device
    autocast: torch.dtype | None
    motion: Callable[[Tensor], MotionHeads]
    appearance: Callable[[Tensor], Tensor]
    warping: Callable[[Tensor, Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]

    def context(self) -> AbstractContextManager[Any]:
        """Return the autocast that networks run under."""
        return torch.autocast(self.device.type, self.autocast or torch.bfloat16, enabled=self.autocast is not None)

    def picture(self, crop: NDArray[np.uint8]) -> Tensor:
        """Return one 256 x 256 x 3 crop as a network reads it, on the device."""
        return torch.from_numpy(crop.astype(np.float32) / 255).permute(2, 0, 1)[None].to(self.device)

    def frame(self, volume: Tensor, x_s: NDArray[np.float32], x_d: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return one frame, 512 x 512 x 3: keypoints up, W, G, float picture down, then to uint8."""
        moved, still = (torch.from_numpy(points)[None].to(self.device) for points in (x_d, x_s))
        with torch.inference_mode(), self.context():
            picture = self.generator(self.warping(volume, moved, still))
        pixels = picture.float().cpu().numpy()[0].transpose(1, 2, 0)
        frame: NDArray[np.uint8] = (np.clip(pixels, 0, 1) * 255).astype(np.uint8)
        return frame


def make_reference(networks: Networks, device: torch.device, half: bool, compiled: bool) -> Reference:
    """Place unfolded networks (`load_networks(..., fold=False)`) on the device; `compiled` uses torch.compile."""
    for network in networks.by_model().values():
        network.to(device)
    functions: list[Callable[..., Any]] = [
        networks.motion,
        networks.appearance,
        _bound(warp, networks.warping),
        _bound(generate, networks.generator),
    ]
    if compiled:
        functions = [torch.compile(function) for function in functions]
    return Reference(networks, device, torch.float16 if half else None, *functions)


def _bound(function: Callable[..., Tensor], network: nn.Module) -> Callable[..., Tensor]:
    def run(*inputs: Tensor) -> Tensor:
        return function(network, *inputs)

    return run
