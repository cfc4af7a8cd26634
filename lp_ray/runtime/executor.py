"""What the coordinator needs of whatever runs the stages: a Ray cluster, or this process alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from lp_ray.media.encode import Encoder
from lp_ray.plan.work import ClipRow
from lp_ray.stages.rows import SpanRow, StagedMotion, StagedSegment


class Finishers(Protocol):
    """Runs finalize tasks, each under its key; a task that fails for good raises what it raised."""

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start a task; yield (key, answer) of those that had to end first to make room."""
        ...

    def ended(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, answer) of the tasks that have ended."""
        ...

    def count(self) -> int:
        """Return how many tasks have been started and not been collected."""
        ...

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Yield until no task is left."""
        ...


class Executor(Protocol):
    """Runs the two graphs of `lp_ray.runtime.ray_executor`."""

    def check_encoder(self, encoder: Encoder) -> None:
        """Raise RefusedError if the encoder does not work where pairs are written."""
        ...

    def stream_templates(self, clips: Sequence[ClipRow]) -> Iterator[StagedMotion]:
        """Track and extract every clip; yield one tiny row per staged chunk of motion, in any order."""
        ...

    def stream_pairs(self, spans: Iterable[SpanRow]) -> Iterator[StagedSegment]:
        """Animate and encode every span, ordered by source; yield one tiny row per staged segment, in any order.

        Spans are taken from the iterable as there is room for them.
        """
        ...

    def finishers(self, task: Callable[..., Any]) -> Finishers:
        """Return what runs `task` once for each key."""
        ...
