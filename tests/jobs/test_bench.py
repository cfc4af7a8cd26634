"""`python -m jobs.bench` at the tiny size: both sides run, agree, and the figures are written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs.bench", *arguments], capture_output=True, text=True, timeout=500)


def test_the_engine_and_its_plain_formulation_agree(tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    done = bench("size=tiny", "batches=[2]", "frames=1", "rounds=1", f"json={place}")
    assert done.returncode == 0, done.stderr
    report = json.loads(place.read_text())
    (part,) = report["precisions"]
    sides = {row["side"]: row for row in part["sides"]}
    assert sides.keys() == {"reference", "ours eager batch 2"}
    ours = sides["ours eager batch 2"]
    assert ours["largest_difference"] <= 1 and len(ours["times reference"]) == 3
    modules = {row["module"]: row for row in part["modules"]}
    assert list(modules) == ["M", "F", "W", "G"]
    assert 0 < modules["G"]["ours"]["flops"] < modules["G"]["reference"]["flops"], "operations are saved, and counted"
    assert "reference / this" in done.stdout


def test_what_cannot_be_measured_is_refused() -> None:
    done = bench("precision=float8")
    assert done.returncode == 2 and "precision='float8' must be of" in done.stderr
