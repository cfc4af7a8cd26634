"""Two jobs at the same time, on one output or with one template store, never damage each other's work."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.output.layout import OutputLayout
from lp_ray.output.lease import current
from lp_ray.plan.shard import parse_shard
from lp_ray.storage import normalise
from tests.faults.drivers import driver
from tests.faults.material import Manifests, make_portraits
from tests.faults.outputs import check_whole, finished, reached, rows, videos
from tests.running import RunJob

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    folder = _in_both_halves(tmp_path_factory.mktemp("in"), n_sources=4)
    return make_portraits(folder, n_sources=4, n_drivings=2, n_frames=6)


def _in_both_halves(parent: Path, n_sources: int) -> Path:
    """Return a folder whose sources do not all fall into one half: the whole URI decides a source's shard, so the
    place where pytest works does.
    """
    first_half = parse_shard("0/2")
    assert first_half is not None
    for i in range(100):
        folder = parent / str(i)
        uris = pa.chunked_array([[str(folder / f"s{n}.png") for n in range(n_sources)]])
        if 0 < first_half.rows(uris).sum() < n_sources:
            return folder
    raise AssertionError("a hundred folders, and all sources of each are in one half")


def test_a_second_job_stops_or_waits_for_the_first(manifests: Manifests, tmp_path: Path, call_job: RunJob) -> None:
    """While a job works on an output, a second job is refused and names the first.

    A job that may wait says for whom it waits, and finds nothing left to do when the first is done.
    """
    output = tmp_path / "out"
    command = (*manifests.arguments(output), "chunk_frames=3", "lease_s=6")
    with driver("animate", *command, log=tmp_path / "first") as first:
        assert first.wait_for(reached(output, 1)), first.printed()
        first.pause_actors()  # so that it does not end meanwhile: the driver itself goes on
        name = f"process {first.process.pid} on {socket.gethostname()} (since "
        with driver("animate", *command, "on_busy=wait", log=tmp_path / "waiting") as waiting:
            assert waiting.wait_for(lambda: name in waiting.printed()), waiting.printed()
            stopped = call_job("animate", *command, "runtime=ray")
            first.resume_actors()
            assert stopped.code == 2 and f"/out/.lp_ray/lease: held by {name}" in stopped.output, stopped.output
            assert first.end() == 0, first.printed()
            made = finished(output)
            assert waiting.end() == 0 and "nothing to do" in waiting.printed(), waiting.printed()
    assert videos(output) == made
    check_whole(output, manifests.n_pairs)


def test_a_job_that_falls_silent_is_replaced_and_writes_no_more(manifests: Manifests, tmp_path: Path) -> None:
    """A driver stands still for longer than its lease (its actors work on). A second job takes over and finishes;
    the first, when it moves again, stops with the reason and leaves all as the second made it. Both write labels:
    every pair has one file of them, whole.
    """
    output = tmp_path / "out"
    command = (*manifests.arguments(output), "chunk_frames=3", "lease_s=3", "labels=full")
    with driver("animate", *command, log=tmp_path / "first") as first:
        assert first.wait_for(reached(output, 1)), first.printed()
        os.kill(first.process.pid, signal.SIGSTOP)
        with driver("animate", *command, log=tmp_path / "second") as second:
            assert second.end() == 0, second.printed()
            assert f"held by process {first.process.pid} on " in second.printed()
        made = videos(output)
        os.kill(first.process.pid, signal.SIGCONT)
        assert first.end() == 1, first.printed()
        assert "stopped: " in first.printed() and "taken over by process" in first.printed(), first.printed()
    assert videos(output) == made
    check_whole(output, manifests.n_pairs)
    files = {path.stem: pq.read_table(path) for path in (output / "labels").iterdir()}
    assert files.keys() == {row["pair_id"] for row in rows(output)}
    assert {(len(table), table["n_frames"][0].as_py()) for table in files.values()} == {(1, 6)}


def test_an_interrupted_job_gives_its_lease_back(tmp_path: Path) -> None:
    """Ctrl-C ends a job with its own exit code (SIGTERM: tests/cluster/test_sigterm.py).

    The lease is free at once for any machine, the staging is removed, and the rows of finished pairs are in the table.
    """
    # Work enough after the first row, however late a busy machine sees that row and hears the signal.
    manifests = make_portraits(tmp_path / "in", n_sources=24, n_drivings=6, n_frames=30)
    output = tmp_path / "out"
    with driver("animate", *manifests.arguments(output), "chunk_frames=3", log=tmp_path / "log") as job:
        assert job.wait_for(lambda: any((output / ".lp_ray" / "rows").glob("[!.]*"))), job.printed()
        os.kill(job.process.pid, signal.SIGINT)
        assert job.end() == 130, job.printed()
    layout = OutputLayout(normalise(str(output)))
    holder = current(layout.lease)
    assert holder is not None and holder.pid == job.process.pid and holder.released
    assert not list((output / ".lp_ray" / "staging").rglob("*.mp4"))
    assert 0 < len(list((output / "videos").iterdir())) < manifests.n_pairs
    assert finished(output)


def test_two_outputs_share_one_template_store(manifests: Manifests, tmp_path: Path) -> None:
    """Two jobs of the same drivings start at once with outputs of their own and one empty template store: both end
    well, and the store holds one object for each driving, which the rows of both name.
    """
    store = tmp_path / "store"
    outputs = [tmp_path / "a", tmp_path / "b"]
    # Chunks of other lengths: pieces of one job would not fit those of the other.
    command = [(*manifests.arguments(o), f"chunk_frames={2 + i}") for i, o in enumerate(outputs)]
    with (
        driver("animate", *command[0], f"templates={store}", log=tmp_path / "log-a") as first,
        driver("animate", *command[1], f"templates={store}", log=tmp_path / "log-b") as second,
    ):
        assert first.end() == 0, first.printed()
        assert second.end() == 0, second.printed()
    assert len([path for path in store.rglob("*") if path.is_file()]) == len(list(store.glob("*.npz"))) == 2
    templates = {row["template_uri"] for output in outputs for row in rows(output)}
    assert templates == {path.as_uri() for path in store.glob("*.npz")}
    for output in outputs:
        check_whole(output, manifests.n_pairs, store)


def test_shards_at_once_are_one_job(manifests: Manifests, tmp_path: Path) -> None:
    """`shard=0/2` and `shard=1/2` as two commands at the same time, each with a Ray of its own: together they make
    every pair once, and each template is there once.
    """
    output = tmp_path / "out"
    command = (*manifests.arguments(output), "chunk_frames=3")
    with (
        driver("animate", *command, "shard=0/2", log=tmp_path / "first") as first,
        driver("animate", *command, "shard=1/2", log=tmp_path / "second") as second,
    ):
        assert first.end() == 0, first.printed()
        assert second.end() == 0, second.printed()
    shares = [int(re.findall(r"^pairs: (\d+) done, 0 failed", shard.printed(), re.M)[-1]) for shard in (first, second)]
    assert min(shares) > 0 and sum(shares) == manifests.n_pairs
    found, made = rows(output), videos(output)
    assert [row["status"] for row in found] == ["done"] * manifests.n_pairs
    assert {row["pair_id"]: row["sha256"] for row in found} == {key: file.sha256 for key, file in made.items()}
    assert len(list((output / "templates").glob("*.npz"))) == 2
    assert not [path for path in (output / ".lp_ray" / "staging").rglob("*") if path.is_file()]
