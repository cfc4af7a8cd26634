"""The two graphs of a job: which rows go through which stages.

    clips -> track (CPU) -> extract (engine) -> staged motion                     -> FINALIZE_TEMPLATE
    spans -> source (CPU) -> animate (engine) -> write (CPU) -> staged segments   -> FINALIZE_PAIR

Executors, pools, columns of seconds, reports and benchmarks are derived from these graphs. A stage that a job adds by
name is placed where the stage declares (`lp_ray.stages.added`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lp_ray.contract.rows import Row
from lp_ray.plan.devices import Part
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRow, SpanRow
from lp_ray.stages.added import place_added
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.contract import Stage
from lp_ray.stages.extract import ExtractMotion
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

    def __post_init__(self) -> None:
        rows = [self.takes, *(stage.gives for stage in self.stages)]
        for given, stage in zip(rows, self.stages, strict=False):
            if stage.takes is not given:
                raise TypeError(f"stage {stage.name} takes {stage.takes.__name__}, it would get {given.__name__}")
        if rows[-1] is not self.gives:
            raise TypeError(f"graph {self.name} gives {rows[-1].__name__}, not {self.gives.__name__}")

    @property
    def engine_stage(self) -> str:
        """The stage that sets the graph's pace: the last one that uses the engine."""
        return next(stage.name for stage in reversed(self.stages) if Part.ENGINE in stage.uses)


TEMPLATES = Graph(
    "templates", ClipRow, StagedMotion, (TrackClips, ExtractMotion), lambda clip: str(clip.template_key), block_rows=1
)

PAIRS = Graph(
    "pairs",
    SpanRow,
    StagedSegment,
    (CropSources, AnimatePairs, WriteSegments),
    lambda span: str(span.work.source.key),
    block_rows=64,
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
    """Return a job's graphs, including the stages that the job adds. Raises RefusedError for an unknown stage."""
    added = settings.stages
    return Graphs(_with(TEMPLATES, added), _with(PAIRS, added))


def _with(graph: Graph, added: Sequence[Any]) -> Graph:
    stages = place_added(graph.name, graph.stages, added)
    return Graph(graph.name, graph.takes, graph.gives, stages, graph.group, graph.block_rows)
