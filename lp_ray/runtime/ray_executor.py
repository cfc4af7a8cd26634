"""The graph, top to bottom: two Ray Data pipelines, templates first, then pairs.

    clips -> track (CPU) -> extract (engine) -> staged motion          -> finalize_template
    spans -> source (CPU) -> animate (engine) -> write (CPU) -> staged segments -> finalize_pair

Only tiny rows reach the driver; pictures travel between actors through the object store, a chunk a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset
from ray.exceptions import RayTaskError

from lp_ray.base.errors import RefusedError
from lp_ray.base.rows import Batch, Row
from lp_ray.engine.factory import CreateEngine, EngineIdentity, create_engine
from lp_ray.engine.protocol import Span
from lp_ray.media.encode import Encoder, check_encoder
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow
from lp_ray.runtime.executor import Finishers
from lp_ray.runtime.finishers import RayFinishers
from lp_ray.runtime.pools import Pool, Pools
from lp_ray.runtime.sheltered import ShelteredCropSources, ShelteredTrackClips
from lp_ray.runtime.stall import Course, living_nodes, stream
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.extract import ExtractMotion
from lp_ray.stages.rows import SpanRow, StagedMotion, StagedSegment
from lp_ray.stages.write import WriteSegments

BLOCK_BYTES = 16 << 20
"""Below the size of a chunk, so that every chunk leaves its actor as soon as it is made."""

MAX_BLOCK_ROWS = 64

SPANS_PER_ACTOR = 10_000
"""Spans that one run of the graph holds for each engine actor: about 15 MB of input blocks, and hours of work between
two starts of the actors."""

STALL_S = 3600.0
"""Seconds without any progress after which a graph is given up, or, where nodes are gone, begun anew."""

R = TypeVar("R", bound=Row)


class RayExecutor:
    """Implements `lp_ray.runtime.executor.Executor` on the running Ray cluster."""

    def __init__(
        self,
        settings: Settings,
        engine: EngineIdentity,
        pools: Pools,
        resize: Callable[[], Pools] | None = None,
        stall_s: float = STALL_S,
        create: CreateEngine = create_engine,
    ) -> None:
        """`resize` gives the pools for what is left of the cluster when nodes are gone; see `lp_ray.runtime.stall`.

        `create`, picklable, makes the engine of each engine actor.
        """
        self._settings = settings
        self._engine = engine
        self._pools = pools
        self._create = create
        self._nodes = living_nodes()
        self._resize = resize or (lambda: pools)
        configure_ray_data(stall_s)

    def _regroup(self) -> bool:
        nodes, before = living_nodes(), self._nodes
        if gone := not before <= nodes:
            self._pools, self._nodes = self._resize(), nodes
        return gone

    def check_encoder(self, encoder: Encoder) -> None:
        write = self._pools["write"]
        check = ray.remote(num_cpus=write.cpus, num_gpus=write.gpus)(check_encoder)
        try:
            ray.get(check.remote(encoder))
        except RayTaskError as error:
            if isinstance(error.cause, RefusedError):
                raise error.cause from None
            raise

    def stream_templates(self, clips: Sequence[ClipRow]) -> Iterator[StagedMotion]:
        course = Course(self._run_clips, _clip_of, _chunks_of_clip)
        return stream({clip.template_key: clip for clip in clips}, course, self._regroup)

    def _run_clips(self, clips: Sequence[ClipRow]) -> Iterator[StagedMotion]:
        settings, pools = self._settings, self._pools
        graph = _dataset([[clip] for clip in clips])
        graph = _stage(graph, ShelteredTrackClips, (settings, self._engine.needs_crops), pools["track"])
        graph = _stage(graph, ExtractMotion, (settings, self._create), pools["extract"])
        return _rows(graph, StagedMotion)

    def stream_pairs(self, spans: Iterable[SpanRow]) -> Iterator[StagedSegment]:
        """In waves, so that what waits for the actors is bounded however many pairs there are."""
        rest, wave = iter(spans), SPANS_PER_ACTOR * self._pools["animate"].ceiling
        while chosen := list(islice(rest, wave)):
            course = Course(self._run_spans, self._span_of, _chunks_of_span)
            yield from stream({self._span_key(span): span for span in chosen}, course, self._regroup)

    def _run_spans(self, spans: Sequence[SpanRow]) -> Iterator[StagedSegment]:
        settings, pools = self._settings, self._pools
        graph = _dataset(block_by_source(spans, pools["animate"].ceiling))
        graph = _stage(graph, ShelteredCropSources, (settings, self._engine.source_size), pools["source"])
        graph = _stage(graph, AnimatePairs, (settings, self._create, True), pools["animate"], whole_blocks=True)
        graph = _stage(graph, WriteSegments, (settings,), pools["write"])
        return _rows(graph, StagedSegment)

    def _span_key(self, span: SpanRow) -> str:
        return f"{span.work.pair_id} {span.start // span.work.chunk // self._settings.span_chunks}"

    def _span_of(self, segment: StagedSegment) -> str:
        return f"{segment.pair_id} {segment.index // self._settings.span_chunks}"

    def finishers(self, task: Callable[..., Any]) -> Finishers:
        return RayFinishers(task)


def block_by_source(spans: Sequence[SpanRow], n_actors: int) -> list[list[SpanRow]]:
    """Cut spans, ordered by source, into blocks: one source's spans stay together where they can.

    Blocks are small enough to keep `n_actors` busy, and never over MAX_BLOCK_ROWS.
    """
    limit = min(MAX_BLOCK_ROWS, max(1, len(spans) // (4 * n_actors)))
    blocks: list[list[SpanRow]] = []
    for span in spans:
        same = blocks and blocks[-1][-1].work.source.key == span.work.source.key
        if not blocks or len(blocks[-1]) >= MAX_BLOCK_ROWS or (not same and len(blocks[-1]) >= limit):
            blocks.append([])
        blocks[-1].append(span)
    return blocks


def _clip_of(motion: StagedMotion) -> str:
    return motion.template_key


def _chunks_of_clip(clip: ClipRow, motion: StagedMotion) -> int:
    return 1 if motion.facts is None else motion.facts.n_chunks


def _chunks_of_span(span: SpanRow, segment: StagedSegment) -> int:
    return len(list(Span(span.start, span.stop, span.work.chunk).chunks()))


def configure_ray_data(stall_s: float = STALL_S) -> None:
    """Set what the graph relies on: see docs/architecture.md, "Measured on Ray"."""
    context = DataContext.get_current()
    context.execution_no_progress_timeout_s = stall_s
    context.target_max_block_size = BLOCK_BYTES
    context.enable_progress_bars = False
    context.execution_options.preserve_order = False
    context.max_errored_blocks = 0


def _dataset(blocks: Sequence[Sequence[Row]]) -> Dataset:
    return ray.data.from_arrow([_table(block) for block in blocks])


def _table(rows: Sequence[Row]) -> pa.Table:
    """Input rows hold scalars only, so that a block is an ordinary table."""
    batches = [row.to_batch() for row in rows]
    return pa.table({name: np.concatenate([batch[name] for batch in batches]).tolist() for name in batches[0]})


def _stage(
    graph: Dataset, stage: Callable[..., Any], arguments: tuple[Any, ...], pool: Pool, whole_blocks: bool = False
) -> Dataset:
    """Add a stage that is called with one row after the other, or, to look ahead, with all rows of a block."""
    # Not map_batches: it wants a batch size wherever GPUs are asked for, to which it then gathers blocks.
    return graph.map_batches_internal(
        stage,
        fn_constructor_args=arguments,
        batch_size=None if whole_blocks else 1,
        batch_format="numpy",
        zero_copy_batch=True,
        compute=strategy(pool),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus or None,
    )


def strategy(pool: Pool) -> ActorPoolStrategy:
    """Return a pool as Ray Data takes it."""
    return ActorPoolStrategy(min_size=pool.least or pool.actors, max_size=pool.ceiling, initial_size=pool.actors)


def _rows(graph: Dataset, kind: type[R]) -> Iterator[R]:
    batch: Batch
    for batch in graph.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
        yield from kind.from_batch(batch)
