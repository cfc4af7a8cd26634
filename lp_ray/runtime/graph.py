"""The two graphs of a job: which rows go through which stages.

    clips -> track (CPU) -> extract (engine) -> staged motion                     -> FINALIZE_TEMPLATE
    spans -> source (CPU) -> animate (engine) -> write (CPU) -> staged segments   -> FINALIZE_PAIR

Executors, pools, columns of seconds, reports and benchmarks are derived from these graphs. A stage that a job adds by
name is placed where the stage declares (`lp_ray.stages.added`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lp_ray.contract.rows import Row
from lp_ray.plan.devices import Part
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow, SpanRow
from lp_ray.stages.added import place_added
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.contract import Stage, Task
from lp_ray.stages.extract import ExtractMotion
from lp_ray.stages.finalize import FINALIZE_PAIR, FINALIZE_TEMPLATE, finalize_task
from lp_ray.stages.rows import StagedMotion, StagedSegment
from lp_ray.stages.source import CropSources
from lp_ray.stages.track import TrackClips
from lp_ray.stages.write import WriteSegments

StageType = type[Stage[Any, Any]]


@dataclass(frozen=True)
class Graph:
    """Stages in a line. Rows of type `takes` go in; rows of type `gives` come out, in any order, some of them twice.

    Up to `block_rows` input rows of the same `group` are handed out together, so that actors find them in their caches.
    """

    name: str
    takes: type[Row]
    gives: type[Row]
    stages: tuple[StageType, ...]
    group: Callable[[Any], str]
    block_rows: int
    finish: Task
    """What joins the rows that come out, once for each key."""

    def __post_init__(self) -> None:
        rows = [self.takes, *(stage.gives for stage in self.stages)]
        for given, stage in zip(rows, self.stages, strict=False):
            if stage.takes is not given:
                raise TypeError(f"stage {stage.name} takes {stage.takes.__name__}, it would get {given.__name__}")
        if rows[-1] is not self.gives:
            raise TypeError(f"graph {self.name} gives {rows[-1].__name__}, not {self.gives.__name__}")

    @property
    def workers(self) -> tuple[StageType | Task, ...]:
        """What needs pools at the same time: its stages, and its task if that reserves CPUs."""
        return (*self.stages, self.finish) if self.finish.share else self.stages

    @property
    def pools(self) -> tuple[str, ...]:
        """The names of these pools."""
        return tuple(worker.name for worker in self.workers)

    @property
    def engine_stage(self) -> str:
        """The stage that sets the graph's pace: the last one that uses the engine."""
        return next(stage.name for stage in reversed(self.stages) if Part.ENGINE in stage.uses)


TEMPLATES = Graph(
    "templates",
    ClipRow,
    StagedMotion,
    (TrackClips, ExtractMotion),
    lambda clip: str(clip.template_key),
    block_rows=1,
    finish=FINALIZE_TEMPLATE,
)

PAIRS = Graph(
    "pairs",
    SpanRow,
    StagedSegment,
    (CropSources, AnimatePairs, WriteSegments),
    lambda span: str(span.work.source.key),
    block_rows=64,
    finish=FINALIZE_PAIR,
)


@dataclass(frozen=True)
class Graphs:
    """The two graphs of one job."""

    templates: Graph
    pairs: Graph

    @property
    def phases(self) -> tuple[Graph, Graph]:
        """Both graphs, in the order in which they run."""
        return self.templates, self.pairs


def graphs_of(settings: Settings) -> Graphs:
    """Return a job's graphs, including the stages that the job adds, and the task by which it finishes pairs.

    Raises RefusedError for an unknown stage.
    """
    added = settings.stages
    pairs = replace(_with(PAIRS, added), finish=finalize_task(settings))
    return Graphs(_with(TEMPLATES, added), pairs)


def _with(graph: Graph, added: Sequence[Any]) -> Graph:
    return replace(graph, stages=place_added(graph.name, graph.stages, added))
