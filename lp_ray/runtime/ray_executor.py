"""Runs graphs on Ray Data. The driver only sees tiny rows; pictures move between actors through the object store."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, DataContext, Dataset, ExecutionResources
from ray.data.exceptions import ExecutionTimeoutError

from lp_ray.base.errors import StalledError, error_of
from lp_ray.contract.failure import Failure
from lp_ray.contract.rows import Batch, Row
from lp_ray.media.encode import Encoder, check_encoder
from lp_ray.plan.devices import Devices, Part
from lp_ray.runtime.actor import actor_of
from lp_ray.runtime.executor import Finishers, NodesLostError
from lp_ray.runtime.finishers import RayFinishers, at_once
from lp_ray.runtime.graph import Graph, graphs_of
from lp_ray.runtime.pools import Pool, Pools, derive_pools
from lp_ray.runtime.ray_private import hand_out_ahead, map_blocks
from lp_ray.runtime.worker import finish
from lp_ray.stages.contract import Bench, Task

BLOCK_BYTES = 16 << 20
"""Smaller than a chunk, so that an actor hands out every chunk as soon as it is made."""

CHUNKS_AHEAD = 4
"""Chunks that an actor may store before the driver takes one. With two, Ray's default, an engine that makes a chunk in
less than a tenth of a second waits whenever the driver is busy for so long."""

ROWS_PER_ACTOR = 10_000
"""Number of rows per engine actor in one run of a graph: about 15 MB of input blocks, and hours of work before the
actors have to start again."""

STALL_S = 3600.0
"""Seconds without progress after which a graph is given up, or, if nodes were lost, started again."""


class RayExecutor:
    """Implements `lp_ray.runtime.executor.Executor` on the running Ray cluster."""

    def __init__(
        self, bench: Bench, pools: Pools, resize: Callable[[], Pools] | None = None, stall_s: float = STALL_S
    ) -> None:
        """`resize` returns pools for the remaining cluster after nodes were lost."""
        self._bench = bench
        self._pools = pools
        self._nodes = living_nodes()
        self._resize = resize or (lambda: pools)
        configure_ray_data(stall_s)

    def check_encoder(self, encoder: Encoder) -> None:
        graph = graphs_of(self._bench.settings).pairs
        pool = next(self._pools[stage.name] for stage in graph.stages if Part.ENCODER in stage.uses)
        check = ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus)(finish)
        answer = ray.get(check.remote(Task("encoder", check_encoder), encoder))
        if isinstance(answer, Failure):
            raise error_of(answer.error_class, answer.error)

    def wave(self, graph: Graph) -> int:
        return ROWS_PER_ACTOR * self._pools[graph.engine_stage].ceiling

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        self._regroup()
        keep_free(self._pools[graph.finish.name] if graph.finish.share else None)
        actors = self._pools[graph.engine_stage].ceiling
        data = _dataset(make_blocks(rows, graph, actors))
        for stage in graph.stages:
            pool = self._pools[stage.name]
            arguments = (actor_of(stage), (self._bench,), strategy(pool), pool.cpus, pool.gpus, stage.looks_ahead)
            data = map_blocks(data, *arguments)
        try:
            for batch in data.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0):
                yield from graph.gives.from_batch(cast(Batch, batch))  # of the formats that Ray has, numpy's
        except ExecutionTimeoutError as standstill:
            # Ray restarts a dead node's actors where there is room, and gives their rows to no other actor.
            # If the remaining nodes have no room for one actor of every stage, the living actors wait forever
            # for those that cannot start. Any other standstill is an error.
            if self._regroup():
                raise NodesLostError(str(standstill)) from standstill
            raise StalledError(_advice(standstill)) from standstill

    def finishers(self, task: Task) -> Finishers:
        if not task.share:
            return RayFinishers(task, room=lambda: at_once(cluster_totals()[0]))
        pool = self._pools[task.name]
        return RayFinishers(task, pool.cpus, pool.gpus)

    def _regroup(self) -> bool:
        """Fit the pools to the nodes that are alive. Return whether any node was lost."""
        nodes, before = living_nodes(), self._nodes
        if gone := not before <= nodes:
            self._pools, self._nodes = self._resize(), nodes
        return gone


def make_blocks(rows: Sequence[Row], graph: Graph, n_actors: int) -> list[list[Row]]:
    """Cut rows, ordered by group, into blocks. Rows of one group stay together where possible.

    Blocks are small enough to keep `n_actors` busy, and never hold more than the graph's `block_rows`.
    """
    limit = min(graph.block_rows, max(1, len(rows) // (4 * n_actors)))
    blocks: list[list[Row]] = []
    for row in rows:
        same = blocks and graph.group(blocks[-1][-1]) == graph.group(row)
        if not blocks or len(blocks[-1]) >= graph.block_rows or (not same and len(blocks[-1]) >= limit):
            blocks.append([])
        blocks[-1].append(row)
    return blocks


def configure_ray_data(stall_s: float = STALL_S) -> None:
    """Set the options of Ray Data that the graphs rely on: see docs/architecture.md, "Measured on Ray"."""
    context = DataContext.get_current()
    context.execution_no_progress_timeout_s = stall_s
    context.target_max_block_size = BLOCK_BYTES
    context.enable_progress_bars = False
    hand_out_ahead(CHUNKS_AHEAD)
    context.execution_options.preserve_order = False
    context.max_errored_blocks = 0


def keep_free(pool: Pool | None) -> None:
    """Keep Ray Data, whose pools may grow, out of the CPUs and GPUs of a pool of tasks."""
    cpus, gpus = (0.0, 0.0) if pool is None else (pool.actors * pool.cpus, pool.actors * pool.gpus)
    with warnings.catch_warnings():  # Ray means to replace it; what by is in no release yet
        warnings.simplefilter("ignore", DeprecationWarning)
        options = DataContext.get_current().execution_options
        if cpus or options.exclude_resources.cpu:
            options.exclude_resources = ExecutionResources(cpu=cpus, gpu=gpus)


def strategy(pool: Pool) -> ActorPoolStrategy:
    """Return the Ray Data strategy of a pool."""
    return ActorPoolStrategy(min_size=pool.least or pool.actors, max_size=pool.ceiling, initial_size=pool.actors)


def cluster_totals() -> tuple[float, float]:
    """Return the CPUs and GPUs of the cluster that this process is connected to."""
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return there.get("CPU", 0.0), there.get("GPU", 0.0)


def executor_here(bench: Bench, devices: Devices) -> RayExecutor:
    """Return an executor on the cluster that this process is connected to, with pools sized for what it has now.

    Raises RefusedError if the cluster lacks a GPU that is asked for, or is too small.
    """

    def pools() -> Pools:
        return derive_pools(graphs_of(bench.settings).phases, *cluster_totals(), devices)

    return RayExecutor(bench, pools(), pools)


def living_nodes() -> set[str]:
    """Return the ids of the cluster's nodes that are alive."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def _dataset(blocks: Sequence[Sequence[Row]]) -> Dataset:
    # `from_arrow` has a task read each table's schema: a process or two more, and seconds before any stage starts
    made: Dataset = ray.data.from_blocks([_table(block) for block in blocks])
    return made


def _table(rows: Sequence[Row]) -> pa.Table:
    """Return input rows as a table. They hold no arrays, so an ordinary table is enough."""
    batches = [row.to_batch() for row in rows]
    return pa.table({name: np.concatenate([batch[name] for batch in batches]).tolist() for name in batches[0]})


def _advice(standstill: ExecutionTimeoutError) -> str:
    said = str(standstill).split("If this is expected")[0].strip()
    return (
        f"{said} If the cluster only waits for nodes, or chunks take longer than that, raise cluster.stall_s; else "
        "`ray status` tells what the actors wait for"
    )
