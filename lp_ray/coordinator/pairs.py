"""Making the pairs: spans out, segments back, one result row per pair."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from lp_ray import metrics, results, storage
from lp_ray.coordinator.assembly import Assembly, Outcome
from lp_ray.coordinator.executor import Executor
from lp_ray.coordinator.reporting import Progress, Reporter
from lp_ray.coordinator.templates import TemplatesMade
from lp_ray.errors import LpRayError
from lp_ray.lease import Lease
from lp_ray.manifest import FAILED
from lp_ray.motion.rates import output_length
from lp_ray.options import ALL_FACES, PairOptions
from lp_ray.plan import Identity, Plan
from lp_ray.results import FRAMES, GIF, IMAGE, VIDEO, ResultRow
from lp_ray.settings import Settings
from lp_ray.stages.finalize import finalize_pair
from lp_ray.stages.rows import ClipRow, Failure, PairWork, SourceFacts, SpanRow

FLUSH_ROWS = 5000

CHUNKS_OF_ALL = 4
"""A chunk is so many times shorter where all faces of a picture move: a row holds a crop of each."""


class PairsJob:
    """The pairs of one plan on their way to results."""

    def __init__(
        self, plan: Plan, settings: Settings, identity: Identity, engine: str, reporter: Reporter, lease: Lease
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._identity = identity
        self._engine = engine
        self._reporter = reporter
        self._lease = lease
        self._output = settings.output_layout
        self._store = settings.template_layout
        self._started = datetime.now(UTC)
        self._progress = Progress("pairs", len(plan.todo))
        self._unwritten: list[ResultRow] = []
        self._source_facts: dict[str, SourceFacts] = {}
        self.errors: dict[str, int] = {}

    @property
    def progress(self) -> Progress:
        return self._progress

    def run(self, templates: TemplatesMade, executor: Executor) -> None:
        """Animate every pair that can be; leave one row for each."""
        try:
            metrics.pairs_planned(self._progress.total)
            work = self._hand_out(templates)
            self._progress.total_frames = sum(item.n_frames for item, _ in work.values())
            self._reporter.update(self._progress)
            if work:
                self._stream(work, templates, executor)
        finally:  # interrupted, too: what is settled is in the table
            self._flush()

    def _hand_out(self, templates: TemplatesMade) -> dict[str, tuple[PairWork, int]]:
        """Settle the pairs that cannot start; return the work of the others by pair_id, with their row."""
        plan = self._plan
        work = {}
        for pair in plan.todo.tolist():
            driving, source = self._clips(pair)
            failure = plan.failures.get(pair) or templates.failure(driving, source)
            if failure is not None:
                self._fail(pair, failure)
            else:
                work[plan.pair_ids[pair]] = self._work(pair, driving, source, templates), pair
        return work

    def _clips(self, pair: int) -> tuple[ClipRow, ClipRow | None]:
        plan, identity = self._plan, self._identity
        options = plan.options(pair)
        return identity.driving_clip(plan.driving(pair), options), identity.source_clip(plan.source(pair), options)

    def _work(self, pair: int, driving: ClipRow, source: ClipRow | None, templates: TemplatesMade) -> PairWork:
        plan, settings = self._plan, self._settings
        options, ref = plan.options(pair), plan.source(pair)
        own = None if source is None else templates.length(source)
        length = output_length(own, templates.length(driving), options.driving_length)
        several = ref.face == ALL_FACES
        return PairWork(
            plan.pair_ids[pair],
            ref,
            plan.driving(pair),
            driving.template_key,
            "" if source is None else source.template_key,
            asdict(options),
            length.fps.numerator,
            length.fps.denominator,
            length.n_frames,
            max(1, settings.chunk_frames // CHUNKS_OF_ALL) if several else settings.chunk_frames,
            _kind(options, is_still=own is None and length.n_frames == 1),
        )

    def _stream(self, work: dict[str, tuple[PairWork, int]], templates: TemplatesMade, executor: Executor) -> None:
        assembly, finishers = Assembly(), executor.finishers(finalize_pair)
        for pair_id, (item, _) in work.items():
            assembly.expect(pair_id, item.n_chunks)
        spans = [span for item, _ in work.values() for span in self._spans(item)]
        for piece in executor.stream_pairs(spans):
            self._lease.heed()
            item, pair = work[piece.pair_id]
            if piece.facts is not None:
                self._source_facts[piece.pair_id] = piece.facts
            seconds = {
                "source": piece.seconds_source,
                "animate": piece.seconds_animate,
                "write": piece.seconds_write,
            }
            outcome = assembly.add(piece.pair_id, piece.index, seconds, piece.failure)
            if outcome is Outcome.FAILED and piece.failure is not None:
                self._fail(pair, piece.failure)
                storage.delete_prefix(self._output.staged(piece.pair_id))
            elif outcome is Outcome.WHOLE:
                row = self._row(pair, templates, assembly.settle(piece.pair_id))
                self._finish(work, finishers.start(piece.pair_id, self._settings, item, row))
            if outcome is not Outcome.KNOWN:
                self._progress.frames += piece.n_frames
                metrics.frames_staged(piece.n_frames)
            self._finish(work, finishers.ended())
            metrics.queue_depth("finalizing", finishers.count())
            self._reporter.update(self._progress)
        self._finish(work, finishers.rest())
        metrics.queue_depth("finalizing", 0)
        self._reporter.update(self._progress)
        if lost := assembly.unsettled(work):
            raise LpRayError(f"{len(lost)} pairs came back neither whole nor failed: {lost[:3]}; run the job again")

    def _spans(self, work: PairWork) -> Iterable[SpanRow]:
        step = work.chunk * self._settings.span_chunks
        for start in range(0, work.n_frames, step):
            yield SpanRow(work, start, min(start + step, work.n_frames))

    def _finish(self, work: dict[str, tuple[PairWork, int]], ended: Iterable[tuple[str, ResultRow | Failure]]) -> None:
        for pair_id, answer in ended:
            if isinstance(answer, Failure):
                self._fail(work[pair_id][1], answer)
                storage.delete_prefix(self._output.staged(pair_id))
            else:
                self._progress.done += 1
                self._keep(answer)

    def _fail(self, pair: int, failure: Failure) -> None:
        row = self._row(pair, None, {})
        row |= {"status": FAILED, "finished_at": datetime.now(UTC), **asdict(failure)}
        self._progress.failed += 1
        metrics.pair_failed(failure.stage, failure.error_class)
        self.errors[failure.error_class] = self.errors.get(failure.error_class, 0) + 1
        self._keep(row)

    def _row(self, pair: int, templates: TemplatesMade | None, seconds: dict[str, float]) -> ResultRow:
        """What is known of a pair before its result is; a failed pair's row holds nothing more."""
        plan = self._plan
        pair_id = plan.pair_ids[pair]
        facts = self._source_facts.pop(pair_id, None)
        row: ResultRow = {
            "pair_id": pair_id,
            "source_id": plan.source_id(pair),
            "driving_id": plan.driving_id(pair),
            "source_width": facts and facts.width,
            "source_height": facts and facts.height,
            "engine": self._engine,
            "engine_digest": self._identity.engine_digest,
            "options": plan.option_texts[int(plan.pairs.option_index[pair])],
            "attempts": plan.attempts.get(pair_id, 0) + 1,
            "started_at": self._started,
            "seconds": seconds,
            **plan.meta(pair),
        }
        if templates is not None:
            driving, source = self._clips(pair)
            row["template_uri"] = self._store.template(driving.template_key)
            row["frames_without_face"] = templates.missing(driving)
            row["source_frames_without_face"] = None if source is None else templates.missing(source)
            row["seconds"] = {"template": templates.seconds.get(driving.template_key), **seconds}
        return row

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
            results.flush(self._output, self._unwritten)
            self._unwritten = []
            metrics.queue_depth("unwritten_rows", 0)


def _kind(options: PairOptions, is_still: bool) -> str:
    """Return what a pair is made into."""
    if options.format == "auto":
        return IMAGE if is_still else VIDEO
    return {"mp4": VIDEO, "gif": GIF, "frames": FRAMES}[options.format]
