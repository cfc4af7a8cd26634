"""What is begun anew when a graph stands still: all that is not whole, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from ray.data.exceptions import ExecutionTimeoutError

from lp_ray.base.errors import StalledError
from lp_ray.contract.failure import Failure
from lp_ray.runtime.stall import Course, stream

N_PIECES = 3
FAILURE = Failure("animate", "EngineOutputError", "black")


@dataclass(frozen=True)
class Piece:
    key: str
    index: int
    failure: Failure | None = None


class Graph:
    """Yields the script's pieces run by run, and stands still at the end of every run but the last."""

    def __init__(self, *runs: list[Piece]) -> None:
        self.rest = list(runs)
        self.given: list[list[str]] = []

    def run(self, rows: Sequence[str]) -> Iterator[Piece]:
        self.given.append(list(rows))
        yield from self.rest.pop(0)
        if self.rest:
            raise ExecutionTimeoutError("no progress for 20s.\nIf this is expected, …")

    def course(self) -> Course[str, Piece]:
        return Course(self.run, lambda piece: piece.key, lambda row, piece: N_PIECES)


def test_rows_that_are_whole_or_failed_are_not_begun_again() -> None:
    """Whole by pieces of two runs, too; repeats count once."""
    first = [Piece("whole", i) for i in range(3)] + [Piece("half", 0), Piece("half", 0), Piece("bad", 1, FAILURE)]
    second = [Piece("half", 0), Piece("half", 1), Piece("half", 2)]
    graph, asked = Graph(first, second, [Piece("late", i) for i in range(3)]), []

    def regroup() -> bool:
        asked.append(len(graph.given))
        return True

    rows = {name: name for name in ("whole", "half", "bad", "late")}
    pieces = list(stream(rows, graph.course(), regroup))
    assert graph.given == [["whole", "half", "bad", "late"], ["half", "late"], ["late"]]
    assert len(pieces) == 12
    assert asked == [0, 1, 2], "at the beginning, and at every standstill"


def test_a_standstill_of_a_whole_cluster_is_an_error_that_names_the_remedy() -> None:
    graph = Graph([Piece("a", 0)], [])
    pieces = stream({"a": "a"}, graph.course(), lambda: False)
    assert next(pieces).index == 0
    with pytest.raises(StalledError, match=r"no progress for 20s\. .*cluster\.stall_s.*ray status"):
        next(pieces)
    assert len(graph.given) == 1
