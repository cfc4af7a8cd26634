"""What the coordinator needs of whatever runs the stages: a Ray cluster, or this process alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lp_ray.contract.rows import Row
from lp_ray.media.encode import Encoder
from lp_ray.runtime.graph import Graph
from lp_ray.stages.contract import Task


class NodesLostError(Exception):
    """A graph has come to a standstill since nodes are gone. It can begin anew on what is left."""


class Finishers(Protocol):
    """Runs a task for each key; an answer is what the task returned, or the `Failure` that it met."""

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Start the task; yield (key, answer) of those that had to end first to make room."""
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
    """Runs graphs and tasks."""

    def check_encoder(self, encoder: Encoder) -> None:
        """Raise RefusedError if the encoder does not work where pairs are written."""
        ...

    def wave(self, graph: Graph) -> int:
        """Return how many rows are to be run at a time, so that what waits is bounded however many there are."""
        ...

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        """Put rows through a graph and yield what comes out, in any order, some of it twice.

        Raises NodesLostError, after which the rows that are not whole may be run again, and StalledError.
        """
        ...

    def finishers(self, task: Task) -> Finishers:
        """Return what runs `task` once for each key."""
        ...
