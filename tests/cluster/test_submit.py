"""`ray job submit` with token authentication, as docs/cluster.md says: from any directory, to a head that asks."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import skimage.data
import skimage.io

from tests.cluster.nodes import HeadProcess


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a", "b"):
        skimage.io.imsave(folder / f"{name}.png", skimage.data.astronaut())
    return folder


def test_a_job_runs(head: HeadProcess, photos: Path, tmp_path: Path) -> None:
    """The job's output reaches the terminal, its work the disk, and code 0 the shell."""
    manifest = tmp_path / "sources.parquet"
    job = [sys.executable, "-m", "jobs.manifest", f"input={photos}", "kind=source", f"output={manifest}"]
    ended = head.jobs.submit(*job)
    assert ended.code == 0, ended.output
    assert f"2 sources in {manifest}" in ended.output
    assert pq.read_table(manifest)["source_id"].to_pylist() == ["a.png", "b.png"]


def test_the_jobs_own_exit_code_is_kept(head: HeadProcess, tmp_path: Path) -> None:
    """`ray job submit` knows 0 and 1 only; the job's own code is in its record, by Ray's SDK and by HTTP."""
    job = [sys.executable, "-m", "jobs.manifest", f"input={tmp_path}", "kind=sauce", f"output={tmp_path / 'm.parquet'}"]
    ended = head.jobs.submit(*job, submission_id="refused-job")
    assert ended.code == 1
    assert "refused: kind='sauce' must be source or driving" in ended.output
    assert head.jobs.get("/api/jobs/refused-job")["driver_exit_code"] == 2
    ask = (
        "from ray.job_submission import JobSubmissionClient; "
        "print(JobSubmissionClient().get_job_info('refused-job').driver_exit_code)"
    )
    environment = {**os.environ, **head.home.environment, "RAY_API_SERVER_ADDRESS": head.jobs.dashboard}
    told = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "2"


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"RAY_AUTH_TOKEN": "0" * 64}, "Invalid authentication token"),
        ({"RAY_AUTH_MODE": "disabled"}, "Missing authentication token"),
    ],
)
def test_without_the_token_nothing_runs(
    head: HeadProcess, tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    """A wrong token and none are refused before anything is started."""
    before = {job["submission_id"] for job in head.jobs.get("/api/jobs/")}
    ended = head.jobs.submit("touch", str(tmp_path / "ran"), **environment)
    assert ended.code != 0
    assert reason in ended.output
    assert {job["submission_id"] for job in head.jobs.get("/api/jobs/")} == before
    assert not (tmp_path / "ran").exists()


def test_the_api_asks_for_the_token_too(head: HeadProcess) -> None:
    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        head.jobs.get("/api/jobs/", token="0" * 64)
