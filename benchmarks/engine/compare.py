"""Ours against the reference formulation, in turn, on the same weights and inputs: one table, and JSON.

Needs neither Ray nor Hydra, so that it runs on a bare machine with a GPU: `python -m benchmarks.engine device=cuda`.
"""

from __future__ import annotations

import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.engine.liveportrait.networks import Weights, load_networks
from lp_ray.engine.liveportrait.placement import choose_device, choose_execution, choose_precision
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.weights.seeded import SALTS, seeded_weights

from .inputs import Inputs, make_inputs
from .modules import module_rows
from .operations import matmul_rate, synchronize
from .reference import Reference, make_reference

Frames = NDArray[np.uint8]
Row = dict[str, Any]


@dataclass(frozen=True)
class EngineBench:
    """What is measured."""

    device: str = "cpu"
    precisions: tuple[str, ...] = ("float32",)
    batches: tuple[int, ...] = (1,)
    executions: tuple[Execution, ...] = ("eager",)
    size: str = "full"
    frames: int = 2
    """Frames of a run, of either side; ours at least a whole pass."""
    rounds: int = 3
    compiled_reference: bool = False
    modules: bool = True


@dataclass
class Side:
    """One formulation, ready to run, and the seconds a frame of each of its runs."""

    name: str
    run: Callable[[int], Frames]
    n: int
    seconds: list[float]
    peak_bytes: int = 0


def run(bench: EngineBench) -> Row:
    """Measure every precision. Raises RefusedError for a device, size, precision or execution that is not there."""
    device = choose_device(bench.device)
    weights = seeded_weights(network_size(bench.size), SALTS["human"])
    machine = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{platform.processor() or platform.machine()} (CPU)"
    )
    report: Row = {
        "machine": machine,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "size": bench.size,
        "precisions": [_precision(bench, weights, device, name) for name in bench.precisions],
    }
    report["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return report


def _precision(bench: EngineBench, weights: Weights, device: torch.device, name: str) -> Row:
    dtype, size = choose_precision(name, device), network_size(bench.size)
    for execution in bench.executions:
        choose_execution(device, dtype, execution)
    inputs = make_inputs(max(bench.frames, *bench.batches))
    rate = matmul_rate(device, dtype)

    def reference(compiled: bool) -> Reference:
        plain = load_networks(size, weights, fold=False)
        return make_reference(plain, device, name != "float32", compiled)

    def predictor(batch: int, execution: Execution) -> Predictor:
        return Predictor(load_networks(size, weights), device, dtype, batch, execution)

    kinds = (False, True) if bench.compiled_reference else (False,)
    references = {f"reference{' compiled' * compiled}": reference(compiled) for compiled in kinds}
    predictors = {
        f"ours {execution} batch {batch}": (
            Predictor(load_networks(size, weights), device, dtype, batch, execution),
            batch,
        )
        for execution in bench.executions
        for batch in bench.batches
    }
    sides = [Side(label, _of_reference(made, inputs), bench.frames, []) for label, made in references.items()]
    sides += [
        Side(label, _of_ours(made, inputs), max(bench.frames, batch), []) for label, (made, batch) in predictors.items()
    ]
    outputs = [_alternate_first(side, device) for side in sides]
    for _ in range(bench.rounds):
        for side in sides:
            side.seconds.append(_timed(side, device))
    rows = [_row(side, sides, out, outputs[0]) for side, out in zip(sides, outputs, strict=True)]
    row: Row = {"precision": name, "matmul_flops_per_s": rate, "sides": rows}
    if bench.modules:
        last_predictor, batch = list(predictors.values())[-1]
        row["modules"] = module_rows(references["reference"], last_predictor, inputs, batch, bench.executions[-1], rate)
    return row


def _of_reference(made: Reference, inputs: Inputs) -> Callable[[int], Frames]:
    with torch.inference_mode(), made.context():
        volume = made.appearance(made.picture(inputs.crops[0])).float()
    return lambda n: np.stack([made.frame(volume, inputs.x_s[0], x_d) for x_d in inputs.x_d[:n]])


def _of_ours(made: Predictor, inputs: Inputs) -> Callable[[int], Frames]:
    features = made.features(inputs.crops[:1])
    return lambda n: made.frames(features, inputs.x_s, inputs.x_d[:n])


def _alternate_first(side: Side, device: torch.device) -> Frames:
    """Run once unmeasured: compiles, records, warms up; and tells the memory it takes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    out = side.run(side.n)
    if device.type == "cuda":
        side.peak_bytes = torch.cuda.max_memory_allocated(device)
    return out


def _timed(side: Side, device: torch.device) -> float:
    synchronize(device)
    started = time.perf_counter()
    side.run(side.n)
    synchronize(device)
    return (time.perf_counter() - started) / side.n


def _row(side: Side, sides: list[Side], out: Frames, reference: Frames) -> Row:
    n = min(len(out), len(reference))
    difference = out[:n].astype(np.int16) - reference[:n]
    error = float(np.square(difference, dtype=np.float64).mean())
    row: Row = {
        "side": side.name,
        "seconds_a_frame": statistics.median(side.seconds),
        "largest_difference": int(np.abs(difference).max()),
        "psnr_db": 10 * np.log10(255**2 / error) if error else None,
        "peak_bytes": side.peak_bytes,
    }
    for other in sides:
        if other.name.startswith("reference"):
            ratios = [theirs / ours for theirs, ours in zip(other.seconds, side.seconds, strict=True)]
            row[f"times {other.name}"] = [statistics.median(ratios), min(ratios), max(ratios)]
    return row


def table(report: Row) -> str:
    """Return the report as text."""
    lines = [f"{report['machine']}, {report['threads']} threads, torch {report['torch']}, size {report['size']}"]
    for part in report["precisions"]:
        lines.append(f"{part['precision']}: matmul {part['matmul_flops_per_s'] / 1e9:.0f} GFLOP/s")
        for row in part["sides"]:
            ratios = "  ".join(
                f"{key.removeprefix('times ')} / this {v[0]:.2f} ({v[1]:.2f}-{v[2]:.2f})"
                for key, v in row.items()
                if key.startswith("times ")
            )
            peak = f"  peak {row['peak_bytes'] / 1e9:.1f} GB" if row["peak_bytes"] else ""
            psnr = "identical" if row["psnr_db"] is None else f"{row['psnr_db']:.1f} dB"
            lines.append(
                f"  {row['side']:28} {1e3 * row['seconds_a_frame']:9.2f} ms/frame  {ratios}  "
                f"uint8 within {row['largest_difference']} ({psnr}){peak}"
            )
        for row in part.get("modules", []):
            cells = "   ".join(
                f"{side} {1e3 * row[side]['seconds']:8.2f} ms {row[side]['flops'] / 1e9:6.0f} GFLOP "
                f"{row[side]['rate'] / 1e9:7.0f} GFLOP/s ({row[side]['share']:.0%} of matmul)"
                for side in ("reference", "ours")
            )
            lines.append(f"  {row['module']} a frame: {cells}   ratio {row['ratio']:.2f}")
    return "\n".join(lines)
