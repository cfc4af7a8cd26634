"""What Ray Data calls: a stage's worker in an actor, which may look ahead, and may need a shelter.

An actor that died is followed by one that works in a child process: the next death names its input. Ray starts a dead
actor again and hands it the work that it died with, forever. Nobody can tell an input that crashes its process (in a
landmarker's native code, or by taking all memory) from a machine that was taken away; so a restarted actor makes no
guess, but has a child do the same work. If that dies by its own doing, its input is to blame, and fails alone; if it
lives, the input was innocent. An actor that never died works by itself, at no cost.
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

_ATTEMPTS = 2  # a child that was ended from outside says nothing of its input: once more

_workers: dict[str, Worker] = {}


class StageActor:
    """Base of the Ray Data callables, one for each stage: batches of `stage.takes` in, batches of `stage.gives` out."""

    stage: ClassVar[type[Stage[Any, Any]]]

    def __init__(self, bench: Bench) -> None:
        kind = self.stage
        self._thread = ThreadPoolExecutor(1, kind.name) if kind.looks_ahead else None
        self._work: Worker | _Shelter = (
            _Shelter(kind, bench) if kind.sheltered and died_before() else Worker(kind, bench)
        )

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        rows = self.stage.takes.from_batch(batch)
        # map, unlike a loop's variable, keeps nothing of a chunk while the next one is made
        batches = map(Row.to_batch, chain.from_iterable(map(self._work.rows, rows)))
        yield from batches if self._thread is None else ahead(batches, self._thread)


def actor_of(kind: type[Stage[Any, Any]]) -> type[StageActor]:
    """Return the Ray Data callable of a stage, under the stage's own name: Ray shows it to people."""
    return type(kind.__name__, (StageActor,), {"stage": kind, "__doc__": kind.__doc__})


def serve(request: Message) -> Iterator[Message]:
    """The child's side: the worker is made at the first request and keeps its caches."""
    setup = str(request.fields["setup"])
    if setup not in _workers:
        _workers[setup] = Worker(*pickle.loads(bytes.fromhex(setup)))  # noqa: S301 - from our own parent
    kind: type[Stage[Any, Any]] = _workers[setup]._kind
    for row in kind.takes.from_batch(dict(request.arrays)):
        for made in _workers[setup].rows(row):
            yield Message({}, _plain(made.to_batch()))


class _Shelter:
    """Answers rows as a `Worker` does, by one in a child process."""

    def __init__(self, kind: type[Stage[Any, Any]], bench: Bench) -> None:
        self._kind = kind
        self._setup = pickle.dumps((kind, bench)).hex()
        self._child = Child(Kind(f"{__name__}:serve", bare=False))
        self._culprits: dict[str, Failure] = {}

    def rows(self, row: Row) -> Iterator[Row]:
        """Pass answers on; pieces that come twice, after a second attempt, are known by their index."""
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
    """Whether Ray has started this very actor again after a death."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _plain(batch: Batch) -> Batch:
    """Text comes from Ray as arrays of objects."""
    return {name: np.array(a.tolist(), str) if a.dtype == object else a for name, a in batch.items()}
