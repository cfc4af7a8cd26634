"""An export whose shards are Ray tasks has the bytes of one that is made in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.dataset.made import layout_of, row, write
from tests.dataset.test_export import files
from tests.running import RunJob


def test_shards_as_tasks_have_the_same_bytes_and_their_errors_the_same_words(
    tmp_path: Path, run_job: RunJob, call_job: RunJob
) -> None:
    layout, random = layout_of(tmp_path / "out"), np.random.default_rng(0)
    rows = [row(layout, f"s{n}", f"d{n}", random.integers(0, 255, 2000, np.uint8).tobytes()) for n in range(12)]
    write(layout, rows)
    common = (f"output={tmp_path / 'out'}", "format=webdataset", "shard_gb=0.000005", "cluster.num_cpus=2")
    ended = call_job("dataset", *common, f"to={tmp_path / 'a'}")
    assert ended.code == 0, ended.output
    ended = run_job("dataset", *common, f"to={tmp_path / 'b'}", "runtime=ray")
    assert ended.code == 0 and "6 of 6 shards" in ended.output, ended.output
    assert files(tmp_path / "a") == files(tmp_path / "b")
    Path(rows[0]["video_uri"].removeprefix("file://")).write_bytes(b"x" * 2000)
    ended = run_job("dataset", *common, f"to={tmp_path / 'c'}", "runtime=ray")
    assert ended.code == 1 and "stopped:" in ended.output and "Traceback" not in ended.output, ended.output
    assert f"(pair {rows[0]['pair_id']}) is not the file that its row states" in ended.output
