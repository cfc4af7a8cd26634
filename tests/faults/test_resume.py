"""If the driver process dies, the next run of the job makes exactly the missing pairs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lp_ray.output import results
from lp_ray.output.layout import OutputLayout
from lp_ray.storage import normalise
from tests.faults.drivers import driver
from tests.faults.material import make_portraits
from tests.faults.outputs import check_whole, finished, reached, rows, videos
from tests.generated import Generated
from tests.running import RunJob, write_manifest

pytestmark = pytest.mark.ray


def test_a_job_killed_three_times_makes_every_pair_once(tmp_path: Path, run_job: RunJob) -> None:
    """A job of 60 pairs is killed, driver and all, at about 10, 50 and 90 %, and each time run again.

    In the end there are 60 rows and 60 objects, of the bytes that their rows state. What was finished before a kill
    is not written again: same bytes, same time. Nothing else is left.
    """
    output = tmp_path / "out"
    manifests = make_portraits(tmp_path / "in", n_sources=10, n_drivings=6, n_frames=8)
    command = (*manifests.arguments(output), "chunk_frames=3")
    for share in (0.1, 0.5, 0.9):
        target = int(share * manifests.n_pairs)
        with driver("animate", *command, log=tmp_path / f"log{target}") as job:
            already = finished(output)
            assert job.wait_for(reached(output, target)), job.printed()
        left = finished(output)
        assert len(already) <= len(left) < manifests.n_pairs, "not killed when it was meant to be"
        assert {key: left[key] for key in already} == already
    ended = run_job("animate", *command)
    assert ended.code == 0, ended.output
    assert f"{len(left)} done already" in ended.output, ended.output
    check_whole(output, manifests.n_pairs)
    now = finished(output)
    assert {key: now[key] for key in left} == left
    assert {row["attempts"] for row in rows(output)} == {1}
    table = pq.read_table(output / "results")
    assert len(table) == manifests.n_pairs, "plain readers see each row once, too"
    found = results.settled(OutputLayout(normalise(str(output))))
    assert found.done.sum() == manifests.n_pairs and not found.failed.any()


def test_parts_and_transparency_resume_to_the_bytes_of_a_job_that_nothing_stopped(
    tmp_path: Path, run_job: RunJob, call_job: RunJob, generated: Generated
) -> None:
    """Twelve parts of one source video, in every format that keeps transparency, killed half way and run again. The job
    that nothing stopped works in this process: the bytes are the same wherever they are made."""
    formats = ("webm", "mov", "frames")
    pairs = [
        {
            **{"source_id": "film", "driving_id": "clip", "format": formats[i % 3], "alpha": "keep"},
            **{"source_start_s": round(0.05 * i, 2), "source_end_s": round(0.3 + 0.05 * i, 2)},
        }
        for i in range(12)
    ]
    tables = {
        "sources": [{"uri": str(generated.film), "source_id": "film"}],
        "drivings": [{"uri": str(generated.clip), "driving_id": "clip"}],
        "pairs": pairs,
    }
    named = [f"{name}={write_manifest(tmp_path / f'{name}.parquet', table)}" for name, table in tables.items()]
    command = (*named, "chunk_frames=7", "span_chunks=2", f"templates={tmp_path / 'templates'}")
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with driver("animate", *command, f"output={killed}", log=tmp_path / "log") as job:
        assert job.wait_for(reached(killed, 5)), job.printed()
    left = finished(killed)
    assert len(left) < len(pairs), "not killed when it was meant to be"
    for output, run, runtime in ((killed, run_job, "ray"), (whole, call_job, "inline")):
        ended = run("animate", *command, f"output={output}", f"runtime={runtime}")
        assert ended.code == 0, ended.output
        check_whole(output, len(pairs), tmp_path / "templates")
    now = finished(killed)
    assert {key: now[key] for key in left} == left
    assert {key: file.sha256 for key, file in now.items()} == {k: f.sha256 for k, f in videos(whole).items()}
