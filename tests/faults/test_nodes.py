"""If a machine goes away in the middle of a job, the job continues on the remaining ones."""

from __future__ import annotations

import os
from pathlib import Path

from tests.cluster.conftest import MakeCluster, make_cluster
from tests.faults.drivers import driver
from tests.faults.material import make_portraits
from tests.faults.outputs import check_whole, reached

__all__ = ["make_cluster"]


def test_a_node_killed_in_the_middle_of_a_job(make_cluster: MakeCluster, tmp_path: Path) -> None:
    """Of two nodes one, with half of all actors and what they hold in memory, is killed when some pairs are done.

    The job goes on with the other one: every pair is done, once.
    """
    cluster = make_cluster(cpus=2)
    node = cluster.add_node(cpus=2)
    output = tmp_path / "out"
    manifests = make_portraits(tmp_path / "in", n_sources=6, n_drivings=4, n_frames=8)
    command = (*manifests.arguments(output), "chunk_frames=4", "cluster=auto", "cluster.stall_s=120")
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    with driver("animate", *command, log=tmp_path / "log", **environment) as job:
        assert job.wait_for(reached(output, 4)), job.printed()
        cluster.remove_node(node, kill=True)
        assert not reached(output, manifests.n_pairs)(), "too late to show anything"
        assert job.end() == 0, job.printed()
    check_whole(output, manifests.n_pairs)
