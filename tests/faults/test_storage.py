"""A job's files may be in any store; a store that fails stops the job with its reason."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import s3fs
import skimage.data

from lp_ray import storage
from lp_ray.acting.film import film_performance
from lp_ray.media.join import video_facts
from lp_ray.output import results
from tests.generated import Generated
from tests.running import REPOSITORY, TALK_FPS, Performances, RunJob, write_manifest
from tests.s3_server import S3Server


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A normalised, empty place for all files of a job."""
    if request.param == "local":
        return storage.normalise(str(tmp_path / "root"))
    return f"s3://{request.getfixturevalue('s3_bucket')}"


def test_the_same_job_on_local_files_and_on_s3(
    place: str, tmp_path: Path, generated: Generated, performances: Performances, run_job: RunJob, call_job: RunJob
) -> None:
    """Manifests, inputs, templates, staging, videos and results lie in one place. A picture that is none fails with
    its reason, the video of the other is whole, staging is empty afterwards, and the same command again does nothing.

    On S3 with Ray, whose every process must reach the bucket; the local one in this process.
    """
    storage.put_file(generated.portrait, f"{place}/in/照片 (1).jpg")
    storage.put_bytes(f"{place}/in/text.jpg", b"I am no picture")
    storage.put_file(performances.nod, f"{place}/in/nod.mp4")
    for kind, names in (("source", "*.jpg"), ("driving", "*.mp4")):
        made = call_job("manifest", f"input={place}/in/{names}", f"kind={kind}", f"output={place}/{kind}s.parquet")
        assert made.code == 0, made.output
    command = (f"sources={place}/sources.parquet", f"drivings={place}/drivings.parquet", f"output={place}/out")
    ended = run_job("animate", *command) if place.startswith("s3") else call_job("animate", *command)
    assert ended.code == 3, ended.output
    good, bad = sorted(results.read_results(f"{place}/out").to_pylist(), key=lambda row: str(row["status"]))
    assert (good["status"], good["source_id"]) == ("done", "照片 (1).jpg")
    assert (bad["source_id"], bad["error_class"]) == ("text.jpg", "UnreadableMediaError")
    assert good["video_uri"].startswith(f"{place}/out/videos/")
    data = storage.read_bytes(good["video_uri"])
    assert hashlib.sha256(data).hexdigest() == good["sha256"]
    (tmp_path / "video.mp4").write_bytes(data)
    assert video_facts(tmp_path / "video.mp4").n_frames == good["n_frames"] == len(performances.nod_curves)
    assert [uri for uri in storage.glob(f"{place}/out/.lp_ray/*") if "/lease/" not in uri] == []
    again = call_job("animate", *command)
    assert again.code == 3 and "nothing to do" in again.output, again.output


@pytest.fixture
def inputs(tmp_path: Path, generated: Generated) -> tuple[str, str]:
    """Manifests of many local pairs."""
    (tmp_path / "in").mkdir()
    sources = []
    for i in range(12):
        (tmp_path / "in" / f"{i}.jpg").write_bytes(generated.portrait.read_bytes())
        sources.append({"uri": str(tmp_path / "in" / f"{i}.jpg"), "source_id": str(i)})
    clip = tmp_path / "in" / "talk.mp4"
    film_performance(clip, "talk", skimage.data.astronaut(), TALK_FPS, 20, sound=False)
    manifests = (
        write_manifest(tmp_path / "s.parquet", sources),
        write_manifest(tmp_path / "d.parquet", [{"uri": str(clip), "driving_id": "talk"}]),
    )
    return f"sources={manifests[0]}", f"drivings={manifests[1]}"


@pytest.mark.parametrize("fault", ["bad secret", "missing bucket", "read-only bucket"])
def test_a_store_that_refuses_stops_the_job_before_any_work(
    fault: str, s3_server: S3Server, s3_bucket: str, inputs: tuple[str, str], call_job: RunJob
) -> None:
    """One clear line, with the place, the reason and the remedy, without the secret and without a traceback."""
    bucket, environment, words = {
        "bad secret": (s3_bucket, {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "storage refuses"),
        "missing bucket": ("no-such-bucket", {}, "create it or correct the URI"),
        "read-only bucket": (s3_bucket, s3_server.reader_env, "the right to write"),
    }[fault]
    ended = call_job("animate", *inputs, f"output=s3://{bucket}/out", "runtime=ray", **environment)
    assert ended.code == 2 and "refused: " in ended.output, ended.output
    assert words in ended.output and f"s3://{bucket}/out" in ended.output
    assert "not-the-secret" not in ended.output and "Traceback" not in ended.output


def test_a_bucket_that_vanishes_meanwhile_stops_the_job(
    s3_bucket: str, tmp_path: Path, inputs: tuple[str, str], run_job: RunJob
) -> None:
    """Whichever process meets it first, driver, actor or task: the job ends by itself, with the reason."""
    command = (*inputs, f"output=s3://{s3_bucket}/out", f"templates={tmp_path / 'templates'}")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_job, "animate", *command)
        while not storage.glob(f"s3://{s3_bucket}/out/videos/*"):
            assert not job.done(), job.result().output
            time.sleep(0.2)
        _remove_bucket(s3_bucket)
        ended = job.result()
    assert ended.code in (1, 2), ended.output
    assert "no such bucket" in ended.output and "create it or correct the URI" in ended.output, ended.output


def _remove_bucket(name: str) -> None:
    """Remove a bucket that somebody keeps writing to."""
    fs = s3fs.S3FileSystem(use_listings_cache=False)
    while fs.exists(name):
        try:
            fs.rm(name, recursive=True)
        except OSError:
            time.sleep(0.1)


@pytest.mark.ray
def test_a_disk_that_fills_up_stops_the_job(tmp_path: Path, inputs: tuple[str, str]) -> None:
    """The output lies on a disk of 400 KB: the job ends by itself, saying which place is full and what to do."""
    (tmp_path / "disk").mkdir()
    command = 'mount -t tmpfs -o size=400k tmpfs "$1" && shift && exec "$@"'
    job = [sys.executable, "-m", "jobs.animate", "runtime=ray", *inputs, f"output={tmp_path / 'disk' / 'out'}"]
    ended = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", str(tmp_path / "disk"), *job, f"templates={tmp_path / 't'}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        env=dict(os.environ),
        timeout=500,
        check=False,
    )
    if "unshare:" in ended.stdout or "mount:" in ended.stdout:
        pytest.skip(f"no namespaces here: {ended.stdout.strip()}")
    assert ended.returncode in (1, 2), ended.stdout
    assert "is full" in ended.stdout and "make room" in ended.stdout and str(tmp_path / "disk") in ended.stdout
