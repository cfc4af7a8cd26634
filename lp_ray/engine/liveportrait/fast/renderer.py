"""W and G together: from keypoints to uint8 pictures. The device computes while earlier results are copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lp_ray.base.pages import keep_freed_memory
from lp_ray.engine.liveportrait.config import VOLUME_SIDE
from lp_ray.engine.liveportrait.fast.execution import Execution, executed
from lp_ray.engine.liveportrait.fast.fused import fuse
from lp_ray.engine.liveportrait.fast.generator import FastGenerator
from lp_ray.engine.liveportrait.fast.warping import FastWarping
from lp_ray.engine.liveportrait.fast.winograd import Winograd
from lp_ray.engine.liveportrait.networks import Networks


class Pass(NamedTuple):
    """Inputs of one pass on the device: volume, its compressed form (1 or B rows), x_d, x_s (1 or B rows)."""

    volume: Tensor
    compressed: Tensor
    x_d: Tensor
    x_s: Tensor


class Rendered(NamedTuple):
    """B x 512 x 512 x 3 uint8, and of each picture the lowest and highest value, B x 2 float32; on the host, unless the
    device is asked for."""

    pixels: Tensor
    extremes: Tensor


class Renderer:
    """Made from folded, placed networks. It takes ownership of W and G."""

    def __init__(self, networks: Networks, device: torch.device, execution: Execution) -> None:
        self.warping = FastWarping(networks.warping, VOLUME_SIDE, networks.size.volume_depth)
        self.generator = FastGenerator(networks.generator, VOLUME_SIDE)
        self._device = device
        if device.type == "cpu":
            _settle(self.warping, execution)
            _settle(self.generator, execution)
        self._run = executed(self._pictures, execution, device)

    def _pictures(self, volume: Tensor, compressed: Tensor, x_d: Tensor, x_s: Tensor) -> tuple[Tensor, Tensor]:
        pictures = self.generator(self.warping(volume, compressed, x_d, x_s).feature)
        extremes = torch.stack(pictures.flatten(1).aminmax(dim=1), 1)  # NaN wins in both
        # Float to integer truncates, as the published results do.
        return (pictures * 255).to(torch.uint8), extremes

    def render(self, passes: Iterable[Pass]) -> Iterator[Rendered]:
        """Run passes. On a GPU, one pass runs while the result of the one before is copied."""
        waiting: tuple[Rendered, torch.cuda.Event] | None = None
        for given in passes:
            n = len(given.x_d)
            pixels, extremes = self._run(*(part.expand(n, *part.shape[1:]) for part in given))
            if self._device.type != "cuda":
                yield Rendered(pixels, extremes)
                continue
            copy = Rendered(_pinned(pixels), _pinned(extremes))
            copied = torch.cuda.Event()
            copied.record(torch.cuda.current_stream(self._device))  # not the current device's, which may be another
            if waiting:
                waiting[1].synchronize()
                yield waiting[0]
            waiting = copy, copied
        if waiting:
            waiting[1].synchronize()
            yield waiting[0]

    def render_on_device(self, passes: Iterable[Pass]) -> Iterator[Rendered]:
        """Run passes, and leave what they give on the device."""
        for given in passes:
            n = len(given.x_d)
            pixels, extremes = self._run(*(part.expand(n, *part.shape[1:]) for part in given))
            yield Rendered(pixels.clone(), extremes.clone())  # the next replay of a graph overwrites them


def _settle(network: nn.Module, execution: Execution) -> None:
    """Make a network ready for a CPU. Where maps are large, this process keeps the memory that it frees."""
    if any(isinstance(part, Winograd) for part in network.modules()):
        keep_freed_memory()
    if execution == "compiled":
        fuse(network)


def _pinned(tensor: Tensor) -> Tensor:
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
