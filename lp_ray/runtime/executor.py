"""The interface between the coordinator and an executor, which runs the stages on a Ray cluster or in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lp_ray.contract.rows import Row
from lp_ray.media.encode import Encoder
from lp_ray.runtime.graph import Graph
from lp_ray.stages.contract import Task


class NodesLostError(Exception):
    """A graph makes no progress because nodes are lost. It can be started again on the remaining nodes."""


class Finishers(Protocol):
    """Runs one task for each key. An answer is what the task returned, or the `Failure` that it met."""

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start the task of a key. Yield (key, answer) of tasks that had to end first to make room."""
        ...

    def ended(self) -> Iterator[tuple[str, Any]]:
        """Yield (key, answer) of the tasks that have ended."""
        ...

    def count(self) -> int:
        """Return how many tasks were started and not collected yet."""
        ...

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Wait for all remaining tasks and yield their (key, answer)."""
        ...


class Executor(Protocol):
    """Runs graphs and tasks."""

    def check_encoder(self, encoder: Encoder) -> None:
        """Raise RefusedError if the encoder does not work where pairs are written."""
        ...

    def wave(self, graph: Graph) -> int:
        """Return how many rows to run at a time, so that memory stays bounded for any number of rows."""
        ...

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        """Run rows through a graph and yield what comes out, in any order, some of it twice.

        Raises NodesLostError, after which the caller may run incomplete rows again, and StalledError.
        """
        ...

    def finishers(self, task: Task) -> Finishers:
        """Return an object that runs `task` once for each key."""
        ...
