"""`lp-ray bench` at the tiny size: both sides run, agree, and the figures are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import RunJob

pytestmark = pytest.mark.slow


def test_the_engine_and_its_plain_formulation_agree(tmp_path: Path, call_job: RunJob) -> None:
    place = tmp_path / "report.json"
    done = call_job("bench", "size=tiny", "batches=[2]", "frames=1", "rounds=1", f"json={place}")
    assert done.code == 0, done.output
    report = json.loads(place.read_text())
    (part,) = report["precisions"]
    sides = {row["side"]: row for row in part["sides"]}
    assert sides.keys() == {"reference", "ours eager batch 2"}
    ours = sides["ours eager batch 2"]
    assert ours["largest_difference"] <= 1 and len(ours["times reference"]) == 3
    modules = {row["module"]: row for row in part["modules"]}
    assert list(modules) == ["M", "F", "W", "G"]
    assert 0 < modules["G"]["ours"]["flops"] < modules["G"]["reference"]["flops"], "operations are saved, and counted"
    assert "reference / this" in done.output


def test_what_cannot_be_measured_is_refused(call_job: RunJob) -> None:
    done = call_job("bench", "precision=float8")
    assert done.code == 2 and "precision='float8' must be of" in done.output
    done = call_job("bench", "size=tiny", "executions=graph")
    assert done.code == 2 and "execution=graph is for GPUs" in done.output
