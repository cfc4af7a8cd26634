"""The networks one by one: seconds a frame, operations executed, and their rate over the matrix product's."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lp_ray.engine.liveportrait.fast.execution import Execution, executed
from lp_ray.engine.liveportrait.placement import exact_inference
from lp_ray.engine.liveportrait.predictor import Predictor

from .inputs import Inputs
from .operations import counted, synchronize
from .reference import Reference

ROUNDS = 3

Call = Callable[[], object]


def module_rows(
    reference: Reference, ours: Predictor, inputs: Inputs, batch: int, execution: Execution, matmul: float
) -> list[dict[str, Any]]:
    """Return a row for each of M, F, W and G, runs of both sides in turn."""
    device = reference.device
    theirs, mine = _reference_calls(reference, inputs), _our_calls(ours, inputs, batch, execution, device)
    rows = []
    for name in theirs:
        sides = {"reference": (theirs[name], 1), "ours": (mine[name][0], batch)}
        flops = {"reference": counted(theirs[name]), "ours": counted(mine[name][1]) / batch}
        times: dict[str, list[float]] = {side: [] for side in sides}
        for round_number in range(ROUNDS + 1):
            for side, (call, n) in sides.items():
                synchronize(device)
                started = time.perf_counter()
                call()
                synchronize(device)
                if round_number:  # the first warms up
                    times[side].append((time.perf_counter() - started) / n)
        row: dict[str, Any] = {"module": name}
        for side in sides:
            seconds = statistics.median(times[side])
            rate = flops[side] / seconds
            row[side] = {"seconds": seconds, "flops": flops[side], "rate": rate, "share": rate / matmul}
        row["ratio"] = row["reference"]["seconds"] / row["ours"]["seconds"]
        rows.append(row)
    return rows


def _reference_calls(reference: Reference, inputs: Inputs) -> dict[str, Call]:
    device = reference.device
    picture = reference.picture(inputs.crops[0])
    x_s, x_d = (torch.from_numpy(points[:1]).to(device) for points in (inputs.x_s, inputs.x_d))

    def call(function: Callable[..., object], *given: Tensor) -> Call:
        def run() -> object:
            with torch.inference_mode(), reference.context():
                return function(*given)

        return run

    with torch.inference_mode(), reference.context():
        volume = reference.appearance(picture).float()
        feature = reference.warping(volume, x_d, x_s)
    return {
        "M": call(reference.motion, picture),
        "F": call(reference.appearance, picture),
        "W": call(reference.warping, volume, x_d, x_s),
        "G": call(reference.generator, feature),
    }


def _our_calls(
    ours: Predictor, inputs: Inputs, batch: int, execution: Execution, device: torch.device
) -> dict[str, tuple[Call, Call]]:
    """Return of each network how it is run, and the same operation by operation, for counting."""
    features = ours.features(inputs.crops[:1])
    crops = torch.from_numpy(inputs.crops[:batch]).to(device)
    x_d = torch.from_numpy(inputs.x_d[:batch]).to(device)
    x_s = torch.from_numpy(inputs.x_s).to(device).expand(batch, -1, -1)
    volume, compressed = (part.expand(batch, -1, -1, -1, -1) for part in (features.volume, features.compressed))
    warping, generator = ours.renderer.warping, ours.renderer.generator
    with exact_inference():
        feature = warping(volume, compressed, x_d, x_s).feature.contiguous()

    def both(function: Callable[..., tuple[Tensor, ...]], *given: Tensor) -> tuple[Call, Call]:
        fast = executed(function, execution, device)

        def call(kind: Callable[..., tuple[Tensor, ...]]) -> Call:
            def run() -> object:
                with exact_inference():
                    return kind(*given)

            return run

        return call(fast), call(function)

    return {
        "M": both(ours.motion_tensors, crops),
        "F": both(ours.feature_tensors, crops),
        "W": both(lambda *given: (warping(*given).feature,), volume, compressed, x_d, x_s),
        "G": both(lambda given: (generator(given),), feature),
    }
