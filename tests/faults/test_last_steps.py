"""A job that dies in the last steps of a pair leaves nothing that looks finished; the next run finishes the pair."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray import read_labels
from tests.faults.drivers import driver
from tests.faults.material import make_portraits
from tests.faults.outputs import check_whole, finished, rows, videos
from tests.running import REPOSITORY, RunJob

pytestmark = pytest.mark.ray

DEATHS = str(REPOSITORY / "tests" / "faults" / "deaths")


def test_a_job_that_dies_in_the_last_steps_of_a_pair(tmp_path: Path, run_job: RunJob) -> None:
    """The job dies once all segments of a pair are staged and not joined; run again, in the middle of putting a
    video; run again, with a video in its place and no row.

    No row tells of that pair then, and no half video has a result's name. The job run once more leaves exactly one
    whole result of each pair, those finished before untouched, and clean staging.
    """
    output = tmp_path / "out"
    manifests = make_portraits(tmp_path / "in", n_sources=6, n_drivings=1, n_frames=4)
    command = (*manifests.arguments(output), "chunk_frames=2", "labels=asked")
    for step in ("join", "upload", "row"):
        died, before = tmp_path / step, finished(output)
        planted = {"PYTHONPATH": f"{DEATHS}:{REPOSITORY}", "LP_RAY_TEST_DIES_IN": step, "LP_RAY_TEST_DIED": str(died)}
        with driver("animate", *command, log=tmp_path / f"{step}.log", **planted) as job:
            assert job.wait_for(died.exists), job.printed()
        key = died.read_text()
        assert key not in {row["pair_id"] for row in rows(output)}
        assert (key in videos(output)) == (step == "row")
        assert (output / "labels" / f"{key}.parquet").exists() == (step != "join"), "labels are put before the video"
        assert list((output / ".lp_ray" / "staging").rglob(f"{key}/*.mp4")), "the job died later than it was meant to"
        assert step != "upload" or list((output / "videos").glob(".*.tmp"))
        assert {k: file for k, file in finished(output).items() if k in before} == before
    before = finished(output)
    ended = run_job("animate", *command)
    assert ended.code == 0, ended.output
    check_whole(output, manifests.n_pairs)
    now = finished(output)
    assert {key: now[key] for key in before} == before
    assert {path.stem for path in (output / "labels").iterdir()} == set(now)
    for row in rows(output):
        assert read_labels(output, row["pair_id"]).n_frames == row["n_frames"]
