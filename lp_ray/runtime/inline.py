"""The stages in this process, one after the other, without Ray: a single pair as a library call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from lp_ray.base.rows import Batch, Row
from lp_ray.engine.factory import CreateEngine, EngineIdentity, create_engine
from lp_ray.media.encode import Encoder, check_encoder
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow
from lp_ray.runtime.executor import Finishers
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.extract import ExtractMotion
from lp_ray.stages.rows import SpanRow, StagedMotion, StagedSegment
from lp_ray.stages.source import CropSources
from lp_ray.stages.track import TrackClips
from lp_ray.stages.write import WriteSegments

Stage = Callable[[Batch], Iterator[Batch]]


class InlineExecutor:
    """Implements `lp_ray.runtime.executor.Executor`; the stages are made once and keep their caches."""

    def __init__(self, settings: Settings, engine: EngineIdentity, create: CreateEngine = create_engine) -> None:
        self._settings = settings
        self._engine = engine
        self._create = create
        self._template_stages: list[Stage] = []
        self._pair_stages: list[Stage] = []

    def check_encoder(self, encoder: Encoder) -> None:
        check_encoder(encoder)

    def stream_templates(self, clips: Sequence[ClipRow]) -> Iterator[StagedMotion]:
        if not self._template_stages:
            self._template_stages = [
                TrackClips(self._settings, self._engine.needs_crops),
                ExtractMotion(self._settings, self._create),
            ]
        for batch in _through(self._template_stages, clips):
            yield from StagedMotion.from_batch(batch)

    def stream_pairs(self, spans: Iterable[SpanRow]) -> Iterator[StagedSegment]:
        if not self._pair_stages:
            self._pair_stages = [
                CropSources(self._settings, self._engine.source_size),
                AnimatePairs(self._settings, self._create),
                WriteSegments(self._settings),
            ]
        for batch in _through(self._pair_stages, spans):
            yield from StagedSegment.from_batch(batch)

    def finishers(self, task: Callable[..., Any]) -> Finishers:
        return _AtOnce(task)


class _AtOnce:
    """A task ends when it is started."""

    def __init__(self, task: Callable[..., Any]) -> None:
        self._task = task

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        yield key, self._task(*arguments)

    def ended(self) -> Iterator[tuple[str, Any]]:
        return iter(())

    def count(self) -> int:
        return 0

    def rest(self) -> Iterator[tuple[str, Any]]:
        return iter(())


def _through(stages: Sequence[Stage], rows: Iterable[Row]) -> Iterator[Batch]:
    """Pull rows through stages, one at a time: what memory holds is what one row holds."""
    batches: Iterator[Batch] = (row.to_batch() for row in rows)
    for stage in stages:
        batches = _each(stage, batches)
    return batches


def _each(stage: Stage, batches: Iterator[Batch]) -> Iterator[Batch]:
    for batch in batches:
        yield from stage(batch)
