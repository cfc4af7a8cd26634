"""`python -m benchmarks.engine.fp8`: what float8 would do to frames, emulated on a CPU. There is no such precision.

Inputs and weights of large convolutions are rounded to float8 e4m3 (4 bits of exponent, 3 of mantissa), scaled to its
range per tensor and per output channel; products and sums stay float32, as tensor cores add. A GPU would do no better.
Frames of seeded weights are compared with float32's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

from .arguments import measure
from .exactness import distance
from .inputs import make_inputs
from .reference import make_reference

Row = dict[str, Any]

LARGEST = torch.finfo(torch.float8_e4m3fn).max

PARTS = {"G": ("G",), "W": ("W",), "G and W": ("G", "W")}


@dataclass(frozen=True)
class Fp8Bench:
    """What is emulated: convolutions over 3 pixels and more, from `channels` to `channels` and more."""

    size: str = "full"
    channels: int = 64
    frames: int = 1


def rounded(x: Tensor, largest: Tensor) -> Tensor:
    """Return x as float8 e4m3 holds it when `largest` is scaled to its largest value, float32."""
    scale = largest.clamp(min=1e-12) / LARGEST
    return (x / scale).to(torch.float8_e4m3fn).float() * scale


def run(bench: Fp8Bench) -> Row:
    """Emulate G, W and both."""
    size = network_size(bench.size)
    weights = seeded_weights(size, SALTS["human"])
    inputs = make_inputs(max(2, bench.frames))

    def frames(models: tuple[str, ...]) -> tuple[Any, int]:
        networks = load_networks(size, weights, fold=False)
        rounds = [_round(networks.by_model()[model], bench.channels) for model in models]  # type: ignore[index]
        made = make_reference(networks, torch.device("cpu"), half=False, compiled=False)
        with torch.inference_mode():
            volume = made.appearance(made.picture(inputs.crops[0])).float()
        return np.stack([made.frame(volume, inputs.x_s[0], x_d) for x_d in inputs.x_d[: bench.frames]]), sum(rounds)

    expected, _ = frames(())
    rows = []
    for name, models in PARTS.items():
        made, n = frames(models)
        rows.append({"rounded": name, "convolutions": n, **distance(made, expected)})
    return {**vars(bench), "rows": rows}


def _round(network: nn.Module, channels: int) -> int:
    """Make a network's large convolutions read float8; return how many they are."""
    large = [
        module
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Conv3d)
        and min(module.in_channels, module.out_channels) >= channels
        and max(module.kernel_size) >= 3
    ]
    for module in large:
        if isinstance(module.weight, nn.Parameter):
            module.weight.data = _weight(module.weight.data)
        module.register_forward_pre_hook(_read_rounded)
    return len(large)


def _read_rounded(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Round what a convolution is about to read; a weight of spectral norm was made anew for this call."""
    if not isinstance(module.weight, nn.Parameter):
        module.weight = _weight(module.weight)
    return (rounded(given[0], given[0].abs().amax()),)


def _weight(weight: Tensor | nn.Module) -> Tensor:
    assert isinstance(weight, Tensor)
    return rounded(weight, weight.abs().amax(tuple(range(1, weight.dim())), keepdim=True))


def table(report: Row) -> str:
    """Return the report as a table in Markdown."""
    lines = [
        f"| float8 e4m3 in, size {report['size']} | convolutions | PSNR, dB | largest difference of 255 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['rounded']} | {row['convolutions']} | "
        f"{'identical' if row['psnr_db'] is None else format(row['psnr_db'], '.1f')} | {row['largest_difference']} |"
        for row in report["rows"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    measure(Fp8Bench, run, table)
