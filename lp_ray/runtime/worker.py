"""Runs one stage: calls it for each row, measures its time, counts metrics, and turns an error into a failure of the
row."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from lp_ray.base import metrics
from lp_ray.base.errors import LpRayError, error_of
from lp_ray.contract.failure import Failure
from lp_ray.contract.rows import Row, Trace
from lp_ray.engine.factory import EngineSpec
from lp_ray.engine.protocol import Engine
from lp_ray.runtime.metered import MeteredEngine
from lp_ray.stages.contract import Bench, Stage, Task

logger = logging.getLogger(__name__)


class Worker:
    """A stage that answers every row with rows. An error becomes a row with a `Failure`, which later stages pass on.

    If the stage cannot be built (a missing weight, a GPU that does not work), this failure is the answer to every row.
    """

    def __init__(self, kind: type[Stage[Any, Any]], bench: Bench) -> None:
        self._kind = kind
        self._broken: Failure | None = None
        try:
            self._stage = kind(replace(bench, create=_Metered(bench, kind.name)))
        except LpRayError as error:
            self._broken = Failure.of(kind.name, error)

    @property
    def stage(self) -> Stage[Any, Any]:
        """The stage itself. Raises what kept it from being built."""
        if self._broken is not None:
            raise error_of(self._broken.error_class, self._broken.error)
        return self._stage

    def rows(self, row: Row) -> Iterator[Row]:
        """Yield the rows that the stage makes of a row, or one row with the failure."""
        kind, seconds = self._kind, row.trace.seconds
        failure = row.trace.failure or self._broken
        if failure is not None:
            yield kind.gives.without_content(row, Trace(seconds, failure))
            return
        started = time.perf_counter()
        n_made = 0
        try:
            for made in self._stage.work(row):
                spent = self._note(started)
                n_made += 1
                yield replace(_checked(made, kind), trace=Trace(seconds | {kind.name: spent}))
                del made  # else this frame would hold it while the next one is made
                seconds, started = {}, time.perf_counter()
            if not n_made:
                raise RuntimeError(f"stage {kind.name} gave no row for {row}")
        except Exception as error:
            failure = failure_of(kind.name, error)
            spent = self._note(started)
            yield kind.gives.without_content(row, Trace(seconds | {kind.name: spent}, failure))

    def _note(self, started: float) -> float:
        spent = time.perf_counter() - started
        metrics.stage_worked(self._kind.name, spent)
        return spent


class _Metered:
    """Creates a stage's engine and counts its busy time. Picklable, as a `CreateEngine` must be."""

    def __init__(self, bench: Bench, stage: str) -> None:
        self._create, self._stage = bench.create, stage

    def __call__(self, spec: EngineSpec) -> Engine:
        return MeteredEngine(self._create(spec), self._stage, spec.device)


def failure_of(name: str, error: Exception) -> Failure:
    """Return the failure for an error. Log an unexpected error with its traceback."""
    failure = Failure.of(name, error)
    if failure.is_unexpected:
        logger.error("an unexpected error in %s\n%s", name, failure.traceback)
    return failure


def finish(task: Task, *arguments: Any) -> Any:
    """Run a task and return its answer, or the `Failure` that it met."""
    started = time.perf_counter()

    def elapsed() -> float:
        return time.perf_counter() - started

    timed: tuple[Callable[[], float], ...] = (elapsed,) if task.timed else ()
    try:
        answer = task.run(*arguments, *timed)
    except Exception as error:
        return failure_of(task.name, error)
    if task.timed:
        metrics.stage_worked(task.name, elapsed())
    return answer


def _checked(row: Any, kind: type[Stage[Any, Any]]) -> Any:
    if not isinstance(row, kind.gives):
        raise TypeError(f"stage {kind.name} gives {kind.gives.__name__}, it gave {type(row).__name__}")
    return row
