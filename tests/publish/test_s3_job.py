"""Official files in, a weight store on a real S3 server, a job on it; one flipped byte stops the job."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import skimage.data

from lp_ray import storage
from lp_ray.acting.film import film_performance
from lp_ray.output import results
from tests.running import RunJob, write_manifest


def test_a_job_on_a_store_in_a_bucket(
    s3_bucket: str, official: Path, tmp_path: Path, run_job: RunJob, call_job: RunJob
) -> None:
    """Full-size networks, one frame: imported, verified, used; the results say that the weights are others."""
    store = f"s3://{s3_bucket}/weights"
    imported = run_job("weights", "import", f"input={official}", f"store={store}", "allow_other=true")
    assert imported.code == 0, imported.output
    verified = call_job("weights", "verify", f"store={store}")
    assert verified.code == 0 and "human/G.safetensors: as locked" in verified.output, verified.output
    portrait = skimage.data.astronaut()
    cv2.imwrite(str(tmp_path / "a.png"), portrait[..., ::-1])
    film_performance(tmp_path / "one.mp4", "talk", portrait, Fraction(25), 1, sound=False)
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(tmp_path / "a.png"), "source_id": "a"}])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": str(tmp_path / "one.mp4"), "driving_id": "one"}])
    command = (f"sources={sources}", f"drivings={drivings}", "engine=liveportrait", f"engine.weights={store}")
    ended = run_job("animate", *command, f"output={tmp_path / 'out'}", LP_RAY_CACHE=str(tmp_path / "cache"))
    assert ended.code == 0, ended.output
    (row,) = results.read_results(str(tmp_path / "out")).to_pylist()
    assert (row["status"], row["n_frames"], row["engine"]) == ("done", 1, "liveportrait (other:human)")

    name = f"{store}/human/W.safetensors"
    data = bytearray(storage.read_bytes(name))
    data[len(data) // 2] ^= 1
    storage.put_bytes(name, bytes(data))
    assert call_job("weights", "verify", f"store={store}").code == 2
    broken = run_job(
        "animate", *command, f"output={tmp_path / 'other'}", "crf=20", LP_RAY_CACHE=str(tmp_path / "none yet")
    )
    assert broken.code != 0 and "human/W.safetensors" in broken.output, broken.output
    assert not list((tmp_path / "other").rglob("*.mp4"))
