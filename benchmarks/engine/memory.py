"""`python -m benchmarks.engine.memory device=cuda precisions=fp32,bf16 batches=1,8`: memory of the GPU, ours alone.

The most that torch holds in a run of F, M, W and G, by precision and frames a pass; on a CPU, which counts no
allocations, nothing is said. CUDA itself takes about half a gigabyte more: `benchmarks.engine.start` shows it.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any

import torch

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.placement import choose_device, choose_precision
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

from .arguments import measure
from .inputs import make_inputs

Row = dict[str, Any]


@dataclass(frozen=True)
class MemoryBench:
    """What is measured."""

    device: str = "cuda"
    precisions: tuple[str, ...] = ("float32", "bfloat16", "float16")
    batches: tuple[int, ...] = (1, 4, 8, 16)
    execution: str = "graph"
    size: str = "full"


def run(bench: MemoryBench) -> Row:
    """Measure each precision at each batch, one after the other in this process."""
    device, size = choose_device(bench.device), network_size(bench.size)
    weights = seeded_weights(size, SALTS["human"])
    rows = []
    for precision in bench.precisions:
        for batch in bench.batches:
            peak = _peak(bench, device, precision, batch, lambda: load_networks(size, weights))
            rows.append({"precision": precision, "batch": batch, "peak_gb": peak})
    return {**vars(bench), "rows": rows}


def _peak(bench: MemoryBench, device: torch.device, precision: str, batch: int, networks: Any) -> float | None:
    """Return the most that was held, GB; None on a CPU."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    execution: Any = bench.execution
    made = Predictor(networks(), device, choose_precision(precision, device), batch, execution)
    inputs = make_inputs(batch)
    made.motion(inputs.crops)
    made.frames(made.features(inputs.crops[:1]), inputs.x_s, inputs.x_d)
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else None


def table(report: Row) -> str:
    """Return the report as a table in Markdown, a row a precision."""
    batches = report["batches"]
    lines = [
        f"| peak, GB, {report['execution']}; frames a pass | {' | '.join(str(batch) for batch in batches)} |",
        "|---|" + "---|" * len(batches),
    ]
    for precision in report["precisions"]:
        found = [row["peak_gb"] for row in report["rows"] if row["precision"] == precision]
        cells = " | ".join("not counted" if peak is None else f"{peak:.2f}" for peak in found)
        lines.append(f"| `{precision}` | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    measure(MemoryBench, run, table)
