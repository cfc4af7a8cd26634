"""Make the pairs: hand out spans, collect segments, and write one result row per pair."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.errors import UnsupportedError
from lp_ray.base.version import __version__
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.failure import Failure
from lp_ray.contract.formats import FORMATS, STILL_KIND, resolve
from lp_ray.contract.options import KEEP, is_part
from lp_ray.contract.result_schema import DONE, FAILED, FILTERED
from lp_ray.coordinator.casting import cast_column, roles_of
from lp_ray.coordinator.collector import Collector, Unexpected
from lp_ray.coordinator.reporting import Progress, Reporter
from lp_ray.coordinator.templates import TemplatesMade
from lp_ray.motion.rates import Length
from lp_ray.output import results
from lp_ray.output.lease import Lease
from lp_ray.output.occupy import table
from lp_ray.output.results import ResultRow
from lp_ray.plan.part import frames_of
from lp_ray.plan.planning import Identity, Plan
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow, PairWork, SourceFacts, SourceRef, SpanRow
from lp_ray.runtime.executor import Executor
from lp_ray.runtime.graph import Graph
from lp_ray.stages.rows import StagedSegment

FLUSH_ROWS = 5000
FAILED_KEPT = 100
"""The staging of pairs that ended early is removed when there are so many of them."""
_CLIPS_KEPT = 4096

CHUNKS_OF_ALL = 4
"""Chunks are shorter by this factor if all faces of a picture are animated, because a row then holds a crop of each
face."""


@dataclass
class _Held:
    """A pair in flight: its row number in the plan, its work, and the facts of its source once they are known."""

    pair: int
    work: PairWork
    facts: SourceFacts | None = None


class PairsJob:
    """Makes the pairs of one plan. Keeps only the pairs in flight in memory, however many the plan has.

    Implements `lp_ray.coordinator.collector.Handler`.
    """

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        identity: Identity,
        engine: str,
        templates: TemplatesMade,
        reporter: Reporter,
        lease: Lease,
        graph: Graph,
    ) -> None:
        self._plan = plan
        self._graph = graph
        self._settings = settings
        self._identity = identity
        self._engine = engine
        self._templates = templates
        self._reporter = reporter
        self._lease = lease
        self._output = settings.output_layout
        self._store = settings.template_layout
        self._started = datetime.now(UTC)
        self._progress = Progress("pairs", len(plan.todo))
        self._unwritten: list[ResultRow] = []
        self._held: dict[str, _Held] = {}
        self._doomed: set[str] = set()
        self._told: set[str] = set()
        self._clips_of = lru_cache(_CLIPS_KEPT)(self._make_clips)
        self.errors: dict[str, int] = {}
        self.filters: dict[str, int] = {}

    @property
    def progress(self) -> Progress:
        return self._progress

    def run(self, executor: Executor, unexpected: Unexpected) -> None:
        """Animate every pair that can start; write one row for each pair."""
        try:
            metrics.pairs_planned(self._progress.total)
            self._progress.total_frames, _ = known_frames(self._plan, self._identity, self._templates)
            self._reporter.update(self._progress)
            spans = self._spans()
            first = next(spans, None)
            if first is not None:  # with no span, no stage needs to be built
                finishers = executor.finishers(self._graph.finish)
                collector = Collector[SpanRow, StagedSegment](
                    self._graph, finishers, self, unexpected, self._lease.heed
                )
                collector.run(executor, itertools.chain([first], spans), lambda: self._show(finishers.count()))
            self._show(0)
        finally:  # also when interrupted, settled pairs get into the table
            self._flush()

    def _show(self, n_finishing: int) -> None:
        metrics.queue_depth("finalizing", n_finishing)
        self._reporter.update(self._progress)

    def _spans(self) -> Iterator[SpanRow]:
        """Yield the spans of pairs when the executor asks for them. Settle pairs that cannot start."""
        for pair in map(int, self._plan.todo):
            drivings, source = self._clips(pair)
            clips = drivings if source is None else (*drivings, source)
            failure = self._plan.failure(pair) or self._templates.failure(clips)
            if failure is not None:
                self._settle(self._ended_row(pair, failure))
                continue
            work = self._work(pair, drivings, source)
            if (failure := _misfit(work)) is not None:
                self._settle(self._ended_row(pair, failure))
                continue
            self._held[work.pair_id] = _Held(pair, work)
            step = work.chunk * self._settings.span_chunks
            for start in range(0, work.n_frames, step):
                if work.pair_id in self._held:  # else the pair ended early, during an earlier wave
                    yield SpanRow(work, start, min(start + step, work.n_frames))

    def _clips(self, pair: int) -> tuple[tuple[ClipRow, ...], ClipRow | None]:
        pairs = self._plan.pairs
        video = int(pairs.source_index[pair])
        if not self._plan.sources.videos[video]:
            video = -1  # pictures have no clip, so all of them share one entry
        return self._clips_of(int(pairs.driving_index[pair]), video, int(pairs.option_index[pair]))

    def _make_clips(self, driving: int, video: int, options: int) -> tuple[tuple[ClipRow, ...], ClipRow | None]:
        plan, chosen = self._plan, self._plan.pairs.option_sets[options]
        clip = None if video < 0 else self._identity.source_clip(plan.sources[video], chosen)
        return self._identity.driving_clips(plan.drivings[driving], chosen), clip

    def _work(self, pair: int, drivings: Sequence[ClipRow], source: ClipRow | None) -> PairWork:
        plan, settings = self._plan, self._settings
        options, ref = plan.options(pair), plan.source(pair)
        own = _own_length(self._templates, source, ref)
        if own is None and source is not None:  # a clip of one frame is treated as a picture
            ref, source = replace(ref, is_video=False), None
        length, part = frames_of(own, [self._templates.length(clip) for clip in drivings], options)
        several = ref.face == ALL_FACES
        driving = plan.driving(pair)
        roles = roles_of(driving, [clip.template_key for clip in drivings])
        return PairWork(
            pair_id=plan.pair_id(pair),
            source=ref,
            driving=driving.members[0],
            template_key=drivings[0].template_key,
            source_template="" if source is None else source.template_key,
            options=options,
            fps_numerator=length.fps.numerator,
            fps_denominator=length.fps.denominator,
            n_frames=length.n_frames,
            chunk=max(1, settings.chunk_frames // CHUNKS_OF_ALL) if several else settings.chunk_frames,
            format=resolve(options.format, own is None and length.n_frames == 1, options.alpha == KEEP),
            roles=roles,
            part=part,
        )

    def expected(self, piece: StagedSegment) -> int:
        return self._held[piece.pair_id].work.n_chunks

    def taken(self, piece: StagedSegment) -> None:
        held = self._held[piece.pair_id]
        held.facts = piece.facts or held.facts
        self._progress.frames += piece.n_frames
        metrics.frames_staged(piece.n_frames)

    def task_arguments(self, piece: StagedSegment, seconds: dict[str, float]) -> tuple[Any, ...]:
        held = self._held[piece.pair_id]
        row = self._row(held.pair, held.facts) | self._made_from(held.pair, seconds)
        return self._settings, held.work, row

    def done(self, key: str, answer: Any) -> None:
        del self._held[key]
        self._settle(answer)

    def ended(self, key: str, failure: Failure) -> None:
        held = self._held.pop(key)
        row = self._ended_row(held.pair, failure, held.facts)
        if failure.is_unexpected:
            row["traceback_uri"] = self._output.traceback(key)
            storage.put_bytes(row["traceback_uri"], failure.traceback.encode())
            self._tell(failure)
        self._settle(row)
        self._drop_staged(key)

    def _tell(self, failure: Failure) -> None:
        """Put the traceback of an unexpected error in the log; log the same traceback only once."""
        if failure.traceback not in self._told:
            self._told.add(failure.traceback)
            self._reporter.note(f"an unexpected error in {failure.stage}\n{failure.traceback.rstrip()}")

    def _drop_staged(self, pair_id: str) -> None:
        """Remove the staging of pairs that ended early, many with one listing. Pieces that come later go when the run
        ends."""
        self._doomed.add(pair_id)
        if len(self._doomed) >= FAILED_KEPT:
            storage.delete_prefixes(self._output.own_staging, self._doomed.__contains__)
            self._doomed.clear()

    def _ended_row(self, pair: int, failure: Failure, facts: SourceFacts | None = None) -> ResultRow:
        """Return the row of a pair that ended without a result."""
        if failure.status == FAILED:
            metrics.pair_failed(failure.stage, failure.error_class)
            self.errors[failure.error_class] = self.errors.get(failure.error_class, 0) + 1
        elif failure.status == FILTERED:
            why = filter_of(failure)
            metrics.pair_filtered(failure.stage, why)
            self.filters[why] = self.filters.get(why, 0) + 1
        return self._row(pair, facts) | {
            "status": failure.status,
            "stage": failure.stage,
            "error_class": failure.error_class or None,
            "error": failure.error,
            "score": failure.score,
            "finished_at": datetime.now(UTC),
            "seconds": {},
        }

    def _row(self, pair: int, facts: SourceFacts | None) -> ResultRow:
        """Return the columns that are known before the pair has a result. The row of a failed pair has few others."""
        plan = self._plan
        source, driving = plan.source(pair), plan.driving(pair)
        return {
            "pair_id": plan.pair_id(pair),
            "source_id": plan.source_id(pair),
            "driving_id": plan.driving_id(pair),
            "source_uri": storage.redact(source.uri),
            "source_version": source.version,
            "driving_uri": storage.redact(driving.uri),
            "driving_version": driving.version,
            **cast_column(plan, pair),
            "source_width": facts and facts.width,
            "source_height": facts and facts.height,
            "engine": self._engine,
            "engine_digest": self._identity.engine_digest,
            "licences": self._identity.licences(source, driving, plan.options(pair)),
            "options": plan.option_texts[int(plan.pairs.option_index[pair])],
            "options_without_effect": plan.without_effect(pair) or None,
            "attempts": int(plan.attempts[pair]) + 1,
            "started_at": self._started,
            "lp_ray_version": __version__,
            **plan.meta(pair),
        }

    def _made_from(self, pair: int, seconds: dict[str, float]) -> ResultRow:
        """Return the columns of a finished pair about its templates and about the time that each stage took."""
        drivings, source = self._clips(pair)
        templates = self._templates
        still = all(templates.length(clip).n_frames == 1 for clip in drivings)
        return {
            "options_without_effect": self._plan.without_effect(pair, still, _square(templates, drivings)) or None,
            "template_uri": self._store.template(drivings[0].template_key),
            "frames_without_face": sum(templates.missing(clip) for clip in drivings),
            "source_frames_without_face": None if source is None else templates.missing(source),
            "seconds": {
                "template": _sum(templates.seconds.get(clip.template_key) for clip in drivings),
                **{stage.name: seconds.get(stage.name) for stage in self._graph.stages},
            },
        }

    def _settle(self, row: ResultRow) -> None:
        self._progress.count(row["status"])
        if row["status"] == DONE or row["pair_id"] not in self._plan.lesser:  # else the row that it has stays
            self._unwritten.append(row)
        metrics.pair_settled(row["status"])
        metrics.video_finished(row.get("bytes") or 0)
        metrics.queue_depth("open_pairs", self._progress.left)
        metrics.queue_depth("unwritten_rows", len(self._unwritten))
        self._reporter.settled(row)
        if len(self._unwritten) >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Write the collected rows to the table. Raises LeaseLostError before it writes anything."""
        if self._unwritten:
            self._lease.check()
            better = [row["pair_id"] for row in self._unwritten if row["pair_id"] in self._plan.lesser]
            with table(self._output):
                results.discard(self._output, better)
                results.flush(self._output, self._unwritten, self._plan.meta_schema)
            self._unwritten = []
            metrics.queue_depth("unwritten_rows", 0)


