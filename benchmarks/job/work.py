"""Jobs run in this process, as `jobs.animate` runs them, with an engine that may be the benchmark's own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from lp_ray import storage
from lp_ray.api import LOCAL_POLICY
from lp_ray.contract.licences import Terms
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.reporting import Progress, Summary
from lp_ray.engine.factory import EngineSpec
from lp_ray.face.factory import identify_landmarker
from lp_ray.output.occupy import occupy
from lp_ray.output.results import ResultRow
from lp_ray.plan.pairing import pair_up
from lp_ray.plan.planning import Identity, make_plan
from lp_ray.plan.settings import Settings
from lp_ray.plan.subjects import fill_subjects
from lp_ray.runtime.executor import Executor

from . import stand_in


@dataclass
class Rows:
    """A reporter that keeps the rows, and when the last of them came (`time.time()`)."""

    rows: list[ResultRow] = field(default_factory=list)
    last_s: float = 0.0

    def update(self, progress: Progress) -> None:
        """Nothing to show."""

    def note(self, text: str) -> None:
        """Nothing to say."""

    def settled(self, row: ResultRow) -> None:
        self.rows.append(row)
        self.last_s = time.time()


def settings_in(folder: Path, engine: EngineSpec, **values: Any) -> Settings:
    """Return the settings of a job whose output is `folder`."""
    output = storage.normalise(str(folder))
    return Settings(output, storage.join(output, "templates"), engine, **values)


def plan_job(settings: Settings, sources: pa.Table, drivings: pa.Table) -> jobs.Job:
    """Plan every source with every driving, with a pair's default options."""
    pairs = pair_up("cross", len(sources), len(drivings), PairOptions())
    if settings.engine.name != stand_in.NAME:
        return jobs.prepare(settings, sources, drivings, None, pairs, LOCAL_POLICY)
    engine, landmarker = stand_in.identity(settings.engine), identify_landmarker(settings.landmarker)
    terms = Terms(detector=landmarker.licences)
    identity = Identity(engine.digest, landmarker.digest, *jobs.shared_settings(settings), terms=terms)
    sources = fill_subjects(sources, settings.subject, settings.engine.variant)
    plan = make_plan(sources, drivings, None, pairs, identity, LOCAL_POLICY, engine.label)
    return jobs.Job(plan, settings, identity, engine)


def run_job(job: jobs.Job, executor: Executor, reporter: Rows) -> Summary:
    """Run a planned job. Raises RuntimeError if a pair failed: half of a job has no speed."""
    with occupy(job.settings.output_layout) as lease:
        jobs.leave_out_standing(job)
        summary = jobs.run(job, executor, reporter, lease)
    failed = [row for row in reporter.rows if row["status"] != "done"]
    if failed:
        raise RuntimeError(f"{failed[0]['source_id']}: {failed[0]['stage']}: {failed[0]['error']}")
    return summary
