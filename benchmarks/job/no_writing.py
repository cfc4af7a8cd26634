"""A job that animates and writes nothing: what then is left of its time is the engine, Ray and the driver.

The stage takes chunks and drops them: no paste-back, no encoding, nothing staged. The task joins nothing and writes
the pair's row alone. Known to the benchmark only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from lp_ray.contract.result_schema import DONE
from lp_ray.output.results import ResultRow, write_row
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.runtime.graph import Graph
from lp_ray.stages.contract import Bench, Stage, Task
from lp_ray.stages.rows import AnimatedChunk, StagedSegment
from lp_ray.stages.write import WriteSegments


class DropChunks(Stage[AnimatedChunk, StagedSegment]):
    """Stands where `write` stands, in its pool."""

    name = WriteSegments.name
    takes, gives = AnimatedChunk, StagedSegment
    share = WriteSegments.share

    def __init__(self, bench: Bench) -> None:
        """Nothing is needed."""

    def work(self, row: AnimatedChunk) -> Iterator[StagedSegment]:
        yield StagedSegment(row.work.pair_id, row.index, row.n_frames, row.facts)


def row_alone(settings: Settings, work: PairWork, row: ResultRow, elapsed: Callable[[], float]) -> ResultRow:
    """Write a pair's row as if its video stood; return it."""
    made: ResultRow = {**row, "status": DONE, "n_frames": work.n_frames, "finished_at": datetime.now(UTC)}
    made["seconds"] = {**row["seconds"], "finalize": elapsed()}
    write_row(settings.output_layout, made)
    return made


ROW_ALONE = Task("finalize", row_alone, timed=True)


def without_writing(graph: Graph) -> Graph:
    """Return the graph of pairs with DropChunks in place of `write`."""
    stages = tuple(DropChunks if stage is WriteSegments else stage for stage in graph.stages)
    return replace(graph, stages=stages, finish=ROW_ALONE)
