"""`lp-ray performances`: tables of a seed, a manifest of them, and a job that takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lp_ray.acting.generate import natural
from lp_ray.motion.performance_io import read_performance
from tests.generated import Generated
from tests.jobs.conftest import Call


def test_the_same_seed_makes_the_same_tables_and_later_calls_add(tmp_path: Path, call: Call) -> None:
    ended = call(f"performances output={tmp_path / 'a'} count=3 seed=7 seconds=1 fps=30000/1001 ranges.head_yaw=5")
    assert ended.code == 0 and "3 performances of 1 s, manifest of 3" in ended.output, ended.output
    rows = pq.read_table(tmp_path / "a" / "drivings.parquet").to_pylist()
    assert [row["driving_id"] for row in rows] == ["7-0000000", "7-0000001", "7-0000002"]
    tables = [Path(row["uri"].removeprefix("file://")).read_bytes() for row in rows]
    made = [read_performance(table) for table in tables]
    assert {(performance.fps.numerator, len(performance)) for performance in made} == {(30000, 30)}
    assert all(np.abs(performance.sample()["head_yaw"]).max() <= 5 for performance in made)
    call(f"performances output={tmp_path / 'b'} count=1 first=2 seed=7 seconds=1 fps=30000/1001 ranges.head_yaw=5")
    assert (tmp_path / "b" / "7-0000002.perf.parquet").read_bytes() == tables[2]
    assert "manifest of 4" in call(f"performances output={tmp_path / 'a'} count=2 first=2 seed=7 seconds=1").output
    assert read_performance(tables[0]).curves.keys() == natural(7, 0, 1, made[0].fps).curves.keys()


def test_a_job_takes_their_manifest(tmp_path: Path, call: Call, generated: Generated) -> None:
    call(f"performances output={tmp_path / 'p'} count=2 seconds=0.2")
    ended = call(
        f"animate source={generated.portrait} drivings={tmp_path / 'p' / 'drivings.parquet'} output={tmp_path / 'o'}"
    )
    assert ended.code == 0 and "2 done" in ended.output, ended.output


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("count=0", "count=0 must be a whole number from 1"),
        ("seed=-1", "seed=-1 must be a whole number from 0"),
        ("seconds=0", "seconds=0 must be above 0"),
        ("fps=fast", "fps='fast' must be a number or a fraction"),
        ("ranges.head_yaw=90", "ranges: head_yaw=90.0 must be between 0 and 25"),
        ("ranges.blinks=3", "ranges: "),
        ("ranges.nose=3", "ranges.nose=… is no setting"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, call: Call, typed: str, reason: str) -> None:
    ended = call(f"performances output={tmp_path / 'p'} {typed}")
    assert ended.code == 2 and reason in ended.output, ended.output
    assert not (tmp_path / "p").exists()
