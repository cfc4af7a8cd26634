"""`lp-ray bench target=job` at its smallest: what it counts is right, and what it stands on is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.job import stand_in
from benchmarks.job.light import Watch, figures
from benchmarks.job.no_writing import DropChunks, without_writing
from benchmarks.job.pace import per_pair
from benchmarks.job.tally import Stamp
from benchmarks.job.work import Rows
from lp_ray.base.errors import RefusedError
from lp_ray.contract.rows import Trace
from lp_ray.engine.factory import EngineSpec, create_engine, identify_engine
from lp_ray.runtime.graph import PAIRS
from lp_ray.runtime.pools import Pool
from lp_ray.stages.rows import StagedSegment
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


def test_what_a_pair_costs_beside_its_engine(tmp_path: Path) -> None:
    """Two pairs of three chunks, of an engine that takes 1 s a pair, and a job that makes it wait 0.1 s before each
    chunk; written by rows that are told, so no second is waited for."""
    pieces = [
        StagedSegment(str(i // 3), i % 3, 10, None, trace=Trace({"source": 0.2, "animate": 0.4, "write": 0.0}))
        for i in range(6)
    ]
    stamps = [Stamp(100 + i * (1 / 3 + 0.1), 10) for i in range(6)]
    rows = Rows([{"seconds": {"finalize": 0.5}}] * 2, last_s=stamps[-1].time_s + 3)
    watch = Watch(pieces=pieces, opened_s=99.0)
    pools = {stage.name: Pool(1, 0.5) for stage in PAIRS.stages}
    found = figures(watch, stamps, rows, pools)
    about = {"pairs": 2, "frames": 60, "engine": "e", "actors": {}, "alone_fps": [30, 30], "speed_of_light": [0.5]}
    pair = per_pair(found | about)
    assert pair["engine_s"] == pytest.approx(1) and pair["lost_s"] == pytest.approx(0.3)
    assert pair["lost_share"] == pytest.approx(0.3) and pair["drained_s"] == pytest.approx(3)
    assert pair["seconds"]["finalize"] == 0.5


def test_a_job_without_writing_drops_chunks(tmp_path: Path) -> None:
    graph = without_writing(PAIRS)
    assert graph.pools == PAIRS.pools and graph.stages[-1] is DropChunks and graph.stages[:-1] == PAIRS.stages[:-1]


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        ("target=moon", "target='moon' must be of engine, job"),
        ("parts=[light,shadow]", "parts='shadow' must be of light, growth, memory, pace"),
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
