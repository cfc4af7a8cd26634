"""Finalize tasks in flight: started as pieces become whole, collected as they end, never too many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RayTaskError

from lp_ray.base.errors import RefusedError

MAX_IN_FLIGHT = 32


def _answer(reference: Any) -> Any:
    """Return what a task returned; what stops the whole job is raised as the task raised it, without a traceback."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, RefusedError):
            raise error.cause from None
        raise


class RayFinishers:
    """Runs one retryable Ray task per key; implements `lp_ray.runtime.executor.Finishers`.

    The tasks reserve no CPU: they copy streams and wait for storage, and the pools hold all CPUs already.
    """

    def __init__(self, task: Callable[..., Any]) -> None:
        self._task = ray.remote(num_cpus=0, max_retries=3)(task)
        self._running: dict[Any, str] = {}

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start a task; yield (key, answer) of those that had to end first to make room."""
        self._running[self._task.remote(*arguments)] = key
        while len(self._running) > MAX_IN_FLIGHT:
            yield from self.ended(timeout=1.0)

    def ended(self, timeout: float = 0.0) -> Iterator[tuple[str, Any]]:
        """Yield (key, answer) of the tasks that have ended. Raises what a task raised."""
        if not self._running:
            return
        if timeout:
            ray.wait(list(self._running), num_returns=1, timeout=timeout)
        ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        for reference in ready:
            yield self._running.pop(reference), _answer(reference)

    def count(self) -> int:
        """Return how many tasks have been started and not been collected."""
        return len(self._running)

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Yield until no task is left."""
        while self._running:
            yield from self.ended(timeout=1.0)
