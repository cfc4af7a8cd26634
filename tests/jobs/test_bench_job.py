"""`lp-ray bench target=job` at its smallest: what it counts is right, and what it stands on is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.job import stand_in
from lp_ray.base.errors import RefusedError
from lp_ray.engine.factory import EngineSpec, create_engine, identify_engine
from tests.running import RunJob


def test_the_three_parts_of_the_jobs_benchmark(tmp_path: Path, run_job: RunJob) -> None:
    place = tmp_path / "report.json"
    ended = run_job(
        "bench",
        *("target=job", "light.sources=2", "light.frames=20", "light.alone_s=1", "light.chunk_frames=8"),
        *("growth.sizes=[2x2]", "growth.frames=5", "memory.seconds=[1]", "memory.chunks=[8]", f"json={place}"),
    )
    report = json.loads(place.read_text())
    assert ended.code == (0 if report["met"] else 3), ended.output

    light = report["parts"]["light"]
    assert light["engine"] == "stand-in: waits 25 ms a frame"
    table = ended.output.splitlines()
    assert all(light["engine"] in line for line in table if "speed of light" in line or line.startswith("(b)"))
    assert light["frames"] == 2 * 20
    assert max(light["alone_fps"]) <= 1 / stand_in.WAIT_S, "it does wait"
    assert 0 < light["steady_fps"] <= 1.01 / stand_in.WAIT_S
    assert light["pairs_fps"] < light["steady_fps"]
    assert all(0 <= light["utilisation"][stage] <= 1 for stage in ("animate", "write"))
    least, most = light["speed_of_light"][1:]
    assert least <= light["speed_of_light"][0] <= most and light["met"] == (light["speed_of_light"][0] >= 0.9)

    (row,) = report["parts"]["growth"]["rows"]
    assert (row["job"]["templates"], row["loop"]["templates"]) == (2, 4)
    assert (row["job"]["prepared"], row["loop"]["prepared"]) == (2, 4)

    (row,) = report["parts"]["memory"]["rows"]
    lasting = {"driver", "actor TrackClips", "actor AnimatePairs", "actor WriteSegments"}
    # Of an ffmpeg that lives for milliseconds a look may see no more than its start.
    assert all(row["peaks"][role][0] > 1 << 20 for role in lasting), row["peaks"]


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("target=moon", "target='moon' must be of engine, job"),
        ("parts=[light,shadow]", "parts='shadow' must be of light, growth, memory"),
        ("growth.sizes=[2x]", "growth.sizes=['2x'] must be sources x drivings"),
        ("device=cuda", "the stand_in engine waits, on cpu"),
    ],
)
def test_what_cannot_be_measured_is_refused(argument: str, reason: str, call_job: RunJob) -> None:
    ended = call_job("bench", "target=job", argument)
    assert ended.code == 2 and reason in ended.output, ended.output


def test_no_job_but_the_benchmark_knows_the_stand_in(tmp_path: Path, call_job: RunJob) -> None:
    for make in (create_engine, identify_engine):
        with pytest.raises(RefusedError, match="must be one of preview, liveportrait"):
            make(EngineSpec(stand_in.NAME))
    for argument in (f"engine={stand_in.NAME}", f"engine.name={stand_in.NAME}"):
        ended = call_job("animate", "source=a.png", "driving=b.mp4", f"output={tmp_path / 'out'}", argument)
        assert ended.code == 2, ended.output
    assert not (tmp_path / "out").exists()
