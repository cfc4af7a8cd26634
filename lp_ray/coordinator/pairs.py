"""Making the pairs: spans out, segments back, one result row per pair."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.errors import LpRayError
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.failure import Failure
from lp_ray.contract.options import PairOptions
from lp_ray.contract.result_schema import FAILED
from lp_ray.coordinator.reporting import Progress, Reporter
from lp_ray.coordinator.templates import TemplatesMade
from lp_ray.motion.rates import output_length
from lp_ray.output import results
from lp_ray.output.lease import Lease
from lp_ray.output.occupy import table
from lp_ray.output.results import FRAMES, GIF, IMAGE, VIDEO, ResultRow
from lp_ray.plan.planning import Identity, Plan
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow, PairWork, SourceFacts
from lp_ray.runtime.assembly import Assembly, Outcome
from lp_ray.runtime.executor import Executor, Finishers
from lp_ray.stages.finalize import finalize_pair
from lp_ray.stages.rows import SpanRow, StagedSegment

FLUSH_ROWS = 5000
FAILED_KEPT = 100
"""Failed pairs whose staging is dropped together."""
_CLIPS_KEPT = 4096

CHUNKS_OF_ALL = 4
"""A chunk is so many times shorter where all faces of a picture move: a row holds a crop of each."""


@dataclass
class _Open:
    """A pair in flight: its row in the plan, and what its source turned out to be."""

    pair: int
    work: PairWork
    facts: SourceFacts | None = None


class PairsJob:
    """The pairs of one plan on their way to results. In memory are those in flight, however many the plan has."""

    def __init__(
        self,
        plan: Plan,
        settings: Settings,
        identity: Identity,
        engine: str,
        templates: TemplatesMade,
        reporter: Reporter,
        lease: Lease,
    ) -> None:
        self._plan = plan
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
        self._open: dict[str, _Open] = {}
        self._assembly = Assembly()
        self._failed: set[str] = set()
        self._options = [asdict(options) for options in plan.pairs.option_sets]
        self._clips_of = lru_cache(_CLIPS_KEPT)(self._make_clips)
        self.errors: dict[str, int] = {}

    @property
    def progress(self) -> Progress:
        return self._progress

    def run(self, executor: Executor) -> None:
        """Animate every pair that can be; leave one row for each."""
        try:
            metrics.pairs_planned(self._progress.total)
            self._progress.total_frames, _ = known_frames(self._plan, self._identity, self._templates)
            self._reporter.update(self._progress)
            spans = self._spans()
            first = next(spans, None)
            if first is not None:  # else no stage has to be made
                self._stream(itertools.chain([first], spans), executor)
            self._reporter.update(self._progress)
        finally:  # interrupted, too: what is settled is in the table
            self._flush()

    def _spans(self) -> Iterator[SpanRow]:
        """Yield the pairs' spans as they are asked for; settle, on the way, the pairs that cannot start."""
        for pair in map(int, self._plan.todo):
            driving, source = self._clips(pair)
            failure = self._plan.failure(pair) or self._templates.failure(driving, source)
            if failure is not None:
                self._fail(pair, failure)
                continue
            work = self._work(pair, driving, source)
            self._open[work.pair_id] = _Open(pair, work)
            self._assembly.expect(work.pair_id, work.n_chunks)
            step = work.chunk * self._settings.span_chunks
            for start in range(0, work.n_frames, step):
                yield SpanRow(work, start, min(start + step, work.n_frames))

    def _clips(self, pair: int) -> tuple[ClipRow, ClipRow | None]:
        pairs = self._plan.pairs
        film = int(pairs.source_index[pair])
        if not self._plan.sources.videos[film]:
            film = -1  # all pictures alike: they have no clip
        return self._clips_of(int(pairs.driving_index[pair]), film, int(pairs.option_index[pair]))

    def _make_clips(self, driving: int, film: int, options: int) -> tuple[ClipRow, ClipRow | None]:
        plan, chosen = self._plan, self._plan.pairs.option_sets[options]
        clip = None if film < 0 else self._identity.source_clip(plan.sources[film], chosen)
        return self._identity.driving_clip(plan.drivings[driving], chosen), clip

    def _work(self, pair: int, driving: ClipRow, source: ClipRow | None) -> PairWork:
        plan, settings = self._plan, self._settings
        options, ref = plan.options(pair), plan.source(pair)
        own = None if source is None else self._templates.length(source)
        length = output_length(own, self._templates.length(driving), options.driving_length)
        several = ref.face == ALL_FACES
        return PairWork(
            plan.pair_id(pair),
            ref,
            plan.driving(pair),
            driving.template_key,
            "" if source is None else source.template_key,
            self._options[int(plan.pairs.option_index[pair])],
            length.fps.numerator,
            length.fps.denominator,
            length.n_frames,
            max(1, settings.chunk_frames // CHUNKS_OF_ALL) if several else settings.chunk_frames,
            _kind(options, is_still=own is None and length.n_frames == 1),
        )

    def _stream(self, spans: Iterator[SpanRow], executor: Executor) -> None:
        finishers = executor.finishers(finalize_pair)
        for piece in executor.stream_pairs(spans):
            self._lease.heed()
            if piece.pair_id in self._open:  # else settled: Ray replays what a dead actor had yielded
                self._finish(self._take_in(piece, finishers))
            self._finish(finishers.ended())
            metrics.queue_depth("finalizing", finishers.count())
            self._reporter.update(self._progress)
        self._finish(finishers.rest())
        metrics.queue_depth("finalizing", 0)
        if self._open:
            lost = list(self._open)
            raise LpRayError(f"{len(lost)} pairs came back neither whole nor failed: {lost[:3]}; run the job again")

    def _take_in(self, piece: StagedSegment, finishers: Finishers) -> Iterator[tuple[str, ResultRow | Failure]]:
        """Take in a staged segment, start to finish what it makes whole; yield what had to end to make room."""
        pair_id, held = piece.pair_id, self._open[piece.pair_id]
        held.facts = piece.facts or held.facts
        seconds = {"source": piece.seconds_source, "animate": piece.seconds_animate, "write": piece.seconds_write}
        outcome = self._assembly.add(pair_id, piece.index, seconds, piece.failure)
        if outcome is not Outcome.KNOWN:
            self._progress.frames += piece.n_frames
            metrics.frames_staged(piece.n_frames)
        if outcome is Outcome.FAILED and piece.failure is not None:
            self._fail(held.pair, piece.failure, held.facts)
            del self._open[pair_id]
            self._drop_staged(pair_id)
        elif outcome is Outcome.WHOLE:
            row = self._row(held.pair, held.facts) | self._made_from(held.pair, self._assembly.settle(pair_id))
            yield from finishers.start(pair_id, self._settings, held.work, row)

    def _drop_staged(self, pair_id: str) -> None:
        """Remove what a failed pair has staged, many of them with one listing; what comes later goes with the run."""
        self._failed.add(pair_id)
        if len(self._failed) >= FAILED_KEPT:
            storage.delete_prefixes(self._output.own_staging, self._failed.__contains__)
            self._failed.clear()

    def _finish(self, ended: Iterable[tuple[str, ResultRow | Failure]]) -> None:
        for pair_id, answer in ended:
            held = self._open.pop(pair_id)
            if isinstance(answer, Failure):
                self._fail(held.pair, answer, held.facts)
                self._drop_staged(pair_id)
            else:
                self._progress.done += 1
                self._keep(answer)

    def _fail(self, pair: int, failure: Failure, facts: SourceFacts | None = None) -> None:
        row = self._row(pair, facts)
        row |= {"status": FAILED, "finished_at": datetime.now(UTC), "seconds": {}, **asdict(failure)}
        self._progress.failed += 1
        metrics.pair_failed(failure.stage, failure.error_class)
        self.errors[failure.error_class] = self.errors.get(failure.error_class, 0) + 1
        self._keep(row)

    def _row(self, pair: int, facts: SourceFacts | None) -> ResultRow:
        """What is known of a pair before its result is; a failed pair's row holds nothing more."""
        plan = self._plan
        return {
            "pair_id": plan.pair_id(pair),
            "source_id": plan.source_id(pair),
            "driving_id": plan.driving_id(pair),
            "source_width": facts and facts.width,
            "source_height": facts and facts.height,
            "engine": self._engine,
            "engine_digest": self._identity.engine_digest,
            "licences": self._identity.licences(plan.source(pair), plan.driving(pair), plan.options(pair)),
            "options": plan.option_texts[int(plan.pairs.option_index[pair])],
            "attempts": int(plan.attempts[pair]) + 1,
            "started_at": self._started,
            **plan.meta(pair),
        }

    def _made_from(self, pair: int, seconds: dict[str, float]) -> ResultRow:
        """What the row of a whole pair says of its templates, and of the time its stages took."""
        driving, source = self._clips(pair)
        templates = self._templates
        return {
            "template_uri": self._store.template(driving.template_key),
            "frames_without_face": templates.missing(driving),
            "source_frames_without_face": None if source is None else templates.missing(source),
            "seconds": {"template": templates.seconds.get(driving.template_key), **seconds},
        }

    def _keep(self, row: ResultRow) -> None:
        self._unwritten.append(row)
        metrics.pair_settled(row["status"])
        metrics.video_finished(row.get("bytes") or 0)
        metrics.queue_depth("open_pairs", self._progress.total - self._progress.done - self._progress.failed)
        metrics.queue_depth("unwritten_rows", len(self._unwritten))
        self._reporter.settled(row)
        if len(self._unwritten) >= FLUSH_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Take the rows so far into the table. Raises LeaseLostError, having written nothing."""
        if self._unwritten:
            self._lease.check()
            with table(self._output):
                results.flush(self._output, self._unwritten)
            self._unwritten = []
            metrics.queue_depth("unwritten_rows", 0)


def known_frames(plan: Plan, identity: Identity, templates: TemplatesMade) -> tuple[int, int]:
    """Count the frames of the pairs still to be made whose templates are known, and those pairs."""
    pairs, chosen = plan.pairs, plan.startable()
    films = np.where(plan.sources.videos[pairs.source_index[chosen]], pairs.source_index[chosen], -1)
    columns = [films, pairs.driving_index[chosen], pairs.option_index[chosen]]
    n_frames = n_pairs = 0
    for (film, driving, options), count in zip(*_counted(columns), strict=True):
        chosen_options = pairs.option_sets[options]
        clip = identity.driving_clip(plan.drivings[driving], chosen_options)
        own = None if film < 0 else identity.source_clip(plan.sources[film], chosen_options)
        if templates.knows(clip) and (own is None or templates.knows(own)):
            length = output_length(
                None if own is None else templates.length(own), templates.length(clip), chosen_options.driving_length
            )
            n_frames += length.n_frames * count
            n_pairs += count
    return n_frames, n_pairs


def _counted(columns: Sequence[NDArray[np.int64]]) -> tuple[list[list[int]], list[int]]:
    rows, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    return rows.tolist(), counts.tolist()


def _kind(options: PairOptions, is_still: bool) -> str:
    """Return what a pair is made into."""
    if options.format == "auto":
        return IMAGE if is_still else VIDEO
    return {"mp4": VIDEO, "gif": GIF, "frames": FRAMES}[options.format]
