"""Describe for people what a job is going to do: the plan, the work ahead and the pools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from lp_ray.contract.failure import Failure
from lp_ray.coordinator.job import Job
from lp_ray.coordinator.pairs import known_frames
from lp_ray.coordinator.templates import TemplatesMade, take_stock
from lp_ray.dataset.decisions import Decisions
from lp_ray.engine.factory import EngineIdentity
from lp_ray.output import results
from lp_ray.plan.planning import Plan
from lp_ray.plan.said import Said
from lp_ray.plan.settings import Settings
from lp_ray.runtime.graph import graphs_of
from lp_ray.runtime.pools import Pool, Pools

_INDENT = " " * 6
_NAMED = 10
"""How many inputs of a kind are named."""
_SUPPOSED_FRAMES = 250
"""Frames of a pair whose template is still to be made, where a guess will do: 10 s at 25 a second."""
_IDLE_SHOWN = 5
"""How many different options without effect the plan lists."""


def plan_lines(job: Job) -> list[str]:
    """Return lines on what there is to do and what is settled already."""
    plan, shard = job.plan, job.settings.shard
    part = f"shard {shard.replace('-of-', '/')}: " if shard else ""
    unstartable = len(plan.todo) - len(plan.startable())
    return [
        f"plan: {part}{len(plan)} pairs of {len(plan.sources)} sources and {plan.drivings.n_own} drivings, "
        f"engine {job.engine.label}",
        f"{_INDENT}{plan.n_done} done already, {plan.n_failed_before} failed before (retry=failed makes them again), "
        f"{len(plan.todo)} to do" + (f", {unstartable} of them cannot be started" if unstartable else ""),
        f"{_INDENT}{sum(1 for _ in job.clips_needed())} motion templates needed",
        *(f"{_INDENT}{reason} ({count} pairs)" for reason, count in plan.idle.most_common(_IDLE_SHOWN)),
    ]


def decided_lines(plan: Plan, said: Said | None, decisions: Decisions | None) -> list[str]:
    """Return a line on what people decided, if anybody was asked: what it changes, and what it does not."""
    if plan.decided is None or said is None or decisions is None:
        return []
    found, counts = int((said.kept | said.rejected).sum()), plan.decided
    line = f"{decisions.text}: {counts.again} kept are made again, {counts.left} rejected are left as they ended, "
    lost = f", {len(decisions) - found} are none of these pairs" if len(decisions) > found else ""
    return [f"{_INDENT}{line}{counts.done} are done and stay{lost}"]


def unstartable_lines(job: Job) -> list[str]:
    """Name the inputs that keep pairs from starting, and say why: the first of each kind."""
    plan = job.plan
    return [
        *_unusable("source", plan.sources.failures, plan.source_table["source_id"]),
        *_unusable("driving", plan.drivings.failures, plan.driving_table["driving_id"]),
    ]


def _unusable(kind: str, failures: Mapping[int, Failure], ids: pa.ChunkedArray) -> Iterator[str]:
    for row, failure in sorted(failures.items())[:_NAMED]:
        yield f"{_INDENT}{kind} {ids[row].as_py()} cannot be used: {failure.error}"
    if len(failures) > _NAMED:
        yield f"{_INDENT}… and {len(failures) - _NAMED} more {kind}s"


def work_lines(job: Job, actors: Mapping[str, int]) -> list[str]:
    """Say how much work the pairs are, as far as the template store and earlier results tell.

    `actors` is how many each stage may have.
    """
    made = TemplatesMade()
    lacking = sum(1 for _ in take_stock(job.clips_needed(), job.settings, made))
    frames, n_pairs = known_frames(job.plan, job.identity, made)
    unknown = len(job.plan.startable()) - n_pairs
    lines = [
        f"{_INDENT}{lacking} motion templates to make, {made.reused} in the store",
        f"{_INDENT}{frames} frames to animate"
        + (f", and those of {unknown} pairs whose templates are still to be made" if unknown else ""),
    ]
    lines += start_lines(job.engine, frames + unknown * _SUPPOSED_FRAMES, actors.get("animate", 1))
    spent = results.seconds_per_frame(job.settings.output_layout, job.engine.label)
    stages = [stage.name for stage in graphs_of(job.settings).pairs.stages]
    needed = {stage: frames * spent[stage] / actors[stage] for stage in stages if stage in spent}
    if needed and frames:
        slowest = max(needed, key=lambda stage: needed[stage])
        lines.append(
            f"{_INDENT}about {needed[slowest]:.0f} s for those frames, by {slowest}: earlier pairs here took "
            f"{spent[slowest]:.4f} s a frame, and there are {actors[slowest]} actors"
        )
    return lines


def start_lines(engine: EngineIdentity, frames: int, actors: int) -> list[str]:
    """Say so if an engine's start costs more than it saves, of so many frames in all and so many engine actors."""
    if engine.slow_start is None or not 0 < frames < engine.slow_start[0] * actors:
        return []
    pays_from, advice = engine.slow_start
    return [f"{_INDENT}fewer than {pays_from} frames an engine actor: {advice}"]


def pool_lines(pools: Pools, settings: Settings) -> list[str]:
    """Return lines on how many actors each stage gets, what each reserves, and which settings change that."""
    lines = ["pools: set pools.<stage>.actors, pools.<stage>.cpus or pools.<stage>.gpus to change them"]
    for graph in graphs_of(settings).phases:
        lines += [f"{_INDENT}{graph.name}: pools.{name} {_pool(pools[name])}" for name in graph.pools]
    return lines


def _pool(pool: Pool) -> str:
    growing = f" (up to {pool.ceiling})" if pool.ceiling != pool.actors else ""
    gpus = f" and {pool.gpus:g} GPUs" if pool.gpus else ""
    return f"actors={pool.actors}{growing}, each with {pool.cpus:.3g} CPUs{gpus}"
