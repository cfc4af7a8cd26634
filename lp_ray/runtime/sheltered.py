"""An actor that died is followed by one that works in a child process: the next death names its input.

Ray starts a dead actor again and hands it the work it died with, forever. Nobody can tell an input that crashes its
process (in a landmarker's native code, or by taking all memory) from a machine that was taken away; so a restarted
actor makes no guess, but has a child do the same work. If that dies by its own doing, its input is to blame, and fails
alone; if it lives, the input was innocent. An actor that never died works by itself, at no cost.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
import ray

from lp_ray.base import errors
from lp_ray.base.errors import ActorDiedError, LpRayError
from lp_ray.base.rows import Batch, Row
from lp_ray.contract.failure import Failure
from lp_ray.face.factory import identify_landmarker
from lp_ray.isolation.child import Child, ChildDiedError, Kind
from lp_ray.isolation.wire import Message
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow
from lp_ray.stages import source, track
from lp_ray.stages.rows import SpanRow

_ATTEMPTS = 2  # a child that was ended from outside says nothing of its input: once more

_stages: dict[str, Callable[[Batch], Iterator[Batch]]] = {}


def serve(request: Message) -> Iterator[Message]:
    """The child's side: the stage is made at the first request and keeps its caches."""
    setup = str(request.fields["setup"])
    try:
        if setup not in _stages:
            stage, arguments = pickle.loads(bytes.fromhex(setup))  # noqa: S301 - from our own parent
            _stages[setup] = stage(*arguments)
        for answer in _stages[setup](dict(request.arrays)):
            yield Message({}, _plain(answer))
    except Exception as error:  # a refusal, or a mistake of ours: for the parent to raise
        yield Message({"raised": type(error).__name__, "message": str(error)})


class _Sheltered(ABC):
    """Base of the Ray Data callables around a stage that opens inputs."""

    stage: ClassVar[type]

    def __init__(self, settings: Settings, argument: Any) -> None:
        self._settings = settings
        self._argument = argument
        self._stage = None if _died_before() else self.stage(settings, argument)
        self._setup = pickle.dumps((self.stage, (settings, argument))).hex()
        self._child = Child(Kind(f"{__name__}:serve", bare=False))
        self._culprits: dict[str, Failure] = {}

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        yield from self._stage(batch) if self._stage is not None else self._by_child(batch)

    @abstractmethod
    def key(self, batch: Batch) -> str:
        """Name the input of a batch, which holds one row."""

    @abstractmethod
    def failed(self, batch: Batch, failure: Failure) -> Row:
        """Return the row that says why there is nothing else."""

    def _by_child(self, batch: Batch) -> Iterator[Batch]:
        """Pass answers on; pieces that come twice, after a second attempt, are known by their index."""
        key = self.key(batch)
        if key not in self._culprits:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    yield from map(_checked, self._child.ask(Message({"setup": self._setup}, _plain(batch))))
                    return
                except ChildDiedError as death:
                    if death.crashed or attempt == _ATTEMPTS:
                        self._culprits[key] = self._blame(death)
                        break
        yield self.failed(batch, self._culprits[key]).to_batch()

    def _blame(self, death: ChildDiedError) -> Failure:
        return Failure.of(
            self.stage.__module__.rpartition(".")[2],
            ActorDiedError(
                f"the process that worked on this input {death}, alone with it, after an actor had died; leave the "
                "input out, or save it anew in another format"
            ),
        )


class ShelteredTrackClips(_Sheltered):
    """Ray Data callable: ClipRow -> TrackedChunk, see `TrackClips`."""

    stage = track.TrackClips

    def key(self, batch: Batch) -> str:
        return next(ClipRow.from_batch(batch)).template_key

    def failed(self, batch: Batch, failure: Failure) -> Row:
        (row,) = ClipRow.from_batch(batch)
        return track.failed_clip(row, identify_landmarker(self._settings.landmarker).n_points, failure)


class ShelteredCropSources(_Sheltered):
    """Ray Data callable: SpanRow -> SourcedSpan, see `CropSources`."""

    stage = source.CropSources

    def key(self, batch: Batch) -> str:
        return next(SpanRow.from_batch(batch)).work.source.key

    def failed(self, batch: Batch, failure: Failure) -> Row:
        (row,) = SpanRow.from_batch(batch)
        return source.failed_span(row.work, row.start, row.stop, self._argument, 0.0, failure)


def _died_before() -> bool:
    """Whether Ray has started this very actor again after a death."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _plain(batch: Batch) -> Batch:
    """Text comes from Ray as arrays of objects."""
    return {name: np.array(a.tolist(), str) if a.dtype == object else a for name, a in batch.items()}


def _checked(answer: Message) -> Batch:
    if "raised" not in answer.fields:
        return dict(answer.arrays)
    name, message = str(answer.fields["raised"]), str(answer.fields["message"])
    kind = getattr(errors, name, None)
    raise kind(message) if isinstance(kind, type) and issubclass(kind, LpRayError) else LpRayError(f"{name}: {message}")
