"""What a pair costs beside its engine, when the engine is as fast as a GPU's and clips are as short as most.

The same job twice in one run: whole, and without writing (`no_writing`). A small one goes before, so that the processes
of finalize tasks are there, as they are in a long job. What the second loses, Ray, the driver and the
stages before the engine cost; what the first loses over it, paste-back, encoding and joining cost, which is a matter of
how many cores there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

from lp_ray.engine.factory import EngineSpec
from lp_ray.runtime.graph import PAIRS
from lp_ray.runtime.pools import Pools

from . import stand_in
from .light import LightBench, measure_light

AIM = 0.05
"""Share of a pair's engine time that the product's own part may cost."""

WAYS = {"without writing": False, "whole": True}

Report = dict[str, Any]


@dataclass(frozen=True)
class PaceBench:
    """One job: `sources` portraits, each with `drivings` clips of `frames` frames; the engine waits so long a frame."""

    sources: int = 8
    drivings: int = 5
    frames: int = 75
    wait_ms: float = 2.8
    alone_s: float = 6.0

    @property
    def engine(self) -> EngineSpec:
        return EngineSpec(stand_in.NAME, settings=(("wait_ms", self.wait_ms),))


def measure_pace(bench: PaceBench, folder: Path, pools: Pools) -> Report:
    """Run the job in both ways on the running Ray cluster; return the figures."""
    light = LightBench(bench.engine, bench.sources, bench.frames, alone_s=bench.alone_s, drivings=bench.drivings)
    jobs = {"warm": replace(light, sources=1), **{name: replace(light, writes=writes) for name, writes in WAYS.items()}}
    ways = {}
    for name, job in jobs.items():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        ways[name] = per_pair(measure_light(job, place, pools))
    del ways["warm"]
    lost = ways["without writing"]["lost_share"]
    return {**ways["whole"]["about"], "ways": ways, "aim": AIM, "met": lost <= AIM}


def per_pair(report: Report) -> Report:
    """Return the figures of a pair. Draining, which costs a job once, stands beside them."""
    pairs = report["pairs"]
    engine_s = report["frames"] / pairs / mean(report["alone_fps"])
    later = report["frames"] - report["first_frames"]  # the clock runs from the first chunk on
    lost = report["engines_s"] / later * report["frames"] / pairs - engine_s
    seconds = {stage.name: report["worked_s"][stage.name] / pairs for stage in PAIRS.stages}
    return {
        "about": {name: report[name] for name in ("engine", "pairs", "frames", "actors")},
        "engine_s": engine_s,
        "lost_s": lost,
        "lost_share": lost / engine_s,
        "drained_s": report["drained_s"],
        "speed_of_light": report["speed_of_light"][0],
        "seconds": {**seconds, "finalize": report["worked_s"]["finalize"] / pairs},
        "utilisation": report["utilisation"],
    }


def pace_lines(report: Report) -> list[str]:
    """Return the figures as text."""
    lines = [
        f"(e) a pair's own cost, engine {report['engine']}: {report['pairs']} pairs, {report['frames']} frames",
        "  | job | engine, ms a pair | lost, ms a pair | lost | draining, s | speed of light | ms a pair at work: "
        + ", ".join((*report["actors"], "finalize"))
        + " |",
        "  |---|---|---|---|---|---|---|",
    ]
    for name, way in report["ways"].items():
        worked = ", ".join(f"{1000 * seconds:.0f}" for seconds in way["seconds"].values())
        lines.append(
            f"  | {name} | {1000 * way['engine_s']:.0f} | {1000 * way['lost_s']:.1f} | {way['lost_share']:.1%} | "
            f"{way['drained_s']:.2f} | {way['speed_of_light']:.3f} | {worked} |"
        )
    verdict = "met" if report["met"] else "NOT MET"
    return [*lines, f"  lost without writing: aim {report['aim']:.0%}: {verdict}"]
