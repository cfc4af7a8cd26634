"""What M sources x N drivings cost as a job, against a loop that treats each pair alone: what is made how often.

The loop runs the same stages, in this process, for one pair after the other; with each pair it begins anew, as a
program for one pair does: it tracks the driving and reads the portrait again. Seconds are those that stages worked, as
the result rows state them: loading is left out on both sides. The job's are of actors that share the cores, and that
begin anew with each job: in a small one they look slower than the loop's. By the clock, the job has Ray's actors to
start first, some ten seconds whatever its size.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lp_ray.engine.factory import EngineSpec, create_engine
from lp_ray.runtime.inline import InlineExecutor
from lp_ray.runtime.pools import Pools
from lp_ray.runtime.ray_executor import RayExecutor
from lp_ray.stages.contract import Bench

from .material import make_drivings, make_sources
from .tally import PREPARED, Tally
from .work import Rows, plan_job, run_job, settings_in

Report = dict[str, Any]


@dataclass(frozen=True)
class GrowthBench:
    """Sizes (sources, drivings), each measured both ways."""

    engine: EngineSpec
    sizes: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (4, 4))
    frames: int = 50
    chunk_frames: int = 32


def measure_growth(bench: GrowthBench, folder: Path, pools: Pools) -> Report:
    """Run every size as a job on the running Ray cluster, and as a loop; return a row of counts for each."""
    sources = make_sources(folder, max(m for m, _ in bench.sizes))
    drivings = make_drivings(folder, max(n for _, n in bench.sizes), bench.frames)
    rows: list[Report] = []
    for m, n in bench.sizes:
        place = folder / f"{m}x{n}"
        ours = _as_job(bench, sources[:m], drivings[:n], place / "job", pools)
        theirs = _as_loop(bench, sources[:m], drivings[:n], place / "loop")
        rows.append({"sources": m, "drivings": n, "job": ours, "loop": theirs})
    met = all(row["job"]["templates"] == row["drivings"] for row in rows)
    return {"engine": bench.engine.name, "frames": bench.frames, "rows": rows, "met": met}


def _as_job(bench: GrowthBench, sources: pa.Table, drivings: pa.Table, folder: Path, pools: Pools) -> Report:
    settings = settings_in(folder, bench.engine, chunk_frames=bench.chunk_frames)
    create, rows, started = Tally.in_folder(folder / "tally", create_engine), Rows(), time.perf_counter()
    job = plan_job(settings, sources, drivings)
    summary = run_job(job, RayExecutor(Bench(settings, job.engine, create), pools), rows)
    return {
        "templates": summary.templates_made,
        "prepared": len(create.stamps(PREPARED)),
        "seconds": worked([rows]),
        "clock_s": time.perf_counter() - started,
    }


def _as_loop(bench: GrowthBench, sources: pa.Table, drivings: pa.Table, folder: Path) -> Report:
    create, reports, templates, started = Tally.in_folder(folder / "tally", create_engine), [], 0, time.perf_counter()
    for i in range(len(sources)):
        for j in range(len(drivings)):
            settings = settings_in(folder / f"{i}-{j}", bench.engine, chunk_frames=bench.chunk_frames)
            job = plan_job(settings, sources[i : i + 1], drivings[j : j + 1])
            reports.append(Rows())
            templates += run_job(job, InlineExecutor(Bench(settings, job.engine, create)), reports[-1]).templates_made
    return {
        "templates": templates,
        "prepared": len(create.stamps(PREPARED)),
        "seconds": worked(reports),
        "clock_s": time.perf_counter() - started,
    }


def worked(jobs: Sequence[Rows]) -> dict[str, float]:
    """Return the seconds that each stage worked in some jobs; pairs that share a template all state its seconds."""
    seconds: dict[str, float] = {}
    for rows in jobs:
        templates = {row["template_uri"]: row["seconds"]["template"] for row in rows.rows}
        spent = [("template", of_one) for of_one in templates.values()]
        spent += [item for row in rows.rows for item in row["seconds"].items() if item[0] != "template"]
        for stage, of_one in spent:
            seconds[stage] = seconds.get(stage, 0.0) + of_one
    return seconds


COLUMNS = ("templates", "sources prepared", "s tracking", "s cropping", "s of all stages", "s by the clock")


def growth_lines(report: Report) -> list[str]:
    """Return the table as text."""
    lines = [
        f"(c) cost growth, engine {report['engine']}, {report['frames']} frames a driving: "
        "the job / a loop that treats each pair alone",
        "  M x N " + "".join(f"{name:>19}" for name in COLUMNS),
    ]
    for row in report["rows"]:
        sides = [_cells(row[side]) for side in ("job", "loop")]
        cells = "".join(f"{f'{ours} / {theirs}':>19}" for ours, theirs in zip(*sides, strict=True))
        lines.append(f"  {row['sources']} x {row['drivings']} {cells}")
    said = "N each, met" if report["met"] else "NOT N"
    return [*lines, f"  templates computed by the job: {said}"]


def _cells(side: Report) -> list[str]:
    seconds = side["seconds"]
    times = (seconds["template"], seconds["source"], sum(seconds.values()), side["clock_s"])
    return [str(side["templates"]), str(side["prepared"]), *(f"{time:.1f}" for time in times)]
