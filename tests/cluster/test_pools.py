"""lp_ray's derived pools on clusters of several nodes, with emulated GPUs."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import ray
from ray.data import ActorPoolStrategy

from lp_ray.runtime.graph import PAIRS, Graph
from lp_ray.runtime.pools import Pools, let_grow
from lp_ray.runtime.ray_executor import configure_ray_data, strategy
from tests.cluster.conftest import clusters
from tests.cluster.nodes import LocalCluster
from tests.runtime.test_pools import derive

pytestmark = pytest.mark.ray

Batch = dict[str, Any]

AT_WORK_WITHIN_S = 120.0
GONE_WITHIN_S = 60.0


@ray.remote(num_cpus=0)
class Register:
    """Where the actors of all stages say that they live, or that they have a row."""

    def __init__(self) -> None:
        self._places: dict[str, set[str]] = {}

    def enter(self, stage: str, place: str) -> None:
        self._places.setdefault(stage, set()).add(place)

    def count(self, stage: str) -> int:
        return len(self._places.get(stage, ()))


class Elastic:
    """A stage that says where each row was worked on, and that it lives; slow, so that nodes have the time to come."""

    def __init__(self, register: Any) -> None:
        context = ray.get_runtime_context()
        gpus = context.get_accelerator_ids()["GPU"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(gpus)
        self._place = f"{context.get_node_id()} {gpus[0]}"
        ray.get(register.enter.remote("animate", self._place))

    def __call__(self, batch: Batch) -> Batch:
        time.sleep(0.5)
        batch["place"] = np.array([self._place])
        return batch


class Stage:
    """A stage that notes where it ran; it begins its work when every actor of its pool has been given a row."""

    def __init__(self, name: str, register: Any, actors: int) -> None:
        self._name, self._register, self._actors = name, register, actors
        context = ray.get_runtime_context()
        gpus = ",".join(context.get_accelerator_ids()["GPU"])
        if gpus:
            assert os.environ["CUDA_VISIBLE_DEVICES"] == gpus
        self._place = f"{context.get_node_id()} {os.getpid()} {gpus}"

    def __call__(self, batch: Batch) -> Batch:
        ray.get(self._register.enter.remote(self._name, self._place))
        deadline = time.monotonic() + AT_WORK_WITHIN_S
        while ray.get(self._register.count.remote(self._name)) < self._actors:
            assert time.monotonic() < deadline, f"{self._name}: not all of its {self._actors} actors got a row"
            time.sleep(0.1)
        batch[self._name] = np.array([self._place] * len(batch["id"]))
        return batch


def run_phase(phase: Graph, pools: Pools, rows: int) -> list[dict[str, Any]]:
    """Send rows through a phase's stages, pooled as the job pools them, and without a read task, as the job.

    Ray Data gives an actor two rows at most before it is done with one: `rows` must be more than that for all of a
    pool's actors but one.
    """
    register = Register.remote()
    graph = ray.data.from_blocks([pa.table({"id": [i]}) for i in range(rows)])
    for stage in [stage.name for stage in phase.stages]:
        pool = pools[stage]
        graph = graph.map_batches(
            Stage,
            fn_constructor_args=(stage, register, pool.actors),
            batch_size=1,
            compute=ActorPoolStrategy(size=pool.actors),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus or None,
        )
    found: list[dict[str, Any]] = graph.take_all()
    return found


def totals() -> tuple[float, float]:
    resources = ray.cluster_resources()
    return resources.get("CPU", 0.0), resources.get("GPU", 0.0)


def wait_for_totals(cpus: float, gpus: float) -> None:
    """Wait until Ray knows that nodes have gone."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while totals() != (cpus, gpus):
        assert time.monotonic() < deadline, f"the cluster still has {totals()}"
        time.sleep(0.25)


