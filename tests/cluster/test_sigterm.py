"""SIGTERM in the middle of a job: what an evicted pod and a reclaimed spot machine get, and `ray job stop` sends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import skimage.data
import skimage.io

from jobs.exit_codes import EXIT_DONE, EXIT_TERMINATED
from lp_ray.output.results import read_results
from tests.cluster.nodes import REPOSITORY, HeadProcess
from tests.running import Performances, write_manifest

pytestmark = pytest.mark.ray

N_PAIRS = 6
WAIT_S = 180.0


def command_of(folder: Path, driving: Path) -> list[str]:
    """A job of several pairs, with all that it needs in a folder."""
    skimage.io.imsave(folder / "0.png", skimage.data.astronaut()[::2, ::2])
    for i in range(1, N_PAIRS):
        shutil.copyfile(folder / "0.png", folder / f"{i}.png")
    rows = [{"uri": str(folder / f"{i}.png"), "source_id": str(i)} for i in range(N_PAIRS)]
    sources = write_manifest(folder / "sources.parquet", rows)
    places = (f"sources={sources}", f"driving={driving}", f"output={folder / 'out'}")
    return [sys.executable, "-m", "jobs.animate", *places, "preset=ultrafast"]


def finished(output: Path) -> dict[str, int]:
    """Video -> when it was written."""
    return {file.name: file.stat().st_mtime_ns for file in (output / "videos").glob("*.mp4")}


def standing(output: Path) -> dict[str, int]:
    """The same of those whose row is there: in the table, or loose until the next run gathers it."""
    pairs = {file.stem for file in (output / ".lp_ray" / "rows").glob("*.arrow")}
    if (output / "results").exists():
        pairs |= set(read_results(str(output))["pair_id"].to_pylist())
    return {name: when for name, when in finished(output).items() if name.removesuffix(".mp4") in pairs}


def wait_for_a_pair(output: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not standing(output):
        assert time.monotonic() < deadline, "no pair was finished"
        time.sleep(0.1)


def check_rerun(output: Path, before: dict[str, int]) -> None:
    """Every pair has one row and one video, those of the first run untouched, and nothing is left in staging."""
    after = finished(output)
    assert 1 <= len(before) < N_PAIRS == len(after)
    assert {name: after[name] for name in before} == before
    table = pq.read_table(output / "results")
    assert sorted(table["source_id"].to_pylist()) == [str(i) for i in range(N_PAIRS)]
    assert set(table["status"].to_pylist()) == {"done"}
    assert not [*(output / ".lp_ray" / "staging").rglob("*.mp4")]


@pytest.mark.timeout(500)
def test_sigterm_ends_with_its_code_and_a_rerun_does_the_rest(performances: Performances, tmp_path: Path) -> None:
    command, output = command_of(tmp_path, performances.talk), tmp_path / "out"
    job = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stderr=subprocess.PIPE, text=True
    )
    wait_for_a_pair(output)
    job.send_signal(signal.SIGTERM)
    _, said = job.communicate(timeout=240)
    assert job.returncode == EXIT_TERMINATED == 143, said
    assert "terminated: run the same command again to do the rest" in said
    outcomes = [json.loads(file.read_text())["outcome"] for file in (output / "summaries").iterdir()]
    assert outcomes == ["terminated"]
    before = standing(output)
    again = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False)
    assert again.returncode == EXIT_DONE
    check_rerun(output, before)


@pytest.mark.timeout(500)
def test_ray_job_stop_lets_a_job_put_away_what_it_has(
    head: HeadProcess, performances: Performances, tmp_path: Path
) -> None:
    """The job leaves its lease and its table in order, and the same submission does the rest."""
    command, output = [*command_of(tmp_path, performances.talk), "cluster=auto"], tmp_path / "out"
    assert head.jobs.submit(*command, submission_id="first", no_wait=True).code == 0
    wait_for_a_pair(output)
    stopped = head.jobs.stop("first")
    assert stopped.code == 0, stopped.output
    outcomes = [json.loads(file.read_text())["outcome"] for file in (output / "summaries").iterdir()]
    assert outcomes == ["terminated"]
    before = standing(output)
    again = head.jobs.submit(*command)
    assert again.code == EXIT_DONE, again.output
    check_rerun(output, before)
