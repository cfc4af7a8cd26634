"""Runs the stages in this process, one after the other, without Ray: for a few pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lp_ray.contract.rows import Row
from lp_ray.media.encode import Encoder, check_encoder
from lp_ray.runtime.executor import Finishers
from lp_ray.runtime.graph import Graph
from lp_ray.runtime.worker import Worker, finish
from lp_ray.stages.contract import Bench, Task

WAVE = 1000
"""Number of rows in one wave: the collector tracks the pieces of so many rows at a time."""


class InlineExecutor:
    """Implements `lp_ray.runtime.executor.Executor`. It builds the stages once, so their caches stay."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._workers: dict[str, list[Worker]] = {}

    def check_encoder(self, encoder: Encoder) -> None:
        check_encoder(encoder)

    def wave(self, graph: Graph) -> int:
        return WAVE

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        """Pull rows through the stages one at a time, so that memory holds the data of one row only."""
        return passed(self.workers(graph), rows)

    def workers(self, graph: Graph) -> list[Worker]:
        """Return the workers of a graph's stages, which are built once."""
        if graph.name not in self._workers:
            self._workers[graph.name] = [Worker(stage, self._bench) for stage in graph.stages]
        return self._workers[graph.name]

    def finishers(self, task: Task) -> Finishers:
        return _AtOnce(task)


class _AtOnce:
    """Runs a task as soon as it is started."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        yield key, finish(self._task, *arguments)

    def ended(self) -> Iterator[tuple[str, Any]]:
        return iter(())

    def count(self) -> int:
        return 0

    def rest(self) -> Iterator[tuple[str, Any]]:
        return iter(())


def passed(workers: Sequence[Worker], rows: Iterable[Row]) -> Iterator[Any]:
    """Yield what workers make of rows, one after the other, one row at a time."""
    pieces: Iterator[Row] = iter(rows)
    for worker in workers:
        pieces = _each(worker, pieces)
    return pieces


def _each(worker: Worker, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        yield from worker.rows(row)
        del row  # else this function would hold it while the next one is made
