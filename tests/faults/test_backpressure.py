"""A slow store slows the job, and nothing else: the object store has room left, nothing is spilled to disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

from lp_ray import storage
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.reporting import Silent
from lp_ray.engine.factory import EngineSpec
from lp_ray.output import results
from lp_ray.output.occupy import occupy
from lp_ray.plan.pairing import pair_up
from lp_ray.plan.settings import Settings
from lp_ray.runtime import graph
from lp_ray.runtime.pools import derive_pools
from lp_ray.runtime.ray_executor import RayExecutor
from lp_ray.stages.contract import Bench
from lp_ray.storage import Policy
from tests.faults.slow_store import SlowWriter
from tests.generated import Generated
from tests.running import REPOSITORY, TALK_FRAMES, Performances

pytestmark = pytest.mark.ray

STORE_BYTES = 300 << 20
FULL = 0.75
"""Share of the object store that is never exceeded: Ray begins to spill at 0.8.

Ray Data plans with half of the store; one or two chunks more, freed late, were seen in it.
"""
CHUNK_BYTES = 32 * 512 * 512 * 3


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Ray of two CPUs whose object store holds twelve chunks."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    context = ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield str(context.address_info["gcs_address"])
    ray.shutdown()


class Watch(threading.Thread):
    """Asks the raylet, ten times a second, how full its object store is and what it has spilled."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._state = get_state_from_address(address)
        self._over = threading.Event()
        self.peak = self.spilled = self.samples = 0

    def run(self) -> None:
        while not self._over.wait(0.1):
            self._look()

    def _look(self) -> None:
        stats: Any = get_memory_info_reply(self._state).store_stats
        assert stats.object_store_bytes_avail == STORE_BYTES
        self.peak = max(self.peak, stats.object_store_bytes_used)
        self.spilled = max(self.spilled, stats.spilled_bytes_total)
        self.samples += 1

    def end(self) -> None:
        self._over.set()
        self.join()
        self._look()


def test_a_slow_store_never_fills_the_object_store(
    cluster: str, tmp_path: Path, generated: Generated, performances: Performances, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three times what the object store holds passes through it, made faster than it is written."""
    stages = (*graph.PAIRS.stages[:-1], SlowWriter)
    monkeypatch.setattr(graph, "PAIRS", replace(graph.PAIRS, stages=stages))
    rules = ("large-small", "0", "left-right", "top-bottom")
    rows = [
        {"uri": str(picture), "source_id": f"{picture.name} {rule}", "face": rule}
        for picture in (generated.portrait, generated.closed_mouth, generated.still)
        for rule in rules
    ]
    sources = check_manifest(pa.Table.from_pylist(rows), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(performances.talk)]}), "driving", "d")
    output = storage.normalise(str(tmp_path / "out"))
    settings = Settings(output, f"{output}/templates", EngineSpec("preview"))
    options = PairOptions(paste_back=False, preset="ultrafast")
    job = jobs.prepare(settings, sources, drivings, None, pair_up("cross", len(rows), 1, options), Policy())
    assert len(rows) * TALK_FRAMES * 512 * 512 * 3 > 2.9 * STORE_BYTES
    watch = Watch(cluster)
    watch.start()
    pools = derive_pools(graph.graphs_of(settings).phases, 2, 0, job.devices)
    with occupy(settings.output_layout) as lease:
        jobs.leave_out_standing(job)
        summary = jobs.run(job, RayExecutor(Bench(settings, job.engine), pools), Silent(), lease)
    watch.end()
    assert summary.by_status == {"done": len(rows), "failed": 0, "filtered": 0}
    assert results.read_results(output)["n_frames"].to_pylist() == [TALK_FRAMES] * len(rows)
    assert watch.samples > 20 and watch.peak > CHUNK_BYTES, "the watch saw the job at work"
    assert watch.spilled == 0
    assert watch.peak < FULL * STORE_BYTES, f"{watch.peak / STORE_BYTES:.0%}"
