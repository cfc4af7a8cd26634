"""The class that Ray Data calls: an actor that runs a stage's worker, if needed ahead of demand or in a child process.

Some inputs crash their process, in a landmarker's native code or by taking all memory. Ray restarts a dead actor and
hands it the same work again, forever. After one death nobody can tell a harmful input from a machine that was taken
away. So an actor that Ray restarted lets a child process do the work. If the child dies by itself, its input is to
blame and fails alone; if the child lives, the input was innocent. An actor that never died works without a child, at no
cost.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import ray

from lp_ray.base.errors import ActorDiedError
from lp_ray.contract.failure import Failure
from lp_ray.contract.rows import Batch, Row, Trace
from lp_ray.isolation.child import Child, ChildDiedError, Kind
from lp_ray.isolation.wire import Message
from lp_ray.runtime.ahead import ahead
from lp_ray.runtime.worker import Worker
from lp_ray.stages.contract import Bench, Stage

_ATTEMPTS = 2  # a child that was killed from outside proves nothing about its input: try again

_workers: dict[str, Worker] = {}


class StageActor:
    """Base class of the Ray Data callables, one for each stage. They turn `stage.takes` rows into `stage.gives`."""

    stage: ClassVar[type[Stage[Any, Any]]]

    def __init__(self, bench: Bench) -> None:
        kind = self.stage
        self._thread = ThreadPoolExecutor(1, kind.name) if kind.looks_ahead else None
        self._work: Worker | _Shelter = (
            _Shelter(kind, bench) if kind.sheltered and died_before() else Worker(kind, bench)
        )

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        rows = self.stage.takes.from_batch(batch)
        # `map`, unlike a loop variable, holds no chunk while the next one is made
        batches = map(Row.to_batch, chain.from_iterable(map(self._work.rows, rows)))
        yield from batches if self._thread is None else ahead(batches, self._thread)


def actor_of(kind: type[Stage[Any, Any]]) -> type[StageActor]:
    """Return the Ray Data callable of a stage. It has the stage class's name, because Ray shows this name to people."""
    return type(kind.__name__, (StageActor,), {"stage": kind, "__doc__": kind.__doc__})


def serve(request: Message) -> Iterator[Message]:
    """Answer a request in the child process. The first request builds the worker, which keeps its caches."""
    setup = str(request.fields["setup"])
    if setup not in _workers:
        _workers[setup] = Worker(*pickle.loads(bytes.fromhex(setup)))  # noqa: S301 - from our own parent
    kind: type[Stage[Any, Any]] = _workers[setup]._kind
    for row in kind.takes.from_batch(dict(request.arrays)):
        for made in _workers[setup].rows(row):
            yield Message({}, _plain(made.to_batch()))


class _Shelter:
    """Has the same `rows` as a `Worker`, but runs the worker in a child process."""

    def __init__(self, kind: type[Stage[Any, Any]], bench: Bench) -> None:
        self._kind = kind
        self._setup = pickle.dumps((kind, bench)).hex()
        self._child = Child(Kind(f"{__name__}:serve", bare=False))
        self._culprits: dict[str, Failure] = {}

    def rows(self, row: Row) -> Iterator[Row]:
        """Yield the child's answers. A second attempt may repeat pieces; the collector knows them by their index."""
        key = self._kind.input_of(row)
        if key not in self._culprits:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    yield from self._ask(row)
                    return
                except ChildDiedError as death:
                    if death.crashed or attempt == _ATTEMPTS:
                        self._culprits[key] = self._blame(death)
                        break
        yield self._kind.gives.without_content(row, Trace(row.trace.seconds, self._culprits[key]))

    def _ask(self, row: Row) -> Iterator[Row]:
        for answer in self._child.ask(Message({"setup": self._setup}, _plain(row.to_batch()))):
            yield from self._kind.gives.from_batch(dict(answer.arrays))

    def _blame(self, death: ChildDiedError) -> Failure:
        return Failure.of(
            self._kind.name,
            ActorDiedError(
                f"the process that worked on this input {death}, alone with it, after an actor had died; leave the "
                "input out, or save it anew in another format"
            ),
        )


def died_before() -> bool:
    """Return whether Ray restarted this actor after a death."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _plain(batch: Batch) -> Batch:
    """Convert arrays of objects, in which Ray hands over text, to arrays of strings."""
    return {name: np.array(a.tolist(), str) if a.dtype == object else a for name, a in batch.items()}
