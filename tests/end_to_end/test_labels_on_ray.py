"""Labels and metrics on Ray: the same rows as in one process, on as few as two CPUs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import lp_ray
from lp_ray.output import results
from lp_ray.quality.table import NAMES
from tests.generated import Generated
from tests.running import RunJob, write_manifest


@pytest.mark.parametrize("cpus", [2])
def test_rows_are_those_of_one_process(tmp_path: Path, generated: Generated, run_job: RunJob, cpus: int) -> None:
    """Finalize tasks reserve the CPUs that they use, the pools leave room for them, and the job ends."""
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(p)} for p in (generated.portrait, generated.film)])
    drivings = write_manifest(
        tmp_path / "d.parquet", [{"uri": str(p), "end_s": 0.3} for p in (generated.clip, generated.silent_clip)]
    )
    command = (f"sources={sources}", f"drivings={drivings}", "labels=full", "metrics=full")
    tables = {}
    for runtime, more in (("inline", ()), ("ray", (f"cluster.num_cpus={cpus}",))):
        ended = run_job("animate", *command, f"output={tmp_path / runtime}", f"runtime={runtime}", *more)
        assert ended.code == 0, ended.output
        tables[runtime] = results.read_results(str(tmp_path / runtime)).sort_by("pair_id").to_pylist()
    assert len(tables["ray"]) == len(tables["inline"]) == 4
    for one, other in zip(tables["ray"], tables["inline"], strict=True):
        assert (one["pair_id"], one["sha256"]) == (other["pair_id"], other["sha256"])
        for name in NAMES:
            a, b = one[name], other[name]
            assert (a is None) == (b is None) and (a is None or math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-4)), name
        labels = [lp_ray.read_labels(tmp_path / runtime, one["pair_id"]) for runtime in ("ray", "inline")]
        assert labels[0].names == labels[1].names and labels[0].n_frames == one["n_frames"]


def test_the_pools_tell_of_the_room_for_measuring(tmp_path: Path, generated: Generated, call_job: RunJob) -> None:
    command = (f"source={generated.portrait}", f"driving={generated.clip}", f"output={tmp_path}", "dry_run=true")
    command = (*command, "runtime=ray")
    plain = call_job("animate", *command, "cluster.num_cpus=8")
    measured = call_job("animate", *command, "cluster.num_cpus=8", "metrics=fast")
    assert plain.code == measured.code == 0, measured.output
    assert "pools.finalize" not in plain.output and "pools.finalize actors=3" in measured.output, measured.output
