"""Filling the template store: each distinct clip is tracked once, however many pairs and jobs use it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lp_ray import metrics, storage
from lp_ray.coordinator.assembly import Assembly, Outcome
from lp_ray.coordinator.executor import Executor
from lp_ray.coordinator.occupy import fill
from lp_ray.coordinator.reporting import Progress, Reporter
from lp_ray.errors import LpRayError, TemplateError
from lp_ray.kinds import is_template
from lp_ray.layout import TemplateLayout
from lp_ray.lease import Lease
from lp_ray.motion.rates import Length
from lp_ray.motion.template import TemplateHeader, read_header
from lp_ray.plan import Identity
from lp_ray.settings import Settings
from lp_ray.stages.finalize import finalize_template
from lp_ray.stages.imported import import_template
from lp_ray.stages.rows import ClipFacts, ClipRow, Failure, StagedMotion


@dataclass
class TemplatesMade:
    """What became of each template key: a header, or a failure. `seconds` only for those made now."""

    headers: dict[str, TemplateHeader] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reused: int = 0

    @property
    def made(self) -> int:
        return len(self.seconds)

    def failure(self, driving: ClipRow, source: ClipRow | None) -> Failure | None:
        """Why a pair of these clips cannot start, if it cannot."""
        found = self.failures.get(driving.template_key)
        return found if found or source is None else self.failures.get(source.template_key)

    def length(self, clip: ClipRow) -> Length:
        """Frames and rate of a clip whose template is there."""
        header = self.headers[clip.template_key]
        return Length(header.n_frames, header.fps)

    def missing(self, clip: ClipRow) -> int:
        """How many frames of a clip are without a face."""
        return len(self.headers[clip.template_key].missing_frames)


def make_templates(
    clips: Sequence[ClipRow], settings: Settings, identity: Identity, executor: Executor, reporter: Reporter
) -> TemplatesMade:
    """Make the templates, of drivings and of source videos, that the store does not hold yet.

    A clip that fails is reported and keeps no other from being made.
    """
    made = TemplatesMade()
    missing = _take_stock(clips, settings, made)
    _import([clip for clip in missing if is_template(clip.clip.uri)], settings, executor, made)
    films = [clip for clip in missing if not is_template(clip.clip.uri)]
    if films:
        with fill(settings.template_layout) as lease:
            _make(films, settings, identity, executor, reporter, made, lease)
    return made


def _import(files: Sequence[ClipRow], settings: Settings, executor: Executor, made: TemplatesMade) -> None:
    """Take template files over as they are, several at a time."""
    finishers = executor.finishers(import_template)
    started = time.perf_counter()
    ended: Iterable[tuple[str, Failure | None]] = itertools.chain.from_iterable(
        [*(finishers.start(clip.template_key, settings, clip.template_key, clip.clip) for clip in files)]
    )
    for key, failure in itertools.chain(ended, finishers.rest()):
        if failure is None:
            made.seconds[key] = time.perf_counter() - started
        _settle(settings.template_layout, key, made, failure)


def _take_stock(clips: Sequence[ClipRow], settings: Settings, made: TemplatesMade) -> list[ClipRow]:
    layout = settings.template_layout
    present = {info.uri for info in storage.list_files(layout.root)}
    missing = []
    for clip in clips:
        key = clip.template_key
        if layout.template(key) in present:
            _read_header(layout, key, made)
        if key in made.headers:
            made.reused += 1
            metrics.template_settled("reused")
            continue
        if made.failures.pop(key, None):  # a damaged template is made again
            storage.delete(layout.template(key))
        missing.append(clip)
    return missing


def _settle(layout: TemplateLayout, key: str, made: TemplatesMade, failure: Failure | None) -> None:
    """Take note of what became of a template that was to be made."""
    _read_header(layout, key, made, failure)
    metrics.template_settled("failed" if key in made.failures else "made")


def _read_header(layout: TemplateLayout, key: str, made: TemplatesMade, failure: Failure | None = None) -> None:
    """Take note of what became of a template: its header, or why there is none."""
    if failure is not None:
        made.failures[key] = failure
        return
    try:
        with storage.open_read(layout.template(key)) as file:
            made.headers[key] = read_header(file)
    except (TemplateError, FileNotFoundError) as error:
        made.failures[key] = Failure.of("template", error)


def _make(
    clips: Sequence[ClipRow],
    settings: Settings,
    identity: Identity,
    executor: Executor,
    reporter: Reporter,
    made: TemplatesMade,
    lease: Lease,
) -> None:
    layout = settings.template_layout
    assembly, finishers = Assembly(), executor.finishers(finalize_template)
    progress = Progress("templates", len(clips))
    before = len(made.headers)
    digests = (identity.engine_digest, identity.landmarker_digest)
    for piece in executor.stream_templates(clips):
        lease.heed()
        key = piece.template_key
        outcome = _take_in(assembly, piece)
        if outcome is Outcome.FAILED and piece.failure is not None:
            _settle(layout, key, made, piece.failure)
            progress.failed += 1
        elif outcome is Outcome.WHOLE and piece.facts is not None:
            made.seconds[key] = assembly.settle(key)["template"]
            progress.frames += piece.facts.n_frames
            for ended, failure in finishers.start(key, settings, settings.engine.name, digests, key, piece.facts):
                _settle(layout, ended, made, failure)
        for ended, failure in finishers.ended():
            _settle(layout, ended, made, failure)
        progress.done = len(made.headers) - before
        reporter.update(progress)
    for ended, failure in finishers.rest():
        _settle(layout, ended, made, failure)
    if made.failures:
        lease.check()  # else what was staged may have been swept away as a dead run's, and nobody's clip is to blame
    progress.done = len(made.headers) - before
    progress.failed = len(clips) - progress.done
    reporter.update(progress)
    if lost := assembly.unsettled(clip.template_key for clip in clips):
        raise LpRayError(f"{len(lost)} templates came back neither made nor failed: {lost[:3]}")


def _take_in(assembly: Assembly, piece: StagedMotion) -> Outcome:
    facts: ClipFacts | None = piece.facts
    if facts is not None:
        assembly.expect(piece.template_key, facts.n_chunks)
    return assembly.add(piece.template_key, piece.index, {"template": piece.seconds}, piece.failure)
