"""Measure speed: `lp-ray bench target=engine|job` (docs/performance_log.md shows results)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from omegaconf import DictConfig

from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError
from lp_ray.engine.factory import ENGINES, EngineSpec
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.plan.devices import Part
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.runtime.pools import Pools, derive_pools
from lp_ray.runtime.ray_executor import cluster_totals

from .cli import main
from .exit_codes import EXIT_DONE
from .numbers import number, whole
from .on_ray import start_ray
from .setup import plain

if TYPE_CHECKING or __package__ == "jobs":
    from benchmarks.engine import compare
    from benchmarks.engine.arguments import PRECISION_NAMES
    from benchmarks.job import run as job_bench
    from benchmarks.job import stand_in
    from benchmarks.job.growth import GrowthBench
    from benchmarks.job.light import LightBench
    from benchmarks.job.memory import MemoryBench
    from benchmarks.job.pace import PaceBench
else:  # in an installed package both lie in lp_ray
    from ..benchmarks.engine import compare
    from ..benchmarks.engine.arguments import PRECISION_NAMES
    from ..benchmarks.job import run as job_bench
    from ..benchmarks.job import stand_in
    from ..benchmarks.job.growth import GrowthBench
    from ..benchmarks.job.light import LightBench
    from ..benchmarks.job.memory import MemoryBench
    from ..benchmarks.job.pace import PaceBench

TARGETS = ("engine", "job")
EXIT_NOT_MET = 3
"""All measurements were made, but some result misses its target."""


def run(config: DictConfig) -> int:
    """Run the benchmark, print its table, and write its JSON where asked."""
    _one_of("target", config.target, TARGETS)
    if config.target == "engine":
        report = compare.run(engine_parts(config))
        print(compare.table(report))
    else:
        report = job_bench.run(job_parts(config), lambda device: start_pools(config, device))
        print(job_bench.table(report))
    if config.json:
        Path(str(config.json)).write_text(json.dumps(report, indent=1))
    return EXIT_DONE if report.get("met", True) else EXIT_NOT_MET


def engine_parts(config: DictConfig) -> compare.EngineBench:
    """Return the engine benchmark's parameters. Raises RefusedError for a value of the wrong type or range."""
    own = "compiled" if str(config.device).startswith("cuda") else "eager"
    executions = _several(config.executions or own)
    _one_of("executions", executions, get_args(Execution))
    return compare.EngineBench(
        device=str(config.device),
        precisions=_precisions(config),
        batches=_whole("batches", config.batches),
        executions=cast(tuple[Execution, ...], tuple(executions)),
        size=str(config.size),
        frames=_whole("frames", config.frames)[0],
        rounds=_whole("rounds", config.rounds)[0],
        compiled_reference=bool(config.compiled_reference),
        modules=bool(config.modules),
    )


def job_parts(config: DictConfig) -> job_bench.JobBench:
    """Return the job benchmark's parameters. Raises RefusedError for a value of the wrong type or range."""
    parts = _several(config.parts)
    _one_of("parts", parts, job_bench.PARTS)
    _one_of("light.engine", config.light.engine, (stand_in.NAME, *ENGINES.names()))
    precisions, device = _precisions(config), str(config.device)
    if len(precisions) > 1:
        raise RefusedError("precision: a job has one")
    if config.light.engine == stand_in.NAME and device != "cpu":
        raise RefusedError(
            f"device={device!r}: the {stand_in.NAME} engine waits, on cpu: use light.engine=liveportrait"
        )
    spec = EngineSpec(str(config.light.engine), device, precisions[0], "seeded", str(config.size))
    light, growth, memory = config.light, config.growth, config.memory
    return job_bench.JobBench(
        light=LightBench(
            spec,
            _whole("light.sources", light.sources)[0],
            _whole("light.frames", light.frames)[0],
            _whole("light.chunk_frames", light.chunk_frames)[0],
            float(light.alone_s),
        )
        if "light" in parts
        else None,
        growth=GrowthBench(EngineSpec("preview"), _sizes(growth.sizes), _whole("growth.frames", growth.frames)[0])
        if "growth" in parts
        else None,
        pace=_pace(config) if "pace" in parts else None,
        memory=MemoryBench(_whole("memory.seconds", memory.seconds), _whole("memory.chunks", memory.chunks))
        if "memory" in parts
        else None,
    )


def _pace(config: DictConfig) -> PaceBench:
    pace = config.pace
    wait_ms = number("pace.wait_ms", pace.wait_ms, 0, 1000, above=True)
    sources, drivings, frames = (_whole(f"pace.{name}", pace[name])[0] for name in ("sources", "drivings", "frames"))
    return PaceBench(sources, drivings, frames, wait_ms, float(pace.alone_s))


def start_pools(config: DictConfig, device: str) -> Pools:
    """Start Ray or connect to it, and size the pools for the whole cluster."""
    start_ray(config)
    devices = {Part.ENGINE: Device.parse(device, "device")}
    return derive_pools((TEMPLATES, PAIRS), *cluster_totals(), devices, plain(config.pools))


def _precisions(config: DictConfig) -> tuple[str, ...]:
    names = _several(config.precision)
    _one_of("precision", names, tuple(PRECISION_NAMES))
    return tuple(PRECISION_NAMES[name] for name in names)


def _sizes(given: Any) -> tuple[tuple[int, int], ...]:
    found = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", str(size)) for size in _several(given)]
    if not found or not all(found):
        raise RefusedError(f"growth.sizes={given} must be sources x drivings, such as [1x1,4x2]")
    return tuple((int(match[1]), int(match[2])) for match in found if match)


def _whole(name: str, given: Any) -> tuple[int, ...]:
    return tuple(whole(name, value, 1) for value in _several(given))


def _one_of(name: str, given: Any, allowed: Sequence[str]) -> None:
    if unknown := [item for item in _several(given) if item not in allowed]:
        raise RefusedError(f"{name}={unknown[0]!r} must be of {', '.join(allowed)}")


def _several(value: Any) -> Sequence[Any]:
    value = plain(value)
    if isinstance(value, str):
        return value.split(",")
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    main("bench", run)
