"""`python -m benchmarks.engine.exactness cuda`: how far each precision's frames are from float32's on the CPU.

Seeded weights at full size; prints PSNR of the uint8 frames, and for float32 on a GPU the largest difference.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.placement import PRECISIONS, choose_device
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

from .inputs import make_inputs


def main(device_name: str = "cuda", size_name: str = "full") -> None:
    """Print a line for each precision and execution."""
    device, size = choose_device(device_name), network_size(size_name)
    weights = seeded_weights(size, SALTS["human"])
    inputs = make_inputs(2)
    exact = Predictor(load_networks(size, weights), torch.device("cpu"), torch.float32)
    expected = exact.frames(exact.features(inputs.crops[:1]), inputs.x_s, inputs.x_d)
    motion = exact.motion(inputs.crops)["x_s"]
    executions: tuple[Execution, ...] = ("eager", "graph") if device.type == "cuda" else ("eager",)
    for name, dtype in PRECISIONS.items():
        for execution in executions:
            made = Predictor(load_networks(size, weights), device, dtype, 2, execution)
            frames = made.frames(made.features(inputs.crops[:1]), inputs.x_s, inputs.x_d)
            again = made.frames(made.features(inputs.crops[:1]), inputs.x_s, inputs.x_d)
            difference = np.abs(frames.astype(int) - expected)
            error = float(np.square(difference).mean())
            psnr = 10 * np.log10(255**2 / error) if error else float("inf")
            moved = float(np.abs(made.motion(inputs.crops)["x_s"] - motion).max())
            print(
                f"{name} {execution}: PSNR {psnr:.1f} dB, largest difference {difference.max()} of 255, "
                f"keypoints within {moved:.1e}, again the same: {np.array_equal(frames, again)}"
            )


if __name__ == "__main__":
    main(*sys.argv[1:3])
