"""Speed of light: the frames a second of a whole job over those of its engine alone, same devices, same run.

What is judged is the steady rate. Its window opens when the first chunk leaves the engine and closes with the last
pair's row; all frames but that chunk's were animated, pasted back, encoded, joined and written in it. What every job
pays once, whatever its length, is left out: the start of Ray and of the actors, weights loaded, kernels compiled,
motion templates made. The draining of the pipeline, which a job also pays once, is left in, as nothing but a longer
job can tell it from waiting. The rate with the start of the actors in is printed beside it. The engine alone runs
before and after the job, on the spans that the job animates; the mean of the two is what counts.

Utilisation of a stage is what its actors say they worked, over the window times the actors. A finalize task is no
actor: its figure is how many of them ran, on the average. (Work that a stage did ahead of the window, such as
cropping portraits, counts too.)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lp_ray.contract.rows import Row
from lp_ray.engine.factory import CreateEngine, EngineIdentity, EngineSpec, create_engine
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SpanRow
from lp_ray.runtime.executor import Finishers
from lp_ray.runtime.graph import PAIRS, Graph
from lp_ray.runtime.pools import Pools
from lp_ray.runtime.ray_executor import RayExecutor
from lp_ray.stages.contract import Bench, Task
from lp_ray.stages.finalize import finalize_pair
from lp_ray.stages.rows import StagedSegment

from . import stand_in
from .alone import run_alone
from .material import make_drivings, make_sources
from .no_writing import ROW_ALONE, without_writing
from .tally import ANIMATED, Stamp, Tally
from .work import Rows, plan_job, run_job, settings_in

AIM = 0.9

Report = dict[str, Any]


@dataclass(frozen=True)
class LightBench:
    """One job: `sources` portraits, each with `drivings` clips of `frames` frames and a few more."""

    engine: EngineSpec
    sources: int = 6
    frames: int = 500
    chunk_frames: int = 32
    alone_s: float = 12.0
    """Seconds of the engine alone, before and again after."""
    writes: bool = True
    """Whether chunks are pasted back, encoded and joined; see `no_writing`."""
    drivings: int = 1

    @property
    def create(self) -> CreateEngine:
        return stand_in.create_stand_in if self.engine.name == stand_in.NAME else create_engine


@dataclass
class Watch:
    """What passes the driver."""

    spans: list[SpanRow] = field(default_factory=list)
    pieces: list[StagedSegment] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    opened_s: float = 0.0
    """When the pairs' graph was started."""


class WatchedExecutor(RayExecutor):
    """The job's own executor; the engine runs alone, on the job's spans, before they are handed out."""

    def __init__(
        self, settings: Settings, engine: EngineIdentity, pools: Pools, bench: LightBench, tally: Tally
    ) -> None:
        super().__init__(Bench(settings, engine, tally), pools)
        self.watch = Watch()
        self._alone = (Bench(settings, engine, bench.create), pools["animate"])
        self._alone_s = bench.alone_s
        self._writes = bench.writes

    def finishers(self, task: Task) -> Finishers:
        joins = task.run is finalize_pair
        return super().finishers(ROW_ALONE if joins and not self._writes else task)

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        if graph.takes is not SpanRow:
            yield from super().run(graph, rows)
            return
        self.watch.spans = [row for row in rows if isinstance(row, SpanRow)]
        self.run_alone()
        self.watch.opened_s = time.time()
        for piece in super().run(graph if self._writes else without_writing(graph), self.watch.spans):
            self.watch.pieces.append(piece)
            yield piece

    def run_alone(self) -> None:
        self.watch.alone.append(run_alone(*self._alone, self.watch.spans, self._alone_s))


def measure_light(bench: LightBench, folder: Path, pools: Pools) -> Report:
    """Run the job and the engine alone on the running Ray cluster; return the figures."""
    sources, drivings = make_sources(folder, bench.sources), make_drivings(folder, bench.drivings, bench.frames)
    settings = settings_in(folder / "light", bench.engine, chunk_frames=bench.chunk_frames)
    job, rows = plan_job(settings, sources, drivings), Rows()
    tally = Tally.in_folder(folder / "tally", bench.create)
    executor = WatchedExecutor(settings, job.engine, pools, bench, tally)
    run_job(job, executor, rows)
    watch = executor.watch
    executor.run_alone()
    found = figures(watch, tally.stamps(ANIMATED), rows, pools)
    ratios = [found["steady_fps"] / alone for alone in watch.alone]
    mean = found["steady_fps"] / statistics.mean(watch.alone)
    return {
        "engine": job.engine.label,
        "spec": asdict(bench.engine),
        "pairs": bench.sources * bench.drivings,
        "frames": sum(piece.n_frames for piece in watch.pieces),
        "chunk_frames": bench.chunk_frames,
        "actors": {stage.name: pools[stage.name].actors for stage in PAIRS.stages},
        **found,
        "alone_fps": watch.alone,
        "speed_of_light": [mean, min(ratios), max(ratios)],
        "aim": AIM,
        "met": mean >= AIM,
    }


def light_lines(report: Report) -> list[str]:
    """Return the figures as text."""
    used = report["utilisation"]
    shares = ", ".join(f"{stage} {used[stage]:.0%} of {report['actors'][stage]}" for stage in report["actors"])
    mean, least, most = report["speed_of_light"]
    alone = " and ".join(f"{rate:.2f}" for rate in report["alone_fps"])
    spec = report["spec"]
    return [
        f"(b) job, engine {report['engine']}, on {spec['device']}, {spec['precision']}: {report['pairs']} pairs, "
        f"{report['frames']} frames of 512 x 512, pasted back, chunks of {report['chunk_frames']}",
        f"  engine alone, before and after     {alone} frames/s",
        f"  job, steady                        {report['steady_fps']:.2f} frames/s over {report['window_s']:.1f} s",
        f"  job, with the start of its actors  {report['pairs_fps']:.2f} frames/s",
        f"  stages at work                     {shares}; finalize tasks {used['finalize']:.2f} at a time",
        f"  speed of light                     {mean:.3f} ({least:.3f}-{most:.3f}), aim {report['aim']:g}: "
        f"{'met' if report['met'] else 'NOT MET'} [{report['engine']}]",
    ]


def figures(watch: Watch, stamps: Sequence[Stamp], rows: Rows, pools: Pools) -> Report:
    """Return the rates of a job and how its stages were used; `stamps` are the chunks that left an engine, in order."""
    first = stamps[0]
    pieces, window_s = watch.pieces, rows.last_s - first.time_s
    frames = sum(piece.n_frames for piece in pieces)
    names = [stage.name for stage in PAIRS.stages]
    worked = {name: sum(piece.trace.seconds.get(name, 0.0) for piece in pieces[1:]) for name in names}
    worked[names[-1]] += pieces[0].trace.seconds.get(names[-1], 0.0)  # the first chunk was written in the window
    used = {stage: seconds / (window_s * pools[stage].actors) for stage, seconds in worked.items()}
    worked["finalize"] = sum(row["seconds"]["finalize"] for row in rows.rows)
    used["finalize"] = worked["finalize"] / window_s
    return {
        "window_s": window_s,
        "steady_fps": (frames - first.n_frames) / window_s,
        "pairs_fps": frames / (rows.last_s - watch.opened_s),
        "utilisation": used,
        "first_frames": first.n_frames,
        "engines_s": stamps[-1].time_s - first.time_s,
        "drained_s": rows.last_s - stamps[-1].time_s,
        "worked_s": worked,
    }
