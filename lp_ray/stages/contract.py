"""What a stage is: declared once, for whatever runs it.

The pools, the columns of seconds, the plan's report and both executors read these declarations. A stage's `work` takes
a row and yields rows, or raises: an error of the package's own is the row's, any other a mistake. It knows no clock, no
metrics and no `try`; `lp_ray.runtime.worker` has these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from lp_ray.contract.rows import Row
from lp_ray.engine.factory import CreateEngine, EngineIdentity, create_engine
from lp_ray.engine.protocol import Engine
from lp_ray.plan.devices import Part
from lp_ray.plan.settings import Settings

In = TypeVar("In", bound=Row)
Out = TypeVar("Out", bound=Row)


@dataclass(frozen=True)
class Share:
    """The part of a cluster's CPUs that actors of a stage are counted by: where the engine runs on the CPU, and where
    it runs on GPUs (then of what the engine's actors leave)."""

    on_cpu: float = 0.1
    beside_gpus: float = 0.25


@dataclass(frozen=True)
class Bench:
    """What a stage is built from. Small and picklable: every actor gets one."""

    settings: Settings
    engine: EngineIdentity
    create: CreateEngine = create_engine

    def make_engine(self) -> Engine:
        """Build the engine, weights loaded. Raises as `lp_ray.engine.factory.create_engine`."""
        return self.create(self.settings.engine)


@dataclass(frozen=True)
class Task:
    """Work that is done once for a key, when all its pieces are there: `run` raises as a stage's `work` does.

    A `timed` one is given, last, a function that counts the seconds since it began.
    """

    name: str
    run: Callable[..., Any]
    timed: bool = False


class Stage(ABC, Generic[In, Out]):
    """One step of a graph. An actor makes one, and hands it row after row."""

    name: ClassVar[str]
    """Its word in pools, seconds, metrics and failures."""
    takes: ClassVar[type[Row]]
    gives: ClassVar[type[Row]]
    uses: ClassVar[frozenset[Part]] = frozenset()
    """Parts that may need a GPU."""
    share: ClassVar[Share] = Share()
    sheltered: ClassVar[bool] = False
    """Whether it opens inputs: after an actor's death it works in a child process, whose next death names its input."""
    looks_ahead: ClassVar[bool] = False
    """Whether an actor computes a row ahead of what is taken from it."""

    @abstractmethod
    def __init__(self, bench: Bench) -> None:
        """Load what all rows need."""

    @abstractmethod
    def work(self, row: In) -> Iterator[Out]:
        """Yield what becomes of a row, one row or more. Raises an InputError for what is wrong with it."""

    @classmethod
    def input_of(cls, row: In) -> str:
        """Name the input that a row opens, for a stage that is sheltered."""
        raise TypeError(f"{cls.__name__} is sheltered and does not name its inputs")
