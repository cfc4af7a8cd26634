"""A job from its manifests to its summary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.contract.licences import Terms
from lp_ray.contract.options import check_options
from lp_ray.contract.result_schema import DONE, FAILED
from lp_ray.coordinator.pairs import PairsJob
from lp_ray.coordinator.reporting import Reporter, Summary
from lp_ray.coordinator.templates import make_templates
from lp_ray.engine.factory import EngineIdentity, identify_engine
from lp_ray.face.factory import identify_landmarker
from lp_ray.face.xpose.identity import XPoseSpec, identify_xpose
from lp_ray.media.encode import Encoder
from lp_ray.output import results
from lp_ray.output.lease import Lease
from lp_ray.output.occupy import table
from lp_ray.plan.pairing import Pairs
from lp_ray.plan.planning import Identity, Plan, leave_out_settled, make_plan
from lp_ray.plan.settings import Settings
from lp_ray.plan.subjects import fill_subjects, searched_pairs
from lp_ray.plan.work import ClipRow
from lp_ray.runtime.executor import Executor
from lp_ray.storage import Policy


@dataclass(frozen=True)
class Job:
    """A checked job: nothing in the output has been looked at yet, and no place been taken."""

    plan: Plan
    settings: Settings
    identity: Identity
    engine: EngineIdentity

    @property
    def encoder(self) -> Encoder:
        """The most demanding encoder that a pair asks for."""
        return "nvenc" if any(options.encoder == "nvenc" for options in self.plan.pairs.option_sets) else "x264"

    @property
    def xpose_device(self) -> str:
        """Where X-Pose runs, if the job needs it; else cpu, which asks for nothing."""
        return self.settings.xpose.device if self.identity.xpose_digest else "cpu"

    def clips_needed(self) -> Iterator[ClipRow]:
        """Yield every clip, driving or source video, whose template a pair still to be made uses, once."""
        plan, seen = self.plan, set[str]()
        for clip in self._clips(plan.startable()):
            if clip.template_key not in seen:
                seen.add(clip.template_key)
                yield clip

    def _clips(self, chosen: NDArray[np.int64]) -> Iterator[ClipRow]:
        plan, pairs = self.plan, self.plan.pairs
        for driving, options in _distinct(pairs.driving_index[chosen], pairs.option_index[chosen]):
            yield self.identity.driving_clip(plan.drivings[driving], pairs.option_sets[options])
        films = chosen[plan.sources.videos[pairs.source_index[chosen]]]
        for source, options in _distinct(pairs.source_index[films], pairs.option_index[films]):
            clip = self.identity.source_clip(plan.sources[source], pairs.option_sets[options])
            if clip is not None:
                yield clip


def _distinct(rows: NDArray[np.int64], options: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    n_options = int(options.max(initial=0)) + 1
    for code in np.unique(rows * n_options + options):
        yield divmod(int(code), n_options)


def identify(settings: Settings) -> tuple[Identity, EngineIdentity]:
    """Return what enters the keys, and what the driver knows of the engine.

    A missing weight is refused here, before any work, and a detector that the engine cannot use.
    """
    engine = identify_engine(settings.engine)
    landmarker = identify_landmarker(settings.landmarker)
    if engine.n_points not in (None, landmarker.n_points):
        raise RefusedError(
            f"engine={engine.label} needs {engine.n_points} landmarks of a face, detector={landmarker.name} finds "
            f"{landmarker.n_points}: use detector=mediapipe"
        )
    shared = {"max_missing_fraction": settings.max_missing_fraction}
    terms = Terms(engine.licences, landmarker.licences)
    return Identity(engine.digest, landmarker.digest, shared, settings.engine.variant, terms=terms), engine


def prepare(
    settings: Settings,
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    policy: Policy,
) -> Job:
    """Plan a job, without a look at its output. Raises RefusedError for anything that is wrong with it."""
    for index, options in enumerate(pairs.option_sets):
        rows = np.flatnonzero(pairs.option_index == index)
        if not len(rows):  # in another shard
            continue
        where = "options" if pair_table is None else f"pairs manifest row {rows[0]}"
        check_options(options, settings.engine.name, settings.engine.variant, where)
    identity, engine = identify(settings)
    source_table = fill_subjects(source_table, settings.subject, settings.engine.variant)
    if searched_pairs(source_table, pairs, settings.engine.variant).any():
        identity = _with_xpose(identity, settings.xpose)
    plan = make_plan(source_table, driving_table, pair_table, pairs, identity, policy, settings.engine.name)
    return Job(plan, settings, identity, engine)


def _with_xpose(identity: Identity, spec: XPoseSpec) -> Identity:
    found = identify_xpose(spec)
    return replace(identity, xpose_digest=found.digest, terms=replace(identity.terms, xpose=found.licences))


def leave_out_standing(job: Job, retry_failed: bool = False, alone: bool = True) -> None:
    """Leave what the output settles already out of the plan. Whoever is going to `run` it holds the lease by now.

    Not `alone` is a mere look, which writes nothing, not even a lease; other jobs may be changing what it reads.
    """
    layout = job.settings.output_layout
    with table(layout) if alone else nullcontext():
        settled = results.settled(layout)
    leave_out_settled(job.plan, settled, retry_failed)


def run(job: Job, executor: Executor, reporter: Reporter, lease: Lease) -> Summary:
    """Make every pair that the plan lists; every one of them ends with a row.

    Raises RefusedError, before any work, for an encoder that is not to be had where pairs are written, and
    LeaseLostError when another job has taken over.
    """
    started = time.perf_counter()
    if job.encoder == "nvenc":  # x264 is in the ffmpeg that comes with the package
        executor.check_encoder(job.encoder)
    plan = job.plan
    lease.check()
    with table(job.settings.output_layout):
        results.discard(job.settings.output_layout, plan.todo_ids())
    made = make_templates(job.clips_needed(), job.settings, job.identity, executor, reporter)
    pairs = PairsJob(plan, job.settings, job.identity, job.engine.label, made, reporter, lease)
    pairs.run(executor)
    return Summary(
        by_status={DONE: pairs.progress.done, FAILED: pairs.progress.failed},
        before={DONE: plan.n_done, FAILED: plan.n_failed_before},
        by_error=dict(sorted(pairs.errors.items(), key=lambda item: -item[1])),
        templates_made=made.made,
        templates_reused=made.reused,
        frames=pairs.progress.frames,
        seconds=time.perf_counter() - started,
    )