@pytest.fixture(scope="module")
def started() -> Iterator[LocalCluster]:
    """A head of 2 CPUs and 1 GPU, this process its driver: one for all tests here."""
    with clusters() as make:
        cluster = make(cpus=2, gpus=1)
        cluster.connect()
        configure_ray_data()
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield cluster


@pytest.fixture
def cluster(started: LocalCluster) -> LocalCluster:
    """The head, alone: the nodes of the test before have gone."""
    wait_for_totals(2, 1)
    return started


@pytest.fixture
def two_nodes(cluster: LocalCluster) -> Iterator[None]:
    """Beside the head a node of 4 CPUs and 2 GPUs."""
    node = cluster.add_node(cpus=4, gpus=2)
    yield
    cluster.remove_node(node)


@pytest.mark.usefixtures("two_nodes")
def test_every_engine_actor_has_a_gpu_of_its_own() -> None:
    """Three GPUs on two unlike nodes: three engine actors, no two on the same GPU; the other stages have none."""
    pools = derive(*totals(), "cuda")
    assert pools["animate"].actors == 3
    rows = run_phase(PAIRS, pools, 24)
    assert len(rows) == 24
    places = {tuple(row["animate"].split(" ")) for row in rows}
    gpus = {(node, gpu) for node, _, gpu in places}
    assert len(places) == len(gpus) == 3
    assert sorted(Counter(node for node, _ in gpus).values()) == [1, 2]
    for stage in ("source", "write"):
        assert {row[stage].split(" ")[2] for row in rows} == {""}, f"{stage} was given a GPU"


@pytest.mark.usefixtures("two_nodes")
def test_actors_may_share_a_gpu() -> None:
    """With half a GPU each, six engine actors share three GPUs, two on each."""
    halves = {stage: {"actors": 6, "gpus": 0.5, "cpus": 0.1} for stage in ("extract", "animate")}
    rows = run_phase(PAIRS, derive(*totals(), "cuda", halves), 36)
    places = {tuple(row["animate"].split(" ")) for row in rows}
    assert len(places) == 6
    assert set(Counter((node, gpu) for node, _, gpu in places).values()) == {2}


def test_nodes_come_and_go(cluster: LocalCluster) -> None:
    """Pools follow what the cluster has: more with a node, the old size without it, however it went."""
    alone = derive(*totals(), "cuda")
    for kill in (False, True):
        node = cluster.add_node(cpus=2, gpus=1)
        assert totals() == (4.0, 2.0)
        assert derive(*totals(), "cuda")["animate"].actors == 2 * alone["animate"].actors
        cluster.remove_node(node, kill=kill)
        wait_for_totals(2, 1)
        assert derive(*totals(), "cuda") == alone


def test_a_pool_follows_nodes_that_join_and_leave(cluster: LocalCluster) -> None:
    """One GPU, then three, then one again, while a pool works: it grows onto the new ones, and no row is lost."""
    now, full = derive(2, 1, "cuda"), derive(16, 8, "cuda")
    pool = let_grow(now, full)["animate"]
    assert (pool.least, pool.actors, pool.most) == (1, 1, 8)
    register = Register.remote()
    graph = ray.data.from_blocks([pa.table({"id": [i]}) for i in range(120)])
    graph = graph.map_batches(
        Elastic,
        fn_constructor_args=(register,),
        batch_size=1,
        compute=strategy(pool),
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    rows = iter(graph.iter_rows())
    found = [next(rows)]
    node = cluster.add_node(cpus=2, gpus=2)
    while ray.get(register.count.remote("animate")) < 3:
        found.append(next(rows))
    found += [next(rows) for _ in range(12)]
    cluster.remove_node(node, kill=True)
    found += rows
    assert sorted(row["id"] for row in found) == list(range(120))
    places = Counter(row["place"] for row in found)
    assert len(places) == 3 and len({place.split()[0] for place in places}) == 2
    last = {row["place"] for row in found[-10:]}
    assert len(last) == 1, "the pool shrank to the GPU that stayed"
