"""Fill the template store: track each distinct clip once, however many pairs and jobs use it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import Any

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.errors import MissingInputError, TemplateError
from lp_ray.contract.failure import STOPPED, Failure
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.result_schema import DONE, FAILED
from lp_ray.coordinator.collector import Collector, Unexpected, stopped
from lp_ray.coordinator.reporting import Progress, Reporter
from lp_ray.motion.rates import Length
from lp_ray.output.layout import TemplateLayout
from lp_ray.output.lease import Lease
from lp_ray.output.occupy import fill
from lp_ray.plan.planning import Identity
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow
from lp_ray.runtime.executor import Executor
from lp_ray.runtime.graph import graphs_of
from lp_ray.stages.imported import IMPORT_TEMPLATE
from lp_ray.stages.media import template_header
from lp_ray.stages.rows import StagedMotion

CLIPS_AT_ONCE = 5000
"""Number of clips that one run of the graph processes; bounds how many wait in memory."""
_READERS = 16


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """The facts of a template that the pairs need. They are kept instead of its header, which takes kilobytes."""

    n_frames: int
    fps: Fraction
    n_missing: int
    square: bool | None = None
    """Whether the clip's frames are square; None if the template does not say."""


@dataclass
class TemplatesMade:
    """The outcome for each template key: facts, or a failure. `seconds` holds only templates that this job made."""

    facts: dict[str, TemplateFacts] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    reused: int = 0

    @property
    def made(self) -> int:
        return len(self.seconds)

    def failure(self, clips: Iterable[ClipRow]) -> Failure | None:
        """Return why a pair of these clips cannot start; None if it can."""
        return next((self.failures[clip.template_key] for clip in clips if clip.template_key in self.failures), None)

    def length(self, clip: ClipRow) -> Length:
        """Return the frame count and rate of a clip that has a template."""
        facts = self.facts[clip.template_key]
        return Length(facts.n_frames, facts.fps)

    def missing(self, clip: ClipRow) -> int:
        """Return how many frames of a clip have no face."""
        return self.facts[clip.template_key].n_missing

    def is_square(self, clip: ClipRow) -> bool | None:
        """Return whether a clip's frames are square; None if its template does not say."""
        return self.facts[clip.template_key].square

    def knows(self, clip: ClipRow) -> bool:
        return clip.template_key in self.facts


def make_templates(
    clips: Iterable[ClipRow],
    settings: Settings,
    identity: Identity,
    executor: Executor,
    reporter: Reporter,
    unexpected: Unexpected | None = None,
) -> TemplatesMade:
    """Make the templates of drivings and source videos that the store does not hold yet.

    Each key appears once among `clips`. A clip that fails is recorded and does not stop the others.
    """
    made, unexpected = TemplatesMade(), unexpected or Unexpected(settings.max_unexpected)
    missing = take_stock(clips, settings, made)
    while batch := list(islice(missing, CLIPS_AT_ONCE)):
        for clip in batch:
            if made.failures.pop(clip.template_key, None):  # delete a damaged template, to make it again
                storage.delete(settings.template_layout.template(clip.template_key))
        _import([clip for clip in batch if is_template(clip.clip.uri)], settings, executor, made, unexpected)
        tracked = [clip for clip in batch if not is_template(clip.clip.uri)]
        if tracked:
            with fill(settings.template_layout) as lease:
                _Making(tracked, settings, identity, reporter, made).run(executor, unexpected, lease)
    return made


def _import(
    files: list[ClipRow], settings: Settings, executor: Executor, made: TemplatesMade, unexpected: Unexpected
) -> None:
    """Import template files into the store as they are, several at a time."""
    finishers = executor.finishers(IMPORT_TEMPLATE)
    started = time.perf_counter()
    ended: Iterable[tuple[str, Failure | None]] = itertools.chain.from_iterable(
        [*(finishers.start(clip.template_key, settings, clip.template_key, clip.clip) for clip in files)]
    )
    for key, failure in itertools.chain(ended, finishers.rest()):
        if failure is None:
            made.seconds[key] = time.perf_counter() - started
        elif failure.status == STOPPED:
            raise stopped(failure)
        _take_note(settings.template_layout, key, made, failure)
        if failure is not None:
            unexpected.note(failure)


