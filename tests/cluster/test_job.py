"""A job of several nodes, submitted as docs/cluster.md says, while nodes come and go."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import skimage.data
import skimage.io
from ray.util.state import list_actors

from tests.cluster.nodes import Ended, LocalCluster
from tests.running import Performances, write_manifest

MakeCluster = Callable[..., LocalCluster]
N_PAIRS = 16
WAIT_S = 180.0


def living(stage: str) -> list[Any]:
    """Return the actors of a stage that live."""
    actors: list[Any] = list_actors(filters=[("state", "=", "ALIVE")], limit=1000)
    return [actor for actor in actors if stage in actor.class_name]


def nodes_of(stage: str) -> set[str]:
    """Return the nodes on which actors of a stage live."""
    return {actor.node_id for actor in living(stage)}


@contextmanager
def standing_still(stage: str) -> Iterator[None]:
    """A stage's actors do nothing inside, so that the job cannot end before what is waited for."""
    pids = [actor.pid for actor in living(stage)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait(what: str, holds: Callable[[], bool], job: Future[Ended]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert not job.done(), f"the job ended before {what}: {job.result().output}"
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


@pytest.mark.timeout(500)
def test_all_pairs_are_done_while_nodes_come_and_go(
    make_cluster: MakeCluster, performances: Performances, tmp_path: Path
) -> None:
    """Two nodes with a GPU each; a third joins and gets an engine actor; the second's power is cut; nothing is lost.

    What is left may have no room for one actor of every stage: then the job begins what is not whole anew.
    """
    cluster = make_cluster(cpus=2, gpus=1)
    second = cluster.add_node(cpus=2, gpus=1)
    cluster.connect()
    face = tmp_path / "face.png"
    skimage.io.imsave(face, skimage.data.astronaut()[::2, ::2])
    rows = []
    for i in range(N_PAIRS):
        shutil.copyfile(face, tmp_path / f"{i}.png")
        rows.append({"uri": str(tmp_path / f"{i}.png"), "source_id": str(i)})
    sources, output = write_manifest(tmp_path / "sources.parquet", rows), tmp_path / "out"
    command = [
        *(sys.executable, "-m", "jobs.animate", "cluster=auto", "cluster.num_cpus=6", "cluster.num_gpus=3"),
        "cluster.stall_s=40",
        *(f"sources={sources}", f"driving={performances.talk}", f"output={output}"),
        *("engine=preview", "pools.animate.gpus=1", "pools.extract.gpus=1", "preset=ultrafast", "crf=40"),
    ]
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(cluster.jobs.submit, *command)
        wait("engine actors on both nodes", lambda: len(nodes_of("AnimatePairs")) == 2, job)
        before = nodes_of("AnimatePairs")
        with standing_still("AnimatePairs"):
            cluster.add_node(cpus=2, gpus=1)
            wait("an engine actor on the third node", lambda: bool(nodes_of("AnimatePairs") - before), job)
        wait("the first video", lambda: any((output / "videos").glob("*.mp4")), job)
        cluster.remove_node(second, kill=True)
    ended = job.result()
    assert ended.code == 0, ended.output
    table = pq.read_table(output / "results")
    assert table["status"].to_pylist() == ["done"] * N_PAIRS
    assert sorted(table["source_id"].to_pylist(), key=int) == [str(i) for i in range(N_PAIRS)]
    assert set(table["n_frames"].to_pylist()) == {100}
    assert len(list((output / "videos").glob("*.mp4"))) == N_PAIRS
