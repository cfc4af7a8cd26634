"""The contract of a stage. Every stage declares itself once, and works under any executor.

The pools, the columns of seconds, the plan's report and both executors read these declarations. A stage's `work` takes
a row and yields rows, or raises. An error of this package's own classes is the row's failure; any other error is a bug.
A stage contains no clock, no metrics and no `try`: `lp_ray.runtime.worker` does all that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from lp_ray.contract.rows import Row
from lp_ray.engine.factory import CreateEngine, EngineIdentity, create_engine
from lp_ray.engine.protocol import Engine
from lp_ray.face.factory import CreateLandmarker, create_landmarker
from lp_ray.plan.devices import Part
from lp_ray.plan.settings import Settings

In = TypeVar("In", bound=Row)
Out = TypeVar("Out", bound=Row)


@dataclass(frozen=True)
class Share:
    """The share of a cluster's CPUs by which the actors of a stage are counted.

    `on_cpu` applies if the engine runs on the CPU. `beside_gpus` applies if it runs on GPUs; it is then the share of
    the CPUs that the engine's actors leave.
    """

    on_cpu: float = 0.1
    beside_gpus: float = 0.25


@dataclass(frozen=True)
class Bench:
    """What a stage is built from. It is small and picklable, because every actor gets one."""

    settings: Settings
    engine: EngineIdentity
    create: CreateEngine = create_engine
    create_landmarker: CreateLandmarker = create_landmarker

    def make_engine(self) -> Engine:
        """Build the engine and load its weights. Raises as `lp_ray.engine.factory.create_engine` does."""
        return self.create(self.settings.engine)


@dataclass(frozen=True)
class Task:
    """Work done once for a key, when all its pieces are there. `run` raises as a stage's `work` does.

    If `timed`, `run` gets one more argument, the last: a function that returns the seconds since the task began.
    `share` is the part of a cluster's CPUs that its tasks may use together. A task that computes must declare it: then
    the pools leave room, each task reserves its CPU, and the pool `name` gives the numbers. 0: the tasks reserve none.
    `uses` are its parts that may need a GPU, as a stage's; only with a `share`.
    """

    name: str
    run: Callable[..., Any]
    timed: bool = False
    share: float = 0.0
    uses: frozenset[Part] = frozenset()


class Stage(ABC, Generic[In, Out]):
    """One step of a graph. An actor builds one stage and passes it one row after the other."""

    name: ClassVar[str]
    """The stage's name in pools, seconds, metrics and failures."""
    takes: ClassVar[type[Row]]
    gives: ClassVar[type[Row]]
    uses: ClassVar[frozenset[Part]] = frozenset()
    """The parts of the stage that may need a GPU."""
    share: ClassVar[Share] = Share()
    sheltered: ClassVar[bool] = False
    """Whether the stage opens inputs. After an actor died, such a stage works in a child process, so that a second
    death tells which input caused it."""
    looks_ahead: ClassVar[bool] = False
    """Whether an actor computes the next row before the last one is taken."""

    @abstractmethod
    def __init__(self, bench: Bench) -> None:
        """Load everything that all rows need."""

    @abstractmethod
    def work(self, row: In) -> Iterator[Out]:
        """Yield one or more rows made from `row`. Raises an InputError if something is wrong with the row's input."""

    @classmethod
    def input_of(cls, row: In) -> str:
        """Return a name of the input that a row opens. A sheltered stage must override this method."""
        raise TypeError(f"{cls.__name__} is sheltered and does not name its inputs")
