"""Rows in, pieces back, one end for each key: the state machine that pairs and templates share.

A key's rows are put through a graph; its pieces come back in any order, some of them twice, some after the key has
ended. When all have come, a task makes one thing of them. Every key ends once, however the executor behaves.

    OPEN  --all pieces-->  FINISHING  --the task answers-->  DONE
      |                        |
      +--a piece fails---------+--the task fails-->          FAILED (or FILTERED)

Where nodes of the cluster are lost, the rows that are not whole are put through the graph again. What has ended is
forgotten, so that memory goes with the keys in flight, not with all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from lp_ray.base.errors import LpRayError, StoppedError, UnexpectedErrorsError, error_of
from lp_ray.contract.failure import STOPPED, Failure
from lp_ray.contract.rows import Trace
from lp_ray.runtime.executor import Executor, Finishers, NodesLostError
from lp_ray.runtime.graph import Graph


class State(Enum):
    """Where a key is that has not ended."""

    OPEN = "pieces are lacking"
    FINISHING = "all pieces are there, and its task is at work"


class InputRow(Protocol):
    """What goes through a graph: `pieces` are the indices that it becomes, None where its pieces say how many."""

    @property
    def key(self) -> str: ...

    @property
    def pieces(self) -> range | None: ...


class Piece(Protocol):
    """What a graph gives."""

    @property
    def key(self) -> str: ...

    @property
    def index(self) -> int: ...

    @property
    def trace(self) -> Trace: ...


In = TypeVar("In", bound=InputRow)
Out = TypeVar("Out", bound=Piece, contravariant=True)


class Handler(Protocol[Out]):
    """What pieces and ends mean: one for pairs, one for templates."""

    def expected(self, piece: Out) -> int:
        """Return how many pieces the key of this one has."""
        ...

    def taken(self, piece: Out) -> None:
        """A piece has come for the first time."""
        ...

    def task_arguments(self, piece: Out, seconds: dict[str, float]) -> tuple[Any, ...]:
        """All pieces are there, this one was the last: return what the task is given. `seconds` by stage."""
        ...

    def done(self, key: str, answer: Any) -> None:
        """The task has answered."""
        ...

    def ended(self, key: str, failure: Failure) -> None:
        """A piece or the task has failed, or was filtered."""
        ...


@dataclass
class _Open(Generic[In]):
    rows: list[In] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    state: State = State.OPEN

    def lacking(self) -> list[In]:
        """Return the rows of which pieces are lacking."""
        return [row for row in self.rows if row.pieces is None or not self.seen.issuperset(row.pieces)]


class Unexpected:
    """Counts errors that no input is to blame for. Shared by the phases of a job."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    def note(self, failure: Failure) -> None:
        """Take note of a failure. Raises UnexpectedErrorsError when there are too many."""
        if not failure.is_unexpected:
            return
        self.count += 1
        if self.count > self._most:
            raise UnexpectedErrorsError(
                f"{self.count} pieces of work met an error that no input is to blame for "
                f"(max_unexpected={self._most}); the last one: {failure.stage}: {failure.error_class}: "
                f"{failure.error}\n{failure.traceback}"
            )


class Collector(Generic[In, Out]):
    """Runs one graph, and one task for each key. `heed` is called for every piece and may raise."""

    def __init__(
        self,
        graph: Graph,
        finishers: Finishers,
        handler: Handler[Out],
        unexpected: Unexpected,
        heed: Callable[[], None],
    ) -> None:
        self._graph = graph
        self._finishers = finishers
        self._handler = handler
        self._unexpected = unexpected
        self._heed = heed
        self._open: dict[str, _Open[In]] = {}

    def state(self, key: str) -> State | None:
        """Return where a key is; None when it has ended, or has not begun."""
        held = self._open.get(key)
        return None if held is None else held.state

    def __len__(self) -> int:
        return len(self._open)

    def run(self, executor: Executor, rows: Iterable[In], progress: Callable[[], None]) -> None:
        """Bring every row to an end; rows are taken from the iterable as there is room for them.

        Raises StoppedError for what nothing else would fare better than, and LpRayError for keys that are lost.
        """
        rest = iter(rows)
        size = executor.wave(self._graph)
        while wave := self.expect(islice(rest, size)):
            while wave:
                wave = self._pass(executor, wave, progress)
        for key, answer in self._finishers.rest():
            self.finish(key, answer)
            progress()

    def _pass(self, executor: Executor, wave: list[In], progress: Callable[[], None]) -> list[In]:
        """Put rows through the graph once; return those to put through again."""
        try:
            for piece in executor.run(self._graph, wave):  # type: ignore[arg-type]
                self._heed()
                self.take(piece)
                for key, answer in self._finishers.ended():
                    self.finish(key, answer)
                progress()
        except NodesLostError:
            return self.lacking()
        if lost := self.lacking():
            keys = sorted({row.key for row in lost})
            raise LpRayError(f"{len(keys)} {self._graph.name} came back neither whole nor failed: {keys[:3]}")
        return []

    def expect(self, rows: Iterator[In]) -> list[In]:
        """Take note of rows that are about to be put through the graph, and return them; none of a key that ended."""
        wave = list(rows)
        for row in wave:
            self._open.setdefault(row.key, _Open()).rows.append(row)
        return wave

    def lacking(self) -> list[In]:
        """Return the rows whose pieces have not all come, of keys that are open."""
        return [row for held in self._open.values() if held.state is State.OPEN for row in held.lacking()]

    def take(self, piece: Out) -> None:
        """Take in a piece; a repeat, and a piece of a key that is no longer open, change nothing."""
        held = self._open.get(piece.key)
        failure = piece.trace.failure
        if failure is not None and failure.status == STOPPED:
            raise stopped(failure)
        if held is None or held.state is not State.OPEN:
            return
        if failure is not None:
            self._end(piece.key, failure)
            return
        if piece.index in held.seen:
            return
        held.seen.add(piece.index)
        for stage, spent in piece.trace.seconds.items():
            held.seconds[stage] = held.seconds.get(stage, 0.0) + spent
        self._handler.taken(piece)
        if len(held.seen) == self._handler.expected(piece):
            held.state = State.FINISHING
            arguments = self._handler.task_arguments(piece, held.seconds)
            for key, answer in self._finishers.start(piece.key, *arguments):
                self.finish(key, answer)

    def finish(self, key: str, answer: Any) -> None:
        """Take in what a task answered."""
        if isinstance(answer, Failure):
            if answer.status == STOPPED:
                raise stopped(answer)
            self._end(key, answer)
            return
        del self._open[key]
        self._handler.done(key, answer)

    def _end(self, key: str, failure: Failure) -> None:
        del self._open[key]
        self._handler.ended(key, failure)
        self._unexpected.note(failure)


def stopped(failure: Failure) -> StoppedError:
    """Return what a failure that ends the job raises, in this process, as it was raised in another."""
    error = error_of(failure.error_class, failure.error)
    return error if isinstance(error, StoppedError) else StoppedError(str(error))
