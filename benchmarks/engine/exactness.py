"""`python -m benchmarks.engine.exactness device=cuda`: how far each precision's frames are from float32's on the CPU.

Seeded weights. Of each precision and execution: PSNR of the uint8 frames, their largest difference, how far keypoints
move, and whether the same comes out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.placement import PRECISIONS, choose_device
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

from .arguments import measure
from .inputs import make_inputs

Row = dict[str, Any]


@dataclass(frozen=True)
class ExactnessBench:
    """What is compared. On a GPU both executions that need no compiler are."""

    device: str = "cpu"
    sizes: tuple[str, ...] = ("full",)
    precisions: tuple[str, ...] = tuple(PRECISIONS)
    frames: int = 2


def run(bench: ExactnessBench) -> Row:
    """Compare at each size. Raises RefusedError for a device, size or precision that is not there."""
    device = choose_device(bench.device)
    return {**vars(bench), "rows": [row for size in bench.sizes for row in _of_size(bench, size, device)]}


def _of_size(bench: ExactnessBench, size_name: str, device: torch.device) -> list[Row]:
    size = network_size(size_name)
    weights = seeded_weights(size, SALTS["human"])
    inputs = make_inputs(bench.frames)
    exact = Predictor(load_networks(size, weights), torch.device("cpu"), torch.float32)
    expected = exact.frames(exact.features(inputs.crops[:1]), inputs.x_s, inputs.x_d)
    motion = exact.motion(inputs.crops)["x_s"]
    executions: tuple[Execution, ...] = ("eager", "graph") if device.type == "cuda" else ("eager",)
    rows = []
    for name in bench.precisions:
        for execution in executions:
            made = Predictor(load_networks(size, weights), device, PRECISIONS[name], bench.frames, execution)
            features = made.features(inputs.crops[:1])
            frames, again = (made.frames(features, inputs.x_s, inputs.x_d) for _ in range(2))
            row: Row = {"size": size_name, "precision": name, "execution": execution}
            row |= distance(frames, expected)
            row["keypoints"] = float(np.abs(made.motion(inputs.crops)["x_s"] - motion).max())
            row["again_the_same"] = bool(np.array_equal(frames, again))
            rows.append(row)
    return rows


def distance(frames: NDArray[np.uint8], expected: NDArray[np.uint8]) -> Row:
    """Return PSNR in dB (None: identical) and the largest difference of uint8 frames."""
    difference = frames.astype(np.int16) - expected
    error = float(np.square(difference, dtype=np.float64).mean())
    return {
        "psnr_db": float(10 * np.log10(255**2 / error)) if error else None,
        "largest_difference": int(np.abs(difference).max()),
    }


def table(report: Row) -> str:
    """Return the report as a table in Markdown."""
    lines = [
        f"| on {report['device']} | size | PSNR, dB | largest difference of 255 | keypoints within | again the same |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        psnr = "identical" if row["psnr_db"] is None else f"{row['psnr_db']:.1f}"
        lines.append(
            f"| `{row['precision']}` {row['execution']} | {row['size']} | {psnr} | {row['largest_difference']} | "
            f"{row['keypoints']:.1e} | {'yes' if row['again_the_same'] else 'no'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    measure(ExactnessBench, run, table)
