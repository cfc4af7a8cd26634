"""Runs a job, from its manifests to its summary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError, StoppedError, WeightsError
from lp_ray.base.extras import check_part
from lp_ray.contract import provenance
from lp_ray.contract.formats import AUTO, FORMATS
from lp_ray.contract.input_filters import BY_STAGE
from lp_ray.contract.licences import Terms
from lp_ray.contract.measuring import LABELS, METRICS
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.options import KEEP, PairOptions, is_part
from lp_ray.contract.result_schema import DONE, FAILED, FILTERED
from lp_ray.coordinator.collector import Unexpected
from lp_ray.coordinator.pairs import PairsJob
from lp_ray.coordinator.reporting import Reporter, Summary
from lp_ray.coordinator.templates import make_templates
from lp_ray.engine.factory import EngineIdentity, identify_engine
from lp_ray.face.factory import LandmarkerSpec, identify_landmarker
from lp_ray.face.insightface.files import arcface_name
from lp_ray.face.mediapipe.networks import N_POINTS
from lp_ray.media.encode import Encoder
from lp_ray.models.store import WeightStore
from lp_ray.output import results
from lp_ray.output.lease import Lease
from lp_ray.output.occupy import table
from lp_ray.output.reconcile import Reconciled, reconcile
from lp_ray.plan.consent import refuse_without_consent
from lp_ray.plan.devices import NVENC, Devices, Part
from lp_ray.plan.pairing import Pairs
from lp_ray.plan.planning import Identity, Plan, leave_out_settled, make_plan, wanted_rows
from lp_ray.plan.said import Said
from lp_ray.plan.settings import Settings
from lp_ray.plan.subjects import fill_subjects, searched_pairs
from lp_ray.plan.work import ClipRow
from lp_ray.runtime.executor import Executor
from lp_ray.runtime.graph import graphs_of
from lp_ray.stages.signing import signer_of
from lp_ray.storage import Policy


@dataclass(frozen=True)
class Job:
    """A checked job. Its output has not been read yet, and no lease is held."""

    plan: Plan
    settings: Settings
    identity: Identity
    engine: EngineIdentity

    @property
    def encoder(self) -> Encoder:
        """The encoder that the pairs need: `nvenc` if any pair asks for it."""
        return "nvenc" if any(options.encoder == "nvenc" for options in self.plan.pairs.option_sets) else "x264"

    @property
    def devices(self) -> Devices:
        """The device of each part of the job. Lists the detector of animals only if a pair needs it."""
        needed = {Part.ENCODER: NVENC} if self.encoder == "nvenc" else {}
        if self.identity.animals_digest:
            needed[Part.ANIMAL_DETECTOR] = Device(self.settings.animal_detector.device)
        if self.settings.measuring.metrics != "none":
            needed[Part.METRICS] = Device(self.settings.metrics_device)
        return devices_of(self.settings) | needed

    def clips_needed(self) -> Iterator[ClipRow]:
        """Yield, once each, the clips (drivings and source videos) whose templates are needed by pairs still to be
        made."""
        plan, seen = self.plan, set[str]()
        for clip in self._clips(plan.startable()):
            if clip.template_key not in seen:
                seen.add(clip.template_key)
                yield clip

    def _clips(self, chosen: NDArray[np.int64]) -> Iterator[ClipRow]:
        plan, pairs = self.plan, self.plan.pairs
        for driving, options in _distinct(pairs.driving_index[chosen], pairs.option_index[chosen]):
            yield from self.identity.driving_clips(plan.drivings[driving], pairs.option_sets[options])
        of_videos = chosen[plan.sources.videos[pairs.source_index[chosen]]]
        for source, options in _distinct(pairs.source_index[of_videos], pairs.option_index[of_videos]):
            clip = self.identity.source_clip(plan.sources[source], pairs.option_sets[options])
            if clip is not None:
                yield clip


def _distinct(rows: NDArray[np.int64], options: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    n_options = int(options.max(initial=0)) + 1
    for code in np.unique(rows * n_options + options):
        yield divmod(int(code), n_options)


def devices_of(settings: Settings) -> dict[Part, Device]:
    """Return the devices of the engine and the detector: all that jobs without pairs need."""
    return {Part.ENGINE: Device(settings.engine.device), Part.DETECTOR: Device(settings.landmarker.device)}


def identify(settings: Settings) -> tuple[Identity, EngineIdentity]:
    """Return the digests and settings that enter the keys, and what the driver process knows about the engine.

    Raises RefusedError, before any work, for a missing weight or a detector that the engine cannot use.
    """
    engine = identify_engine(settings.engine)
    landmarker = identify_landmarker(settings.landmarker)
    if engine.n_points not in (None, landmarker.n_points):
        raise RefusedError(
            f"engine={engine.label} needs {engine.n_points} landmarks of a face, detector={landmarker.name} finds "
            f"{landmarker.n_points}: use detector=mediapipe"
        )
    check_filters(settings, landmarker.n_points)
    _check_arcface(settings)
    if landmarker.subject != "human":
        raise RefusedError(f"detector={landmarker.name} finds animals; it is what engine.variant=animal uses by itself")
    terms = Terms(engine.licences, landmarker.licences)
    shared = shared_settings(settings)
    return Identity(engine.digest, landmarker.digest, *shared, settings.engine.variant, terms=terms), engine


def _check_arcface(settings: Settings) -> None:
    if not settings.metrics_arcface:
        return
    check_part("insightface", "metrics_arcface")
    try:
        arcface_name(WeightStore(settings.metrics_arcface))
    except WeightsError as error:
        raise WeightsError(
            f"metrics_arcface: {error}; put buffalo_l's w600k_r50.onnx into insightface/models/buffalo_l of the folder "
            "that lp-ray weights import reads, and import it"
        ) from error


def check_filters(settings: Settings, n_points: int) -> None:
    """Raise RefusedError for thresholds that the detector's landmarks, or an animal's, cannot be held to."""
    mesh = n_points == N_POINTS and settings.engine.variant == "human"
    for stage, known in BY_STAGE.items():
        for name in settings.parameters(stage):
            if known[name].of_people and settings.engine.variant != "human":
                raise RefusedError(
                    f"filter.{known[name].role}.{name} has no effect here: faces are counted of people; leave it out"
                )
            if known[name].needs_mesh and not mesh:
                raise RefusedError(
                    f"filter.{known[name].role}.{name} has no effect here: angles of a source are measured by "
                    "detector=mediapipe on people; leave it out"
                )


def shared_settings(settings: Settings) -> tuple[dict[str, object], dict[str, object]]:
    """Return the settings that enter all template keys and those that enter all pair keys, without defaults."""
    clips: dict[str, object] = {}
    pairs: dict[str, object] = {}
    if settings.max_missing_fraction != Settings.max_missing_fraction:
        clips["max_missing_fraction"] = settings.max_missing_fraction
    of_clips = {stage.name for stage in graphs_of(settings).templates.stages}
    for spec in settings.stages:
        if spec.name in BY_STAGE:  # they decide what is begun, not what it becomes
            continue
        where = clips if spec.name in of_clips else pairs
        where[f"stages.{spec.name}"] = dict(spec.parameters)
    if settings.provenance:
        signer_of(settings.provenance)  # refused now, if it cannot be read
        pairs["provenance"] = settings.provenance.kind  # not by whom: a renewed certificate makes nothing again
    if settings.sidecars:
        pairs["sidecars"] = sorted(settings.sidecars)
    return clips, pairs


def prepare(
    settings: Settings,
    source_table: pa.Table,
    driving_table: pa.Table,
    pair_table: pa.Table | None,
    pairs: Pairs,
    policy: Policy,
) -> Job:
    """Plan a job without reading its output. Raises RefusedError if anything in the job is wrong."""
    for index, options in enumerate(pairs.option_sets):
        rows = np.flatnonzero(pairs.option_index == index)
        if not len(rows):  # all its pairs are in another shard
            continue
        where = "options" if pair_table is None else f"pairs manifest row {rows[0]}"
        check_options(options, settings.engine.name, settings.engine.variant, where)
        check_signable(settings, options, where)
        if settings.measuring.keeps_asked and is_part(options):
            raise RefusedError(
                f"{where}: labels and metrics are of videos that are animated from end to end: leave them out, or "
                "source_start_s and source_end_s"
            )
    check_measurable(settings, pairs.option_sets)
    identity, engine = identify(settings)
    source_table = fill_subjects(source_table, settings.subject, settings.engine.variant)
    if searched_pairs(source_table, pairs, settings.engine.variant).any():
        identity = _with_animals(identity, settings.animal_detector)
    plan = make_plan(source_table, driving_table, pair_table, pairs, identity, policy, settings.engine.name)
    if settings.require_consent:
        refuse_without_consent(plan, datetime.now(UTC).date())
    return Job(plan, settings, identity, engine)


def check_signable(settings: Settings, options: PairOptions, where: str) -> None:
    """Raise RefusedError if results are to be signed, and those of these options cannot be."""
    if not settings.provenance:
        return
    if options.format not in (AUTO, *provenance.TYPES):
        raise RefusedError(f"{where}: format={options.format!r} cannot hold content credentials: leave one out")
    if options.format == AUTO and options.alpha == KEEP:
        raise RefusedError(
            f"{where}: alpha={KEEP!r} makes a WebM, which cannot hold content credentials: leave one out, or use "
            "format=png for pictures"
        )


def check_measurable(settings: Settings, option_sets: Sequence[PairOptions]) -> None:
    """Raise RefusedError for labels or metrics that cannot be had of these pairs."""
    measuring = settings.measuring
    if not measuring.reads_videos:
        return
    asked = f"labels={measuring.labels} metrics={measuring.metrics}"
    if settings.engine.variant != "human":
        raise RefusedError(
            f"{asked} with engine.variant={settings.engine.variant}: results are measured with a landmarker for human "
            "faces; use labels=asked metrics=none"
        )
    for name in {options.format for options in option_sets} - {AUTO}:
        if not hasattr(FORMATS.get(name), "pictures"):
            raise RefusedError(f"{asked} with format={name}: results of this format cannot be read back; use mp4")


def _with_animals(identity: Identity, spec: LandmarkerSpec) -> Identity:
    found = identify_landmarker(spec)
    if found.subject != "animal":
        raise RefusedError(f"xpose.name={spec.name}: this detector finds people; the setting is for one of animals")
    return replace(identity, animals_digest=found.digest, terms=replace(identity.terms, animals=found.licences))


def leave_out_standing(
    job: Job, retry_failed: bool = False, alone: bool = True, retry_filtered: bool = False, said: Said | None = None
) -> None:
    """Take the pairs that the output already settles out of the plan. To `run` the job, the caller must hold the lease.

    `said` is what people decided of the pairs. With `alone=False`, this only reads: it writes nothing and takes
    no lease, and other jobs may change the table meanwhile.
    """
    layout = job.settings.output_layout
    with table(layout) if alone else nullcontext():
        settled = results.settled(layout, job.settings.measuring)
    _check_levels(job, settled)
    leave_out_settled(job.plan, settled, retry_failed, retry_filtered, said)


def _check_levels(job: Job, settled: results.Settled) -> None:
    """Raise RefusedError if pairs that are to be measured again would lose labels or metrics that they have."""
    found, asked = settled.look_up(job.plan.pair_ids), job.settings.measuring
    has = found.levels[found.lesser].max(axis=0, initial=0)
    most = [
        levels[max(int(rank), levels.index(level))]
        for rank, level, levels in zip(has, (asked.labels, asked.metrics), (LABELS, METRICS), strict=True)
    ]
    if most != [asked.labels, asked.metrics]:
        raise RefusedError(
            f"labels={asked.labels} metrics={asked.metrics} would make pairs again that have more of the other: ask "
            f"for labels={most[0]} metrics={most[1]}"
        )


def settle(job: Job, lease: Lease, reporter: Reporter) -> Reconciled:
    """Write a row for every planned pair whose work is done; retire the rows of replaced input files."""
    lease.check()
    layout, plan = job.settings.output_layout, job.plan
    with table(layout):
        reconciled = reconcile(layout, *wanted_rows(plan, job.engine.label), plan.failing())
    if reconciled.barred and (failure := plan.failure(reconciled.barred[0])):
        n = len(reconciled.barred)
        reporter.note(f"{n} pairs get no row, although their work is done under other ids: {failure.error}")
    return reconciled


def run(job: Job, executor: Executor, reporter: Reporter, lease: Lease) -> Summary:
    """Make every pair that the plan lists. Every pair gets a row.

    Raises RefusedError, before any work, if the encoder does not work where pairs are written. Later raises
    StoppedError: LeaseLostError if another job took over, UnexpectedErrorsError, or an error of the storage.
    """
    if job.encoder == "nvenc":  # needs no check for x264: the package's ffmpeg has it
        executor.check_encoder(job.encoder)
    try:
        return _work(job, executor, reporter, lease)
    except RefusedError as error:
        raise StoppedError(str(error)) from error


def _work(job: Job, executor: Executor, reporter: Reporter, lease: Lease) -> Summary:
    started, plan, settings = time.perf_counter(), job.plan, job.settings
    lease.check()
    with table(settings.output_layout):
        results.discard(settings.output_layout, plan.unsettled_ids())
    unexpected = Unexpected(settings.max_unexpected)
    made = make_templates(job.clips_needed(), settings, job.identity, executor, reporter, unexpected)
    graph = graphs_of(settings).pairs
    pairs = PairsJob(plan, settings, job.identity, job.engine.label, made, reporter, lease, graph)
    pairs.run(executor, unexpected)
    settle(job, lease, reporter)
    counts = pairs.progress
    return Summary(
        by_status={DONE: counts.done, FAILED: counts.failed, FILTERED: counts.filtered},
        before={DONE: plan.n_done, FAILED: plan.n_failed_before, FILTERED: plan.n_filtered_before},
        by_error=dict(sorted(pairs.errors.items(), key=lambda item: -item[1])),
        by_filter=dict(sorted(pairs.filters.items(), key=lambda item: -item[1])),
        templates_made=made.made,
        templates_reused=made.reused,
        frames=counts.frames,
        seconds=time.perf_counter() - started,
        unexpected=unexpected.count,
    )
