"""A job from its manifests to its summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import pyarrow as pa

from lp_ray import results
from lp_ray.coordinator.executor import Executor
from lp_ray.coordinator.pairs import PairsJob
from lp_ray.coordinator.reporting import Reporter, Summary
from lp_ray.coordinator.templates import TemplatesMade, make_templates
from lp_ray.engine.factory import EngineIdentity, identify_engine
from lp_ray.errors import RefusedError
from lp_ray.face.factory import identify_landmarker
from lp_ray.face.xpose.identity import XPoseSpec, identify_xpose
from lp_ray.lease import Lease
from lp_ray.licences import Terms
from lp_ray.manifest import DONE, FAILED
from lp_ray.media.encode import Encoder
from lp_ray.options import check_options
from lp_ray.pairing import Pairs
from lp_ray.plan import Identity, Plan, leave_out_settled, make_plan
from lp_ray.settings import Settings
from lp_ray.stages.rows import ClipRow
from lp_ray.storage import Policy
from lp_ray.subjects import fill_subjects, needs_xpose


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

    def clips_needed(self) -> list[ClipRow]:
        """Return every clip, driving or source video, whose template a pair still to be made uses."""
        plan = self.plan
        pairs = [pair for pair in plan.todo.tolist() if pair not in plan.failures]
        clips = [
            clip
            for pair in pairs
            for clip in (
                self.identity.driving_clip(plan.driving(pair), plan.options(pair)),
                self.identity.source_clip(plan.source(pair), plan.options(pair)),
            )
            if clip is not None
        ]
        return list({clip.template_key: clip for clip in clips}.values())


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
        row = int((pairs.option_index == index).argmax())
        where = "options" if pair_table is None else f"pairs manifest row {row}"
        check_options(options, settings.engine.name, settings.engine.variant, where)
    identity, engine = identify(settings)
    source_table = fill_subjects(source_table, settings.subject, settings.engine.variant)
    if needs_xpose(source_table, pairs, settings.engine.variant):
        identity = _with_xpose(identity, settings.xpose)
    plan = make_plan(source_table, driving_table, pair_table, pairs, identity, policy, settings.engine.name)
    return Job(plan, settings, identity, engine)


def _with_xpose(identity: Identity, spec: XPoseSpec) -> Identity:
    found = identify_xpose(spec)
    return replace(identity, xpose_digest=found.digest, terms=replace(identity.terms, xpose=found.licences))


def leave_out_standing(job: Job, retry_failed: bool = False) -> None:
    """Leave what the output settles already out of the plan. Whoever is going to `run` it holds the lease by now."""
    done, others = results.standing(job.settings.output_layout)
    leave_out_settled(job.plan, done, others, retry_failed)


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
    results.discard(job.settings.output_layout, [plan.pair_ids[pair] for pair in plan.todo.tolist()])
    clips = job.clips_needed()
    made = make_templates(clips, job.settings, job.identity, executor, reporter) if clips else TemplatesMade()
    pairs = PairsJob(plan, job.settings, job.identity, job.engine.label, reporter, lease)
    pairs.run(made, executor)
    return Summary(
        by_status={DONE: pairs.progress.done, FAILED: pairs.progress.failed},
        before={DONE: plan.n_done, FAILED: plan.n_failed_before},
        by_error=dict(sorted(pairs.errors.items(), key=lambda item: -item[1])),
        templates_made=made.made,
        templates_reused=made.reused,
        frames=pairs.progress.frames,
        seconds=time.perf_counter() - started,
    )