def known_frames(plan: Plan, identity: Identity, templates: TemplatesMade) -> tuple[int, int]:
    """Return the number of frames of all pairs still to be made whose templates are known, and the number of these
    pairs."""
    pairs, chosen = plan.pairs, plan.startable()
    videos = np.where(plan.sources.videos[pairs.source_index[chosen]], pairs.source_index[chosen], -1)
    columns = [videos, pairs.driving_index[chosen], pairs.option_index[chosen]]
    n_frames = n_pairs = 0
    for (video, driving, options), count in zip(*_counted(columns), strict=True):
        chosen_options = pairs.option_sets[options]
        clips = identity.driving_clips(plan.drivings[driving], chosen_options)
        own = None if video < 0 else identity.source_clip(plan.sources[video], chosen_options)
        if all(map(templates.knows, clips)) and (own is None or templates.knows(own)):
            own_length = None if own is None else _own_length(templates, own, plan.sources[video])
            lengths = [templates.length(clip) for clip in clips]
            length, _ = frames_of(own_length, lengths, chosen_options)
            n_frames += length.n_frames * count
            n_pairs += count
    return n_frames, n_pairs


def _square(templates: TemplatesMade, clips: Sequence[ClipRow]) -> bool | None:
    """Return whether the frames of all clips are square; None if a template does not say."""
    found = [templates.is_square(clip) for clip in clips]
    return None if None in found else all(found)


