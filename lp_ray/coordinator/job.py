"""A job from its manifests to its summary."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pyarrow as pa

from lp_ray import results
from lp_ray.coordinator.pairs import PairsJob
from lp_ray.coordinator.reporting import Reporter, Summary
from lp_ray.coordinator.templates import TemplatesMade, make_templates
from lp_ray.engine.factory import identify_engine
from lp_ray.face.factory import identify_landmarker
from lp_ray.layout import OutputLayout
from lp_ray.manifest import DONE, FAILED
from lp_ray.options import check_engine
from lp_ray.pairing import Pairs
from lp_ray.pipeline import configure_ray_data
from lp_ray.plan import Identity, Plan, leave_out_settled, make_plan
from lp_ray.pools import Pools
from lp_ray.settings import Settings
from lp_ray.stages.rows import DrivingRef
from lp_ray.storage import Policy


@dataclass(frozen=True)
class Job:
    """A checked job, ready to run: nothing in the output has been touched yet."""

    plan: Plan
    settings: Settings
    identity: Identity
    engine: str
    needs_crops: bool

    def templates_needed(self) -> dict[str, DrivingRef]:
        """Template key -> driving, for every driving that a pair still to be made uses."""
        plan = self.plan
        rows = {int(plan.pairs.driving_index[p]) for p in plan.todo.tolist() if p not in plan.failures}
        return {self.identity.template_key(plan.drivings[row]): plan.drivings[row] for row in sorted(rows)}


def identify(settings: Settings) -> tuple[Identity, str, bool]:
    """Return what enters the keys, the engine's name for the results, and whether it looks at crops.

    A missing weight is refused here, before any work.
    """
    engine = identify_engine(settings.engine)
    landmarker = identify_landmarker(settings.landmarker)
    identity = Identity(engine.digest, landmarker.digest, {"max_missing_fraction": settings.max_missing_fraction})
    return identity, engine.label, engine.needs_crops


def prepare(
    settings: Settings,
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    policy: Policy,
    retry_failed: bool = False,
) -> Job:
    """Plan a job. Raises RefusedError for anything that is wrong with it."""
    for index, options in enumerate(pairs.option_sets):
        row = int((pairs.option_index == index).argmax())
        check_engine(options, settings.engine.name, "options" if pair_table is None else f"pairs manifest row {row}")
    identity, engine, needs_crops = identify(settings)
    plan = make_plan(source_table, driving_table, pair_table, pairs, identity, policy)
    done, others = results.standing(OutputLayout(settings.output))
    leave_out_settled(plan, done, others, retry_failed)
    return Job(plan, settings, identity, engine, needs_crops)


def run(job: Job, pools: Pools, reporter: Reporter) -> Summary:
    """Make every pair that the plan lists; every one of them ends with a row. Needs a running Ray."""
    started = time.perf_counter()
    layout = OutputLayout(job.settings.output)
    plan = job.plan
    configure_ray_data()
    results.discard(layout, [plan.pair_ids[pair] for pair in plan.todo.tolist()])
    drivings = job.templates_needed()
    made = TemplatesMade()
    if drivings:
        made = make_templates(drivings, job.settings, job.identity, job.needs_crops, pools, reporter)
    pairs = PairsJob(plan, job.settings, job.identity, job.engine, reporter)
    pairs.run(made, pools)
    return Summary(
        by_status={DONE: pairs.progress.done, FAILED: pairs.progress.failed},
        before={DONE: plan.n_done, FAILED: plan.n_failed_before},
        by_error=dict(sorted(pairs.errors.items(), key=lambda item: -item[1])),
        templates_made=made.made,
        templates_reused=made.reused,
        frames=pairs.progress.frames,
        seconds=time.perf_counter() - started,
    )
