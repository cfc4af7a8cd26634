"""Runs finalize tasks on Ray: starts a task when a key's pieces are complete, and limits how many run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ray

from lp_ray.runtime.worker import finish
from lp_ray.stages.contract import Task

MAX_IN_FLIGHT = 32


class RayFinishers:
    """Runs one Ray task, with retries, per key. Implements `lp_ray.runtime.executor.Finishers`.

    `cpus` is what each task reserves. Tasks that copy streams and wait for storage reserve none, because the pools of
    actors reserve nearly all CPUs. For tasks that compute, the pools leave room (`lp_ray.runtime.pools`).
    """

    def __init__(self, task: Task, cpus: float = 0.0) -> None:
        self._task = task
        self._remote = ray.remote(num_cpus=cpus, max_retries=3)(finish).options(name=task.run.__name__)
        self._running: dict[Any, str] = {}

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start the task of a key. Yield (key, answer) of tasks that had to end first to make room."""
        self._running[self._remote.remote(self._task, *arguments)] = key
        while len(self._running) > MAX_IN_FLIGHT:
            yield from self.ended(timeout=1.0)

    def ended(self, timeout: float = 0.0) -> Iterator[tuple[str, Any]]:
        """Yield (key, answer) of the tasks that have ended."""
        if not self._running:
            return
        if timeout:
            ray.wait(list(self._running), num_returns=1, timeout=timeout)
        ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        for reference in ready:
            yield self._running.pop(reference), ray.get(reference)

    def count(self) -> int:
        """Return how many tasks were started and not collected yet."""
        return len(self._running)

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Wait for all remaining tasks and yield their (key, answer)."""
        while self._running:
            yield from self.ended(timeout=1.0)
