"""The parts of the job's benchmark put together: one report, one table."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
import torch

from lp_ray.runtime.pools import Pools

from .growth import GrowthBench, growth_lines, measure_growth
from .light import LightBench, light_lines, measure_light
from .memory import MemoryBench, measure_memory, memory_lines
from .pace import PaceBench, measure_pace, pace_lines

LIGHT, GROWTH, MEMORY, PACE = "light", "growth", "memory", "pace"
PARTS = (LIGHT, GROWTH, MEMORY, PACE)
LINES = {LIGHT: light_lines, GROWTH: growth_lines, MEMORY: memory_lines, PACE: pace_lines}

Report = dict[str, Any]

StartRay = Callable[[str], Pools]
"""Starts Ray, or connects to it, and sizes the pools for an engine's device."""


@dataclass(frozen=True)
class JobBench:
    """What is to be measured; a part that is None is left out."""

    light: LightBench | None = None
    growth: GrowthBench | None = None
    memory: MemoryBench | None = None
    pace: PaceBench | None = None


def run(bench: JobBench, start: StartRay) -> Report:
    """Measure each part; `memory` runs jobs of their own, with a Ray of their own. Raises RuntimeError."""
    started = time.perf_counter()
    report: Report = {"machine": machine(bench.light.engine.device if bench.light else "cpu"), "parts": {}}
    with TemporaryDirectory(prefix="lp_ray-bench-") as name:
        if bench.light is not None:
            report["parts"][LIGHT] = _on_ray(bench.light, measure_light, Path(name) / LIGHT, start)
        if bench.growth is not None:
            report["parts"][GROWTH] = _on_ray(bench.growth, measure_growth, Path(name) / GROWTH, start)
        if bench.pace is not None:
            report["parts"][PACE] = _on_ray(bench.pace, measure_pace, Path(name) / PACE, start)
        if bench.memory is not None:
            folder = Path(name) / MEMORY
            folder.mkdir()
            report["parts"][MEMORY] = measure_memory(bench.memory, folder)
    report["met"] = all(part.get("met", True) for part in report["parts"].values())
    report["seconds"] = time.perf_counter() - started
    return report


def _on_ray(bench: Any, measure: Callable[[Any, Path, Pools], Report], folder: Path, start: StartRay) -> Report:
    folder.mkdir()
    try:
        return measure(bench, folder, start(bench.engine.device))
    finally:
        ray.shutdown()


def machine(device: str) -> str:
    """Name what the engine runs on."""
    cores = f"{os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    return f"{torch.cuda.get_device_name(device)}, {cores}" if device.startswith("cuda") else cores


def table(report: Report) -> str:
    """Return the report as text."""
    lines = [f"{report['machine']}; {report['seconds']:.0f} s in all"]
    for part, found in report["parts"].items():
        lines += ["", *LINES[part](found)]
    return "\n".join(lines)
