"""scripts/gpu_check.sh and scripts/gpu_job.sh: every step runs here, tiny, before a GPU is lent."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engine.arguments import parsed
from benchmarks.engine.start import StartBench, line
from lp_ray.base.errors import RefusedError
from tests.running import REPOSITORY

pytestmark = pytest.mark.slow

BARE = Path(__file__).parent / "bare"
"""On PYTHONPATH it leaves a Python what the engine's check may count on: torch and little else."""
MACHINE = f"{platform.machine()}-{os.cpu_count()}-cores"


def script(name: str, out: Path, **given: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DEVICE": "cpu", "SIZE": "tiny", "PYTHON": sys.executable, **given}
    command = [str(REPOSITORY / "scripts" / name), str(out)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=590, check=False)


def report(out: Path, step: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / f"{MACHINE}-{step}.json").read_text())
    return found


def test_every_step_of_the_engines_check_runs(tmp_path: Path) -> None:
    done = script("gpu_check.sh", tmp_path, LIMIT_S="560", PYTHONPATH=str(BARE))
    assert done.returncode == 0, done.stdout + done.stderr
    exactness = {row["precision"]: row for row in report(tmp_path, "exactness")["rows"]}
    assert exactness["float32"]["psnr_db"] is None, "on the CPU it is the reference itself"
    assert all(exactness[half]["psnr_db"] > 38 for half in ("bfloat16", "float16"))
    (start,) = report(tmp_path, "start")["rows"]
    assert 0 < start["import_s"] < start["first_frame_s"] and "first frames after" in line(start)
    assert {row["size"] for row in report(tmp_path, "finishing")["rows"]} == {"720 x 1280", "1280 x 720", "1920 x 1080"}
    assert all(row["largest_difference"] <= 1 for row in report(tmp_path, "finishing")["rows"])
    for step in ("speed-fp32", "speed-graph", "memory"):
        assert report(tmp_path, step)["size"] == "tiny"


def test_little_else_is_little() -> None:
    """So that the test above cannot pass by what this machine has beside."""
    names, absent = ("torch", "scipy", "fsspec", "cv2", "ray", "hydra", "pyarrow", "aiohttp"), []
    for name in names:
        command, environment = [sys.executable, "-c", f"import {name}"], {**os.environ, "PYTHONPATH": str(BARE)}
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
        absent += [name] if ended.returncode else []
    assert absent == ["ray", "hydra", "pyarrow", "aiohttp"]


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("engine", ("device",), "'device' must be of the form name=value"),
        ("engine", ("devices=cpu",), "devices: no such argument"),
        ("engine.start", ("batch=many",), "batch='many' must be of type int"),
        ("engine.machine", ("tpu",), "engine.device='tpu' must be cpu, cuda or cuda:N"),
        ("plan", ("many",), "'many' must be a whole number from 1"),
        ("plan", ("1,000", "corss"), "'corss' must be of cross, stated, files, listed"),
        ("gallery", ("0",), "'0' must be a whole number from 1"),
    ],
)
def test_a_benchmark_refuses_in_one_line(module: str, words: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("refused: ") and said in line
    assert (ended.returncode, ended.stdout) == (2, "")


def test_the_jobs_check_runs_on_ray(tmp_path: Path) -> None:
    done = script("gpu_job.sh", tmp_path, SOURCES="2", FRAMES="12", ALONE_S="1")
    found = report(tmp_path, "job")
    assert done.returncode == (0 if found["met"] else 3), done.stdout + done.stderr
    light = found["parts"]["light"]
    assert light["frames"] == 2 * 12 and "liveportrait" in light["engine"]


def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = script("gpu_check.sh", tmp_path, DEVICE="cuda:63")
    assert done.returncode == 2 and "engine.device='cuda:63'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="frame: no such argument"):
        parsed(StartBench, {"frame": "2"})
    with pytest.raises(RefusedError, match="precision='fp8' must be of"):
        parsed(StartBench, {"precision": "fp8"})
    with pytest.raises(RefusedError, match="batch='many' must be of type int"):
        parsed(StartBench, {"batch": "many"})
    assert parsed(StartBench, {"executions": "graph,compiled"}).executions == ("graph", "compiled")