def _sum(seconds: Iterable[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) if known else None


def _misfit(work: PairWork) -> Failure | None:
    """Return the failure of a pair whose format cannot hold its frames, or whose video does not have the part that is
    to be animated, before any of them is made."""
    if is_part(work.options) and not (work.part and work.part[1]):
        start, end = work.options.source_start_s, work.options.source_end_s
        until = f"source_end_s={end:g}" if end else "its end"
        length = f"{float(work.n_frames / work.fps):.2f} s long" if work.part else "one picture"
        return Failure.of(
            "plan",
            UnsupportedError(f"no frame of the source between source_start_s={start:g} and {until}: it is {length}"),
        )
    if FORMATS.get(work.format).kind != STILL_KIND or work.n_frames == 1:
        return None
    error = UnsupportedError(
        f"format={work.format} holds one picture, the pair has {work.n_frames} frames: use format=mp4 or frames"
    )
    return Failure.of("plan", error)


def _own_length(templates: TemplatesMade, clip: ClipRow | None, source: SourceRef) -> Length | None:
    """Return a source video's own length; None for a picture, and for a clip of one frame not stated to be a video."""
    length = None if clip is None else templates.length(clip)
    return None if length is None or (length.n_frames == 1 and not source.stated) else length


def _counted(columns: Sequence[NDArray[np.int64]]) -> tuple[list[list[int]], list[int]]:
    rows, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return rows.tolist(), counts.tolist()


def filter_of(failure: Failure) -> str:
    """Return what left a pair out, for counts: the threshold, if the reason begins with one, else the stage."""
    setting, colon, _ = failure.error.partition(":")
    return setting if colon and setting.startswith("filter.") and " " not in setting else failure.stage
