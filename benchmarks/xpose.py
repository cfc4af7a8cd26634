"""X-Pose against its unreduced formulation, side by side: seconds and operations a picture, and the same outputs.

Run from the repository root: python -m benchmarks.xpose [height width points]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lp_ray.face.xpose.decoder import Candidates
from lp_ray.face.xpose.runner import exact_float32, normalise
from lp_ray.face.xpose.seeded import seeded_checkpoint, seeded_prompts
from lp_ray.face.xpose.weights import load_xpose

from .xpose_unreduced import UnreducedXPose

Network = Callable[[Tensor, Tensor, Tensor], Candidates]


ROUNDS = 2
"""Runs of each side, in turn; the faster one counts, as another process on the machine only ever slows."""


def timed(network: Network, inputs: tuple[Tensor, Tensor, Tensor]) -> float:
    """Return the seconds of one run."""
    start = time.perf_counter()
    network(*inputs)
    if inputs[0].is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def counted(network: Network, inputs: tuple[Tensor, Tensor, Tensor]) -> tuple[Candidates, int]:
    """Return the candidates, and the floating-point operations they took (2 per product)."""
    # The counter does not know the CPU's fused attention: the same products, spelled out.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        found = network(*inputs)
    return found, counter.get_total_flops()


def farthest(ours: Candidates, theirs: Candidates) -> tuple[int, float]:
    """Match each candidate with its nearest (box and points): how many are over 1e-3 off, and the rest's most.

    Near-ties of the ranking swap a few queries between any two float32 runs, so order proves nothing.
    """
    a, b = (torch.cat((x.box, x.points.flatten(2)), 2)[0] for x in (ours, theirs))
    nearest = (a[:, None] - b[None]).abs().amax(-1).amin(1)
    matched = nearest[nearest < 1e-3]
    return len(nearest) - len(matched), float(matched.max()) if len(matched) else float("nan")


def main(height: int = 800, width: int = 960, points: int = 9) -> None:
    """Print one line for each formulation and one that compares them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, _ = load_xpose(seeded_checkpoint(), "seeded")
    model.to(device)
    prompts = seeded_prompts(points, f"s{points}")
    noise = np.random.default_rng(0).integers(0, 256, (-(-height // 16), -(-width // 16), 3), np.uint8)
    image = normalise(noise.repeat(16, 0).repeat(16, 1)[:height, :width])
    texts = [torch.from_numpy(rows) for rows in (prompts.instance, prompts.keypoints)]
    inputs = (image.to(device), texts[0].to(device), texts[1].to(device))
    with exact_float32(device):
        networks: tuple[Network, Network] = (model, UnreducedXPose(model))
        (ours, operations), (plain, plain_operations) = (counted(network, inputs) for network in networks)
        rounds = [[timed(network, inputs) for network in networks] for _ in range(ROUNDS)]
    seconds, plain_seconds = (min(column) for column in zip(*rounds, strict=True))
    rows = (("ours", seconds, operations), ("unreduced", plain_seconds, plain_operations))
    for name, took, work in rows:
        print(f"{name:9}  {height} x {width}, {points} points: {took:7.2f} s  {work / 1e9:6.1f} GFLOP")
    lost, error = farthest(ours, plain)
    print(f"ratio      {plain_seconds / seconds:.2f} x in time, {plain_operations / operations:.2f} x in operations")
    print(f"outputs    {lost} of {ours.logit.shape[1]} candidates without a match, the others within {error:.1e}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
