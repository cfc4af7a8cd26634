"""The state machine that pairs and templates share: it sends rows through a graph and ends every key exactly once.

The executor runs a key's rows through a graph. The key's pieces come back in any order; some come twice, some after the
key has ended. When all pieces are there, a task joins them. Every key ends once, however the executor behaves.

    OPEN  --all pieces-->  FINISHING  --the task answers-->  DONE
      |                        |
      +--a piece fails---------+--the task fails-->          FAILED (or FILTERED)

If nodes of the cluster are lost, the rows whose pieces are missing run through the graph again. The collector forgets
keys that have ended, so memory grows with the keys in flight, not with all keys.
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
    """The states of a key that has not ended."""

    OPEN = "pieces are lacking"
    FINISHING = "all pieces are there, and its task is at work"


class InputRow(Protocol):
    """A row that enters a graph. `pieces` are the indices of its pieces; None if the pieces themselves say how many
    there are."""

    @property
    def key(self) -> str: ...

    @property
    def pieces(self) -> range | None: ...


class Piece(Protocol):
    """A row that leaves a graph."""

    @property
    def key(self) -> str: ...

    @property
    def index(self) -> int: ...

    @property
    def trace(self) -> Trace: ...


In = TypeVar("In", bound=InputRow)
Out = TypeVar("Out", bound=Piece, contravariant=True)


class Handler(Protocol[Out]):
    """What to do with pieces and with ended keys; pairs and templates each have their own handler."""

    def expected(self, piece: Out) -> int:
        """Return how many pieces the key of `piece` has."""
        ...

    def taken(self, piece: Out) -> None:
        """Handle a piece that came for the first time."""
        ...

    def task_arguments(self, piece: Out, seconds: dict[str, float]) -> tuple[Any, ...]:
        """Return the task's arguments. Called when the last piece of a key came; `seconds` are those of the key, by
        stage."""
        ...

    def done(self, key: str, answer: Any) -> None:
        """Handle the answer of a key's task."""
        ...

    def ended(self, key: str, failure: Failure) -> None:
        """Handle a key of which a piece or the task failed or was filtered."""
        ...


@dataclass
class _Open(Generic[In]):
    rows: list[In] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    state: State = State.OPEN

    def lacking(self) -> list[In]:
        """Return the rows of which pieces are missing."""
        return [row for row in self.rows if row.pieces is None or not self.seen.issuperset(row.pieces)]


class Unexpected:
    """Counts errors that no input caused. The phases of a job share one counter."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0

    def note(self, failure: Failure) -> None:
        """Count a failure if it is unexpected. Raises UnexpectedErrorsError if there are too many."""
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
    """Runs one graph, and one task for each key. It calls `heed` for every piece; `heed` may raise."""

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
        """Return the state of a key; None if it has ended or has not begun."""
        held = self._open.get(key)
        return None if held is None else held.state

    def __len__(self) -> int:
        return len(self._open)

    def run(self, executor: Executor, rows: Iterable[In], progress: Callable[[], None]) -> None:
        """Process every row. Takes rows from the iterator in waves, so that memory stays bounded.

        Raises StoppedError for a failure that would stop all other work too, and LpRayError if pieces of a key never
        came.
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
        """Run rows through the graph once. Return the rows that have to run again."""
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
        """Register rows that are about to run through the graph, and return them."""
        wave = list(rows)
        for row in wave:
            self._open.setdefault(row.key, _Open()).rows.append(row)
        return wave

    def lacking(self) -> list[In]:
        """Return the rows of open keys of which pieces are missing."""
        return [row for held in self._open.values() if held.state is State.OPEN for row in held.lacking()]

    def take(self, piece: Out) -> None:
        """Take in a piece. A repeated piece, and a piece of a key that is no longer open, change nothing."""
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
        """Take in the answer of a task."""
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
    """Return the exception for a failure that stops the job; rebuilds in this process an error that another process
    raised."""
    error = error_of(failure.error_class, failure.error)
    return error if isinstance(error, StoppedError) else StoppedError(str(error))
