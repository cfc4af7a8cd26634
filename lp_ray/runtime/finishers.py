"""Runs finalize tasks on Ray: starts a task when a key's pieces are complete, and limits how many run at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import ray

from lp_ray.runtime.worker import finish
from lp_ray.stages.contract import Task

MAX_WAITING = 32
"""Keys whose tasks wait for room, at most: what the driver holds of them is small, but must not grow with the job."""

MOST_AT_ONCE = 32

LEAST_AT_ONCE = 4


def at_once(cpus: float) -> int:
    """Return how many tasks that reserve no CPU run at a time on a cluster of so many.

    They mostly wait for storage and for ffmpeg. Ray gives each a process of its own, and a process takes a CPU for
    some seconds to start: unlimited, twenty short pairs that end together start twenty.
    """
    return min(MOST_AT_ONCE, max(LEAST_AT_ONCE, int(2 * cpus)))


class RayFinishers:
    """Runs one Ray task, with retries, per key. Implements `lp_ray.runtime.executor.Finishers`.

    `cpus` and `gpus` are what each task reserves. Tasks that copy streams and wait for storage reserve none, because
    the pools of actors reserve nearly all CPUs. For tasks that compute, the pools leave room (`lp_ray.runtime.pools`).
    `room` says how many may run at a time; it is asked again whenever that many run, because clusters grow.
    """

    def __init__(
        self, task: Task, cpus: float = 0.0, gpus: float = 0.0, room: Callable[[], int] = lambda: MOST_AT_ONCE
    ) -> None:
        self._task = task
        self._remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=3)(finish).options(name=task.run.__name__)
        self._room, self._limit = room, room()
        self._waiting: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._running: dict[Any, str] = {}

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start the task of a key, at once or when there is room. Yield (key, answer) of tasks that ended meanwhile."""
        self._waiting.append((key, arguments))
        self._fill()
        while len(self._waiting) > MAX_WAITING:
            yield from self.ended(timeout=1.0)

    def ended(self, timeout: float = 0.0) -> Iterator[tuple[str, Any]]:
        """Yield (key, answer) of the tasks that have ended, and start others in their place."""
        if not self._running:
            return
        if timeout:
            ray.wait(list(self._running), num_returns=1, timeout=timeout)
        ready, _ = ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        keys = [(self._running.pop(reference), reference) for reference in ready]
        self._fill()
        for key, reference in keys:
            yield key, ray.get(reference)

    def count(self) -> int:
        """Return how many tasks are to be collected: those that run, and those that wait for room."""
        return len(self._running) + len(self._waiting)

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Wait for all remaining tasks and yield their (key, answer)."""
        while self._running:
            yield from self.ended(timeout=1.0)

    def _fill(self) -> None:
        if self._waiting and len(self._running) >= self._limit:
            self._limit = self._room()
        while self._waiting and len(self._running) < self._limit:
            key, arguments = self._waiting.popleft()
            self._running[self._remote.remote(self._task, *arguments)] = key
