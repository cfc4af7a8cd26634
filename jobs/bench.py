"""Measure speed: `python -m jobs.bench target=engine device=cpu` (docs/performance.md has what came out)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args

from omegaconf import DictConfig

from benchmarks.engine.compare import PRECISION_NAMES, EngineBench, run, table
from jobs.cli import EXIT_DONE, main
from jobs.setup import plain
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.errors import RefusedError

TARGETS = ("engine",)


def bench(config: DictConfig) -> int:
    """Run the benchmark, print its table, and write its JSON where asked."""
    if config.target not in TARGETS:
        raise RefusedError(f"target={config.target!r} must be one of {', '.join(TARGETS)}")
    report = run(engine_bench(config))
    print(table(report))
    if config.json:
        Path(str(config.json)).write_text(json.dumps(report, indent=1))
    return EXIT_DONE


def engine_bench(config: DictConfig) -> EngineBench:
    """Return what is to be measured. Raises RefusedError for a value of the wrong kind or range."""
    own = "compiled" if str(config.device).startswith("cuda") else "eager"
    executions = _several(config.executions or own)
    precisions = _several(config.precision)
    for name, given, allowed in (
        ("executions", executions, get_args(Execution)),
        ("precision", precisions, tuple(PRECISION_NAMES)),
    ):
        if unknown := [item for item in given if item not in allowed]:
            raise RefusedError(f"{name}={unknown[0]!r} must be of {', '.join(allowed)}")
    batches = _several(config.batches)
    for name, value in [("batches", n) for n in batches] + [(n, config[n]) for n in ("frames", "rounds")]:
        if not isinstance(value, int) or value < 1:
            raise RefusedError(f"{name}={value!r} must be a whole number from 1")
    return EngineBench(
        device=str(config.device),
        precisions=tuple(PRECISION_NAMES[name] for name in precisions),
        batches=tuple(batches),
        executions=cast(tuple[Execution, ...], tuple(executions)),
        size=str(config.size),
        frames=config.frames,
        rounds=config.rounds,
        compiled_reference=bool(config.compiled_reference),
        modules=bool(config.modules),
    )


def _several(value: Any) -> Sequence[Any]:
    value = plain(value)
    if isinstance(value, str):
        return value.split(",")
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    main("bench", bench)
