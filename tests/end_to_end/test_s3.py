"""The whole job on a real S3 server: manifests, inputs, templates, staging, videos and results are objects."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lp_ray import results, storage
from lp_ray.media.join import video_facts
from tests.running import Performances, RunJob, write_manifest


def test_a_job_whose_every_file_is_on_s3(
    s3_bucket: str, tmp_path: Path, media: Path, performances: Performances, run_job: RunJob
) -> None:
    """Videos are whole, staging is empty afterwards, and the same command again does nothing."""
    root = f"s3://{s3_bucket}"
    storage.put_file(media / "source" / "s9.jpg", f"{root}/in/照片 (1).jpg")
    storage.put_file(performances.nod, f"{root}/in/nod.mp4")
    made = [
        run_job("manifest", f"input={root}/in/*.jpg", "kind=source", f"output={root}/sources.parquet"),
        run_job("manifest", f"input={root}/in/*.mp4", "kind=driving", f"output={root}/drivings.parquet"),
    ]
    assert [ended.code for ended in made] == [0, 0], made
    command = (f"sources={root}/sources.parquet", f"drivings={root}/drivings.parquet", f"output={root}/out")
    ended = run_job("animate", *command)
    assert ended.code == 0, ended.output
    rows = results.read_results(f"{root}/out").to_pylist()
    assert [(row["status"], row["source_id"]) for row in rows] == [("done", "照片 (1).jpg")]
    assert rows[0]["video_uri"].startswith(f"{root}/out/videos/")
    data = storage.read_bytes(rows[0]["video_uri"])
    assert hashlib.sha256(data).hexdigest() == rows[0]["sha256"]
    (tmp_path / "video.mp4").write_bytes(data)
    assert video_facts(tmp_path / "video.mp4").n_frames == rows[0]["n_frames"] == len(performances.nod_curves)
    assert storage.glob(f"{root}/out/.lp_ray/*") == []
    again = run_job("animate", *command)
    assert again.code == 0 and "nothing to do" in again.output, again.output


@pytest.mark.parametrize(
    ("environment", "words"),
    [({"AWS_SECRET_ACCESS_KEY": "not-this-one"}, "storage refuses"), ({}, "bucket does not exist")],
    ids=["bad-secret", "missing-bucket"],
)
def test_a_store_that_refuses_stops_the_job_with_the_reason(
    s3_bucket: str, tmp_path: Path, run_job: RunJob, environment: dict[str, str], words: str
) -> None:
    bucket = f"s3://{s3_bucket}" if environment else "s3://no-such-bucket"
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": f"{bucket}/a.jpg", "source_id": "a"}])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": f"{bucket}/a.mp4", "driving_id": "d"}])
    command = (f"sources={sources}", f"drivings={drivings}", f"output={bucket}/out")
    ended = run_job("animate", *command, **environment)
    assert ended.code == 2 and "refused" in ended.output and "not-this-one" not in ended.output, ended.output
    assert words in ended.output