def take_stock(clips: Iterable[ClipRow], settings: Settings, made: TemplatesMade) -> Iterator[ClipRow]:
    """Record the templates that the store holds; yield the clips whose template was missing when this function started.

    A damaged template is recorded as a failure, and its clip is yielded.
    """
    layout = settings.template_layout
    present = {info.uri.rpartition("/")[2] for page in storage.pages(layout.root) for info in page}
    clips = iter(clips)
    while batch := list(islice(clips, CLIPS_AT_ONCE)):
        there = [clip.template_key for clip in batch if f"{clip.template_key}.npz" in present]
        with ThreadPoolExecutor(_READERS) as readers:
            for key, found in zip(there, readers.map(lambda key: _read_facts(layout, key), there), strict=True):
                if isinstance(found, Failure):
                    made.failures[key] = found
                else:
                    made.facts[key] = found
                    made.reused += 1
                    metrics.template_settled("reused")
        yield from [clip for clip in batch if clip.template_key not in made.facts]


def _read_facts(layout: TemplateLayout, key: str) -> TemplateFacts | Failure:
    try:
        header = template_header(layout.template(key))
    except (TemplateError, MissingInputError) as error:
        return Failure.of("template", error)
    square = None if header.size is None else header.size[0] == header.size[1]
    return TemplateFacts(header.n_frames, header.fps, len(header.missing_frames), square)


def _take_note(layout: TemplateLayout, key: str, made: TemplatesMade, failure: Failure | None) -> None:
    """Record the outcome for a template: its facts, or why there is none."""
    found = failure or _read_facts(layout, key)
    if isinstance(found, Failure):
        made.failures[key] = found
    else:
        made.facts[key] = found
    metrics.template_settled("failed" if key in made.failures else "made")


class _Making:
    """Makes templates of clips. Implements `lp_ray.coordinator.collector.Handler`."""

    def __init__(
        self, clips: list[ClipRow], settings: Settings, identity: Identity, reporter: Reporter, made: TemplatesMade
    ) -> None:
        self._clips = clips
        self._settings = settings
        self._layout = settings.template_layout
        self._digests = (identity.engine_digest, identity.landmarker_digest)
        self._reporter = reporter
        self._made = made
        self._progress = Progress("templates", len(clips))

    def run(self, executor: Executor, unexpected: Unexpected, lease: Lease) -> None:
        graph = graphs_of(self._settings).templates
        finishers = executor.finishers(graph.finish)
        collector = Collector[ClipRow, StagedMotion](graph, finishers, self, unexpected, lease.heed)
        collector.run(executor, self._clips, self._show)
        if self._progress.failed:
            lease.check()  # if the lease was lost, others removed our staging: no clip is to blame
        self._show()

    def expected(self, piece: StagedMotion) -> int:
        return 1 if piece.facts is None else piece.facts.n_chunks

    def taken(self, piece: StagedMotion) -> None:
        """Do nothing: frames are counted when the template is complete."""

    def task_arguments(self, piece: StagedMotion, seconds: dict[str, float]) -> tuple[Any, ...]:
        self._made.seconds[piece.template_key] = sum(seconds.values())
        if piece.facts is not None:
            self._progress.frames += piece.facts.n_frames
        return self._settings, self._settings.engine.name, self._digests, piece.template_key, piece.facts

    def done(self, key: str, answer: Any) -> None:
        _take_note(self._layout, key, self._made, None)
        self._progress.count(FAILED if key in self._made.failures else DONE)

    def ended(self, key: str, failure: Failure) -> None:
        self._made.seconds.pop(key, None)
        _take_note(self._layout, key, self._made, failure)
        self._progress.count(FAILED)

    def _show(self) -> None:
        self._reporter.update(self._progress)
